//! A thread that owns something which cannot leave it.

use std::fmt;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// Something on a thread of its own, and the way there.
pub(super) struct Worker<S> {
    /// Open until the end.
    jobs: Option<Sender<Job<S>>>,
    thread: Option<JoinHandle<()>>,
}

impl<S: 'static> Worker<S> {
    /// Makes it, on its thread.
    pub fn start(make: impl FnOnce() -> Result<S, String> + Send + 'static) -> Result<Self, String> {
        let (jobs, work) = channel::<Job<S>>();
        let (made, is_made) = sync_channel(1);
        let thread = Builder::new().name("device".to_owned()).spawn(move || match make() {
            Ok(mut subject) => {
                // Nobody waits any more if this fails, and there will be no job.
                let _ = made.send(Ok(()));
                work.into_iter().for_each(|job| job(&mut subject));
            }
            Err(error) => drop(made.send(Err(error))),
        });
        let worker = Self { jobs: Some(jobs), thread: Some(thread.map_err(|error| error.to_string())?) };
        is_made.recv().unwrap_or_else(|_| Err("its thread panicked".to_owned()))?;
        Ok(worker)
    }

    /// Runs a job there, and waits for what it returns.
    ///
    /// # Panics
    ///
    /// If the job does, or an earlier one did.
    pub fn run<R: Send + 'static>(&self, job: impl FnOnce(&mut S) -> R + Send + 'static) -> R {
        let (done, is_done) = sync_channel(1);
        let job: Job<S> = Box::new(move |subject| drop(done.send(job(subject))));
        let sent = self.jobs.as_ref().map(|jobs| jobs.send(job));
        assert!(matches!(sent, Some(Ok(()))), "the device's thread has panicked");
        is_done.recv().expect("the device's thread does not panic")
    }
}

impl<S> Drop for Worker<S> {
    /// Waits until what it owns is gone: the device is free again then.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // Whoever waited for its last job was told.
            let _ = thread.join();
        }
    }
}

impl<S> fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::Worker;

    #[test]
    fn what_cannot_leave_its_thread_works_there() {
        let worker = Worker::start(|| Ok(Rc::new(3))).unwrap();
        fn shared<T: Send + Sync>(_: &T) {}
        shared(&worker);
        assert_eq!(worker.run(|subject| Rc::strong_count(subject) + **subject), 4);
        worker.run(|subject| *Rc::get_mut(subject).unwrap() = 5);
        assert_eq!(worker.run(|subject| **subject), 5);
    }

    #[test]
    fn what_cannot_be_made_says_why() {
        assert_eq!(Worker::<()>::start(|| Err("no such device".to_owned())).unwrap_err(), "no such device");
        assert_eq!(Worker::<()>::start(|| panic!("in a test")).unwrap_err(), "its thread panicked");
    }
}
