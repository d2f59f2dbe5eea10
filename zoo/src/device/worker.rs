//! A thread that owns something which cannot leave it.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

/// What is said of a thread that gives no answer.
const ENDED: &str = "its thread has ended";

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// Something on a thread of its own, and the way there.
pub(super) struct Worker<S> {
    /// Open until the end.
    jobs: Option<Sender<Job<S>>>,
    thread: Option<JoinHandle<()>>,
    /// What the first job that panicked said: the subject may be half changed, and no job runs after it.
    panicked: OnceLock<String>,
}

/// What a panic said: the libraries of a device panic where it fails.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without a message"))
}

impl<S: 'static> Worker<S> {
    /// Makes it, on its thread.
    pub fn start(make: impl FnOnce() -> Result<S, String> + Send + 'static) -> Result<Self, String> {
        let (jobs, work) = channel::<Job<S>>();
        let (made, is_made) = sync_channel(1);
        let thread = Builder::new().name("device".to_owned()).spawn(move || {
            let subject = catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|panic| Err(message(&*panic)));
            match subject {
                Ok(mut subject) => {
                    // Nobody waits any more if this fails, and there will be no job.
                    let _ = made.send(Ok(()));
                    work.into_iter().for_each(|job| job(&mut subject));
                }
                Err(error) => drop(made.send(Err(error))),
            }
        });
        let thread = Some(thread.map_err(|error| error.to_string())?);
        let worker = Self { jobs: Some(jobs), thread, panicked: OnceLock::new() };
        is_made.recv().unwrap_or_else(|_| Err(ENDED.to_owned()))?;
        Ok(worker)
    }

    /// Runs a job there, and waits for what it returns.
    ///
    /// # Errors
    ///
    /// What the job said if it panicked, or what an earlier one said.
    pub fn run<R: Send + 'static>(&self, job: impl FnOnce(&mut S) -> R + Send + 'static) -> Result<R, String> {
        if let Some(message) = self.panicked.get() {
            return Err(message.clone());
        }
        let (done, is_done) = sync_channel(1);
        let job: Job<S> = Box::new(move |subject| {
            // Nobody sees what a panic left half done: no job runs after it.
            let result = catch_unwind(AssertUnwindSafe(|| job(subject)));
            drop(done.send(result.map_err(|panic| message(&*panic))));
        });
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        let result = if sent { is_done.recv().ok() } else { None };
        let result = result.unwrap_or_else(|| Err(ENDED.to_owned()));
        result.inspect_err(|message| drop(self.panicked.set(message.clone())))
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
        assert_eq!(worker.run(|subject| Rc::strong_count(subject) + **subject), Ok(4));
        worker.run(|subject| *Rc::get_mut(subject).unwrap() = 5).unwrap();
        assert_eq!(worker.run(|subject| **subject), Ok(5));
    }

    #[test]
    fn a_panic_is_an_error_and_the_end() {
        let worker = Worker::start(|| Ok(3)).unwrap();
        let failed = worker.run(|subject| assert_eq!(*subject, 4, "in a test")).unwrap_err();
        assert!(failed.starts_with("panicked: ") && failed.contains("in a test"), "{failed}");
        assert_eq!(worker.run(|subject| *subject), Err(failed));
    }

    #[test]
    fn what_cannot_be_made_says_why() {
        assert_eq!(Worker::<()>::start(|| Err("no such device".to_owned())).unwrap_err(), "no such device");
        assert_eq!(Worker::<()>::start(|| panic!("in a test")).unwrap_err(), "panicked: in a test");
    }
}
