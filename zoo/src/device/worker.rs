//! A thread that owns something which cannot leave it.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Error message for a thread that gives no answer.
const ENDED: &str = "its thread has ended";

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A value that lives on a thread of its own, and the channel by which jobs reach it.
pub(super) struct Worker<S> {
    /// Channel of jobs, open until the worker is dropped.
    jobs: Option<Sender<Job<S>>>,
    thread: Option<JoinHandle<()>>,
    /// Message of the first job that panicked: the value may be half changed, and no job runs after it.
    panicked: OnceLock<String>,
}

/// Text of a panic's message: the libraries of a device panic where it fails.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without a message"))
}

impl<S: 'static> Worker<S> {
    /// Starts the thread and makes the value on it. An error is that of `make`, or the message of its panic.
    pub fn start(make: impl FnOnce() -> Result<S, String> + Send + 'static) -> Result<Self, String> {
        let (jobs, work) = channel::<Job<S>>();
        let (made, is_made) = sync_channel(1);
        let thread = Builder::new().name("device".to_owned()).spawn(move || {
            let subject = catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|panic| Err(message(&*panic)));
            match subject {
                Ok(mut subject) => {
                    // The receiver is gone if this fails, and there will be no job.
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

    /// Runs a job on the thread, and waits for its result.
    ///
    /// # Errors
    ///
    /// The message of the job's panic, or of an earlier job's; a thread that has ended.
    pub fn run<R: Send + 'static>(&self, job: impl FnOnce(&mut S) -> R + Send + 'static) -> Result<R, String> {
        if let Some(message) = self.panicked.get() {
            return Err(message.clone());
        }
        let (done, is_done) = sync_channel(1);
        let job: Job<S> = Box::new(move |subject| {
            // A panic may leave the value half changed, but no job runs after it.
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
    /// Waits until the value is dropped on its thread, so that the device is free again.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // The caller of its last job was told of a panic.
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
