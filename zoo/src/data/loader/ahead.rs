//! An epoch: its batches are prepared on other threads and come in order.
//!
//! Worker `w` of `n` prepares the batches `w`, `w + n`, `w + 2n`, ... and puts them in a channel of its own; the reader
//! takes from the channels in turn. So the order needs no sorting.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rayon::Yield;

use super::batch::Batch;

/// Function that each thread calls first; see [`on_thread_start`].
static ON_START: std::sync::OnceLock<fn(Option<usize>)> = std::sync::OnceLock::new();

/// Has each thread that prepares batches, or computes a shard of one, from now on call `start` first; later calls
/// change nothing. It is given the number of a thread for shards among those that compute at a time, from 0, and `None`
/// of one that prepares batches.
///
/// For programs that bind threads to cores. A thread inherits the cores of the one that makes it, which here is the one
/// that reads the batches: where that may use one core alone, `start` has to allow others.
#[doc(hidden)]
pub fn on_thread_start(start: fn(Option<usize>)) {
    ON_START.get_or_init(|| start);
}

/// Calls the function that a thread is to call first, if there is one; for which thread is as for [`on_thread_start`].
pub(crate) fn start_thread(number: Option<usize>) {
    ON_START.get().into_iter().for_each(|start| start(number));
}

/// The batches of one epoch, in order. See [`Loader::epoch`](super::Loader::epoch).
pub struct Epoch<T = Batch> {
    source: Source<T>,
    next: usize,
    batches: usize,
}

enum Source<T> {
    Here(Box<dyn Fn(usize) -> T + Send>),
    Threads(Vec<Worker<T>>),
}

impl<T: Send + 'static> Epoch<T> {
    /// Calls `make` on `0..batches`, in at most `workers` threads and at most `in_flight` batches ahead of the reader.
    /// If there are no workers or the system refuses a thread, it is called on the calling thread.
    pub(super) fn new(
        make: impl Fn(usize) -> T + Clone + Send + 'static,
        batches: usize,
        (workers, in_flight): (usize, usize),
    ) -> Self {
        let workers = workers.min(in_flight).min(batches);
        let spawned: io::Result<Vec<Worker<T>>> = (0..workers)
            .map(|first| {
                let share = in_flight / workers + usize::from(first < in_flight % workers);
                // One batch of the share is in the hands of the worker. No channel needs room for more than the epoch.
                Worker::spawn(make.clone(), (first..batches).step_by(workers), (share - 1).min(batches))
            })
            .collect();
        let source = match spawned {
            Ok(workers) if !workers.is_empty() => Source::Threads(workers),
            _ => Source::Here(Box::new(make)),
        };
        Self { source, next: 0, batches }
    }
}

struct Worker<T> {
    batches: Option<Receiver<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Worker<T> {
    fn spawn(
        make: impl Fn(usize) -> T + Send + 'static,
        mut indices: impl Iterator<Item = usize> + Send + 'static,
        room: usize,
    ) -> io::Result<Self> {
        let (sender, batches) = sync_channel(room);
        // Ends early if the reader is gone, since no one receives the rest.
        let work = move || {
            start_thread(None);
            while indices.next().is_some_and(|index| sender.send(make(index)).is_ok()) {}
        };
        let thread = thread::Builder::new().name("batches".to_owned()).spawn(work)?;
        Ok(Self { batches: Some(batches), thread: Some(thread) })
    }
}

impl<T> Worker<T> {
    /// Waits for the next batch. A reader on a thread of the pool, as in a program, works on the pool's tasks
    /// meanwhile: a batch of files is shared out to the pool, and of two threads one would decode while the other waits
    /// for it.
    fn receive(&mut self) -> T {
        while let Some(batches) = &self.batches {
            match batches.try_recv() {
                Ok(batch) => return batch,
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {}
            }
            let received = match rayon::yield_now() {
                Some(Yield::Executed) => continue,
                // The pool has no task at the moment; one that is running may be split further.
                Some(Yield::Idle) => batches.recv_timeout(Duration::from_millis(1)),
                None => batches.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match received {
                Ok(batch) => return batch,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        // A worker leaves before its last batch only by a panic. To end the epoch here would train on a part of the
        // images without a word, so the panic goes on in this thread.
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            _ => unreachable!("a worker sends all its batches"),
        }
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        // First the receiver, so that a worker that waits to send wakes up and leaves.
        drop(self.batches.take());
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, concerns batches that are not read.
            let _ = thread.join();
        }
    }
}

impl<T> Iterator for Epoch<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.next == self.batches {
            return None;
        }
        let index = self.next;
        self.next += 1;
        Some(match &mut self.source {
            Source::Here(make) => make(index),
            Source::Threads(workers) => {
                let worker = index % workers.len();
                workers[worker].receive()
            }
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.batches - self.next;
        (left, Some(left))
    }
}

impl<T> ExactSizeIterator for Epoch<T> {}
impl<T> std::iter::FusedIterator for Epoch<T> {}
