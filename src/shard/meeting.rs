//! The shards of a batch on threads of this process.

use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{Exchange, Shard, cut, within};
use crate::kernel::cpu::tasks::alone;

/// A shard panicked, so that the others have no results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Index of the shard.
    pub shard: usize,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "shard {} of the batch panicked", self.shard)
    }
}

impl std::error::Error for Failed {}

/// Shards that are computed by threads of this process, and wait for each other where they exchange numbers.
///
/// Each shard is computed by one thread, and as many shards at a time as there are threads; where there are at least
/// twice as many threads as shards, each shard has several.
#[derive(Clone, Debug)]
pub struct Meeting {
    shards: usize,
    threads: usize,
    /// A function that each thread calls first.
    on_start: Option<fn()>,
    /// Threads of each shard; none where each has one.
    pools: Arc<[ThreadPool]>,
}

/// Numbers that were handed in, and the threads that may compute.
struct Room {
    state: Mutex<State>,
    /// An exchange is done, or a shard has ended.
    met: Condvar,
    /// A thread stopped computing.
    freed: Condvar,
}

struct State {
    /// Numbers of the shards that came to the present exchange.
    arrived: Vec<Option<Vec<f64>>>,
    /// Number of exchanges that are done.
    done: u64,
    /// The numbers of all shards at the last of them.
    result: Arc<[Vec<f64>]>,
    /// Threads more that may compute.
    free: usize,
    /// True if a shard has ended. One that still exchanges then waits for nobody: the other had an error.
    ended: bool,
}

impl Meeting {
    /// A meeting of so many shards, for which so many threads compute; at least one of each.
    #[must_use]
    pub fn new(shards: usize, threads: usize) -> Self {
        Self::with_start(shards, threads, None)
    }

    /// As [`new`](Self::new), with a function that each thread calls first: for programs that bind threads to cores,
    /// since a thread inherits the cores of the one that makes it.
    #[must_use]
    pub fn with_start(shards: usize, threads: usize, on_start: Option<fn()>) -> Self {
        let (shards, threads) = (shards.max(1), threads.max(1));
        let pool = || {
            let start = move |_| on_start.into_iter().for_each(|start| start());
            ThreadPoolBuilder::new().num_threads(threads / shards).start_handler(start).build()
        };
        // Where the system refuses a thread each shard has one.
        let several = if threads / shards > 1 { (0..shards).map(|_| pool()).collect() } else { Ok(Vec::new()) };
        Self { shards, threads, on_start, pools: several.unwrap_or_default().into() }
    }

    /// Shards that a batch is cut into.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards
    }

    /// Computes all shards of a batch of so many images, each [`within`] its [`Shard`], with one of `networks`; and
    /// returns their results in order.
    ///
    /// # Errors
    ///
    /// [`Failed`] if the work of a shard panicked.
    ///
    /// # Panics
    ///
    /// If there are fewer or more networks than shards.
    pub fn run<N: Send, T: Send>(
        &self,
        batch: usize,
        networks: Vec<N>,
        work: impl Fn(N, Range<usize>) -> T + Sync,
    ) -> Result<Vec<T>, Failed> {
        assert_eq!(networks.len(), self.shards, "a network for each shard");
        let room = Arc::new(Room::new(self.shards, self.threads));
        std::thread::scope(|scope| {
            let threads: Vec<_> = cut(batch, self.shards)
                .into_iter()
                .zip(networks)
                .enumerate()
                .map(|(index, (images, network))| {
                    let work = &work;
                    let of_thread = Arc::clone(&room);
                    let run = move || {
                        let room = of_thread;
                        self.on_start.into_iter().for_each(|start| start());
                        let _place = Place::take(&room);
                        let exchange: Arc<dyn Exchange> = Arc::clone(&room) as _;
                        let shard = Shard::new(index, images.clone(), batch, exchange);
                        let work = || within(shard, || work(network, images));
                        match self.pools.get(index) {
                            Some(pool) => pool.install(work),
                            None => alone(work),
                        }
                    };
                    let thread = std::thread::Builder::new().name(format!("shard {index}")).spawn_scoped(scope, run);
                    thread.inspect_err(|_| room.end())
                })
                .collect();
            // Every thread is waited for before the first failure is returned.
            let results: Vec<_> = threads
                .into_iter()
                .enumerate()
                .map(|(shard, thread)| match thread.map(std::thread::ScopedJoinHandle::join) {
                    Ok(Ok(result)) => Ok(result),
                    _ => Err(Failed { shard }),
                })
                .collect();
            results.into_iter().collect()
        })
    }
}

/// The place of a thread that computes, until it is dropped with the shard at its end.
struct Place<'r>(&'r Room);

impl<'r> Place<'r> {
    /// Waits until the thread may compute.
    fn take(room: &'r Room) -> Self {
        drop(room.admitted(room.lock()));
        Self(room)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().free += 1;
        self.0.freed.notify_one();
        self.0.end();
    }
}

impl Room {
    fn new(shards: usize, at_once: usize) -> Self {
        let state = State { arrived: vec![None; shards], done: 0, result: Arc::default(), free: at_once, ended: false };
        Self { state: Mutex::new(state), met: Condvar::new(), freed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place among the threads that compute.
    fn admitted<'s>(&self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        while state.free == 0 {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.free -= 1;
        state
    }

    /// Notes that a shard is at its end, or that it never began.
    fn end(&self) {
        self.lock().ended = true;
        self.met.notify_all();
    }
}

impl Exchange for Room {
    fn gather(&self, shard: usize, numbers: Vec<f64>) -> Arc<[Vec<f64>]> {
        let mut state = self.lock();
        state.arrived[shard] = Some(numbers);
        if state.arrived.iter().all(Option::is_some) {
            state.result = state.arrived.iter_mut().filter_map(Option::take).collect();
            state.done += 1;
            self.met.notify_all();
            return Arc::clone(&state.result);
        }
        let before = state.done;
        state.free += 1;
        self.freed.notify_one();
        while state.done == before && !state.ended {
            state = self.met.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let state = self.admitted(state);
        Arc::clone(&state.result)
    }
}
