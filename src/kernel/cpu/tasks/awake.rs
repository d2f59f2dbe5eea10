//! Threads that stay awake from one kernel to the next.
//!
//! A thread of rayon's sleeps some twenty microseconds after its last task, and takes as long to be woken: a kernel of
//! that length is then done by the thread that calls it alone. A network calls hundreds of kernels one right after
//! another, with a little work of one thread between them. So the others look for the next one a while longer.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rayon::Yield;

/// The threads of this process.
pub static AWAKE: Awake = Awake::new(Duration::from_micros(200));

/// Kernels after which threads that sleep are asked again to stay awake, so that asking costs nothing where they can't.
const APART: usize = 16;

/// The kernels that threads wait for. Pools share one: threads of a second pool may sleep while those of another wait.
#[derive(Debug)]
pub struct Awake {
    /// Time without a kernel after which threads may sleep.
    patience: Duration,
    /// Kernels that were split among threads.
    kernels: AtomicUsize,
    /// The kernel at which threads were last asked to stay awake.
    asked: AtomicUsize,
    /// Threads that look for the next kernel now.
    waiting: AtomicUsize,
}

thread_local! {
    /// True while this thread runs a kernel of its own, and maybe waits for the tasks that others took.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

impl Awake {
    const fn new(patience: Duration) -> Self {
        let [asked, waiting] = [const { AtomicUsize::new(0) }; 2];
        Self { patience, kernels: AtomicUsize::new(APART), asked, waiting }
    }

    /// Runs a kernel that is split among the threads of rayon's current pool.
    pub fn kernel(&'static self, work: impl FnOnce()) {
        struct Restore(bool);
        impl Drop for Restore {
            fn drop(&mut self) {
                INSIDE.set(self.0);
            }
        }
        // Counters that no memory depends on: whatever order they are seen in, threads sleep sooner or later.
        let number = self.kernels.fetch_add(1, Ordering::Relaxed);
        let asked = self.asked.load(Ordering::Relaxed);
        if self.waiting.load(Ordering::Relaxed) == 0 && number.wrapping_sub(asked) >= APART {
            self.asked.store(number, Ordering::Relaxed);
            rayon::spawn_broadcast(|_| self.wait());
        }
        let _restore = Restore(INSIDE.replace(true));
        work();
    }

    /// Does what tasks there are until no kernel has come for a while.
    fn wait(&self) {
        // Within a kernel of its own, this would keep the thread from going on once all tasks are done.
        if INSIDE.get() {
            return;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let (mut seen, mut since) = (self.kernels.load(Ordering::Relaxed), Instant::now());
        loop {
            let worked = rayon::yield_now() == Some(Yield::Executed);
            let kernels = self.kernels.load(Ordering::Relaxed);
            if worked || kernels != seen {
                (seen, since) = (kernels, Instant::now());
            } else if since.elapsed() > self.patience {
                break;
            } else {
                // Another thread that has work and no core gets this one.
                thread::yield_now();
            }
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    fn until(what: &str, mut holds: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !holds() {
            assert!(begin.elapsed() < Duration::from_secs(60), "{what}");
        }
    }

    #[test]
    fn threads_wait_for_the_next_kernel_and_sleep_when_none_comes() {
        static AWAKE: Awake = Awake::new(Duration::from_millis(20));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let done = AtomicUsize::new(0);
        let mut kernels = 0;
        pool.install(|| {
            until("a thread waits", || {
                kernels += 1;
                AWAKE.kernel(|| (0..7).into_par_iter().for_each(|_| _ = done.fetch_add(1, Ordering::Relaxed)));
                AWAKE.waiting.load(Ordering::Relaxed) > 0
            });
        });
        assert_eq!(done.load(Ordering::Relaxed), 7 * kernels, "every task is done once");
        until("no thread waits for ever", || AWAKE.waiting.load(Ordering::Relaxed) == 0);
    }

    #[test]
    fn a_thread_with_a_kernel_of_its_own_does_not_wait_for_another() {
        // With this patience the test would not end if it did.
        static AWAKE: Awake = Awake::new(Duration::MAX);
        let kernel = |work: &dyn Fn()| {
            AWAKE.asked.store(AWAKE.kernels.load(Ordering::Relaxed), Ordering::Relaxed);
            AWAKE.kernel(work);
        };
        kernel(&|| AWAKE.wait());
        kernel(&|| {
            kernel(&|| ());
            AWAKE.wait();
        });
        let panics = || kernel(&|| panic!("within"));
        assert!(std::panic::catch_unwind(panics).is_err());
        assert!(!INSIDE.get());
    }
}
