//! The shards of a batch on threads of this process.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::ranks::Ranks;
use super::team::Team;
use super::{Add, AllReduce, Shard, cut, within};
use crate::error::Error;
use crate::kernel::cpu::tasks::alone;

/// Threads of this process that compute the shards of batches, and wait for each other at each [all-reduce](AllReduce).
///
/// Each shard has a thread, and as many of them compute at a time as there may; where there may be at least twice as
/// many as there are shards, each shard has several. Where there are several processes, [`Ranks`], each computes as
/// many shards as the others, and they wait for each other, too.
#[derive(Clone)]
pub struct ShardGroup {
    team: Arc<Team>,
    /// Threads that compute at a time.
    threads: usize,
    /// The threads of each shard. They live as long as the group, for kernels keep buffers on their threads.
    pools: Arc<[ThreadPool]>,
}

impl std::fmt::Debug for ShardGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { team, threads, .. } = self;
        let (shards, own) = (team.shards, team.own());
        f.debug_struct("ShardGroup").field("shards", &shards).field("own", &own).field("threads", threads).finish()
    }
}

impl ShardGroup {
    /// A group of so many shards, for which so many threads compute at a time; at least one of each.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the system refuses a thread.
    pub fn new(shards: usize, threads: usize) -> Result<Self, Error> {
        Self::with_start(shards, threads, None)
    }

    /// As [`new`](Self::new), with a function that each thread calls first: for programs that bind threads to cores,
    /// since a thread inherits the cores of the one that makes it.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_start(shards: usize, threads: usize, on_start: Option<fn()>) -> Result<Self, Error> {
        Self::among(shards, threads, on_start, None)
    }

    /// As [`with_start`](Self::with_start), of which this process computes its part, if there are several.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new); [`Error::ShardsOfRanks`] if the number of processes does not divide that of shards.
    pub fn among(
        shards: usize,
        threads: usize,
        on_start: Option<fn()>,
        ranks: Option<Arc<dyn Ranks>>,
    ) -> Result<Self, Error> {
        let team = Team::new(shards.max(1), ranks)?;
        let (shards, threads) = (team.own().len(), threads.max(1));
        let of_shard = |shard: usize| {
            ThreadPoolBuilder::new()
                .num_threads((threads / shards).max(1))
                .thread_name(move |_| format!("shard {shard}"))
                .start_handler(move |_| on_start.into_iter().for_each(|start| start()))
                .build()
        };
        let pools = (0..shards).map(of_shard).collect::<Result<_, _>>();
        let pools = pools.map_err(|error| Error::Device(format!("threads for {shards} shards: {error}")))?;
        Ok(Self { team: Arc::new(team), threads, pools })
    }

    pub(super) fn team(&self) -> &Team {
        &self.team
    }

    /// Shards that this process computes.
    pub fn shards(&self) -> usize {
        self.pools.len()
    }

    /// Shards that a batch is cut into.
    pub fn of_batch(&self) -> usize {
        self.team.shards
    }

    /// The indices of the shards that this process computes.
    pub fn own(&self) -> Range<usize> {
        self.team.own()
    }

    /// The images of this process in a batch of so many.
    pub fn images(&self, batch: usize) -> Range<usize> {
        let own = self.team.own();
        let all = cut(batch, self.team.shards);
        match (all.get(own.start), all.get(own.end - 1)) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => 0..0,
        }
    }

    /// The sum over all shards of numbers that each has as many of, given those of the shards of this process.
    pub fn sum(&self, own: Vec<Vec<f64>>) -> Vec<f64> {
        self.team.reduced(own, super::add)
    }

    /// Computes the shards of this process, of a batch of so many images in all, each [`within`] its [`Shard`] and with
    /// one of the networks, and returns their results in order. A panic of a shard is one of the caller, when the other
    /// shards have ended.
    ///
    /// # Errors
    ///
    /// The first one, in order, that `work` returned; [`Error::ShardCount`] if there are fewer or more networks than
    /// shards, and [`Error::ShardsDiffer`] if not all shards came to the same all-reduces.
    pub fn run<N: Send, T: Send>(
        &self,
        batch: usize,
        networks: Vec<N>,
        work: impl Fn(N, Range<usize>) -> Result<T, Error> + Sync,
    ) -> Result<Vec<T>, Error> {
        if networks.len() != self.shards() {
            return Err(Error::ShardCount { expected: self.shards(), found: networks.len() });
        }
        let rendezvous = Arc::new(Rendezvous::new(Arc::clone(&self.team), self.threads));
        let results: Vec<_> = networks.iter().map(|_| Mutex::new(None)).collect();
        let compute = |index: usize, network: N, images: Range<usize>| {
            let _permit = Permit::take(&rendezvous);
            let of_all = self.team.own().start + index;
            let shard = Shard::new(of_all, images.clone(), batch, Arc::clone(&rendezvous) as _);
            let work = || within(shard, || work(network, images));
            // The permit is given back in any case, or the others would wait for it.
            let result =
                catch_unwind(AssertUnwindSafe(|| if rayon::current_num_threads() == 1 { alone(work) } else { work() }));
            *results[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        };
        let own = cut(batch, self.team.shards).into_iter().skip(self.team.own().start);
        let tasks = own.zip(networks).enumerate();
        start(&self.pools, &mut tasks.map(|(index, (images, network))| (index, network, images)), &compute);
        let mut all = Vec::with_capacity(results.len());
        for result in results {
            match result.into_inner().unwrap_or_else(PoisonError::into_inner) {
                Some(Ok(result)) => all.push(result),
                Some(Err(panic)) => resume_unwind(panic),
                None => return Err(Error::ShardsDiffer),
            }
        }
        let all = all.into_iter().collect::<Result<_, _>>()?;
        if rendezvous.lock().missed { Err(Error::ShardsDiffer) } else { Ok(all) }
    }
}

/// Starts each task in the pool of its own, and returns when all have ended.
fn start<N: Send>(
    pools: &[ThreadPool],
    tasks: &mut dyn Iterator<Item = (usize, N, Range<usize>)>,
    compute: &(dyn Fn(usize, N, Range<usize>) + Sync),
) {
    let Some((first, rest)) = pools.split_first() else { return };
    let Some((index, network, images)) = tasks.next() else { return };
    first.in_place_scope(|scope| {
        scope.spawn(move |_| compute(index, network, images));
        start(rest, tasks, compute);
    });
}

/// The place at which shards wait for each other.
struct Rendezvous {
    team: Arc<Team>,
    state: Mutex<State>,
    /// An all-reduce is done, or a shard has left.
    met: Condvar,
    /// A permit was given back.
    freed: Condvar,
}

struct State {
    /// Numbers of the shards that came to the present all-reduce.
    arrived: Vec<Option<Vec<f64>>>,
    /// Number of all-reduces that are done.
    done: u64,
    /// The result of the last of them.
    result: Arc<[f64]>,
    /// Permits to compute that are left.
    permits: usize,
    /// True if a shard has come to its end.
    left: bool,
    /// True if a shard came to an all-reduce that another one did not come to.
    missed: bool,
}

/// The permit of a thread to compute; when it is dropped, its shard is at its end.
struct Permit<'r>(&'r Rendezvous);

impl<'r> Permit<'r> {
    /// Waits until the thread may compute.
    fn take(rendezvous: &'r Rendezvous) -> Self {
        drop(rendezvous.permitted(rendezvous.lock()));
        Self(rendezvous)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.permits += 1;
        state.left = true;
        drop(state);
        self.0.freed.notify_one();
        self.0.met.notify_all();
    }
}

impl Rendezvous {
    fn new(team: Arc<Team>, permits: usize) -> Self {
        let (arrived, result) = (vec![None; team.own().len()], Arc::default());
        let state = State { arrived, done: 0, result, permits, left: false, missed: false };
        Self { team, state: Mutex::new(state), met: Condvar::new(), freed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a permit to compute, and takes it.
    fn permitted<'s>(&self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        while state.permits == 0 {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.permits -= 1;
        state
    }
}

impl AllReduce for Rendezvous {
    fn all_reduce(&self, shard: usize, numbers: Vec<f64>, add: Add) -> Option<Arc<[f64]>> {
        let mut state = self.lock();
        state.arrived[shard - self.team.own().start] = Some(numbers);
        if state.arrived.iter().all(Option::is_some) {
            // The others wait for the result anyway.
            let all = state.arrived.iter_mut().filter_map(Option::take).collect();
            state.result = self.team.reduced(all, add).into();
            state.done += 1;
            self.met.notify_all();
            return Some(Arc::clone(&state.result));
        }
        let before = state.done;
        state.permits += 1;
        self.freed.notify_one();
        while state.done == before && !state.left {
            state = self.met.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let is_done = state.done != before;
        state.missed |= !is_done;
        let result = is_done.then(|| Arc::clone(&state.result));
        drop(self.permitted(state));
        result
    }
}
