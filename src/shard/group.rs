//! The shards of a batch on threads of this process.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use dfdx::tensor::Cpu;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::early::{Early, Exchanger, PART, TakeGradients};
use super::gradients::ShardGradients;
use super::ranks::Ranks;
use super::rendezvous::Rendezvous;
use super::team::Team;
use super::{Shard, cut, images_of, within};
use crate::error::Error;
use crate::kernel::cpu::tasks::alone;
use crate::tape::LeafGradients;

/// Threads of this process that compute the shards of batches, and wait for each other at each
/// [all-reduce](super::AllReduce).
///
/// Each shard has a thread, and as many of them compute at a time as there may; where there may be at least twice as
/// many as there are shards, each shard has several. Where there are several processes, [`Ranks`], each computes as
/// many shards as the others, and they wait for each other, too.
#[derive(Clone)]
pub struct ShardGroup {
    team: Arc<Team>,
    /// Shards that compute at a time.
    lanes: usize,
    /// The threads of each shard. They live as long as the group, for kernels keep buffers on their threads.
    pools: Arc<[ThreadPool]>,
    /// The thread that exchanges gradients while backward passes go on, if the processes have a second line for that.
    exchanger: Option<Arc<Exchanger>>,
    /// Elements of gradients from which on they are exchanged.
    pub(super) part: usize,
}

impl std::fmt::Debug for ShardGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { team, lanes, .. } = self;
        let (shards, own) = (team.shards, team.own());
        f.debug_struct("ShardGroup").field("shards", &shards).field("own", &own).field("lanes", lanes).finish()
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

    /// As [`new`](Self::new), with a function that each thread calls first, with its number among those that compute
    /// at a time, from 0. Threads of one number never do: a program that binds each number to a core of its own spares
    /// them the way from core to core at each all-reduce. (Left alone, a thread inherits the cores of the one that
    /// makes it.)
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_start(shards: usize, threads: usize, on_start: Option<fn(usize)>) -> Result<Self, Error> {
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
        on_start: Option<fn(usize)>,
        ranks: Option<Arc<dyn Ranks>>,
    ) -> Result<Self, Error> {
        let second = ranks.as_ref().and_then(|ranks| ranks.second());
        let team = Team::new(shards.max(1), ranks)?;
        let exchanger = second.map(|second| Team::new(team.shards, Some(second)).and_then(Exchanger::start));
        let exchanger = exchanger.transpose()?.map(Arc::new);
        let (shards, threads) = (team.own().len(), threads.max(1));
        let lanes = threads.min(shards);
        let of_shard = |shard: usize| {
            let each = (threads / shards).max(1);
            let lane = Rendezvous::lane_of(shard, lanes);
            ThreadPoolBuilder::new()
                .num_threads(each)
                .thread_name(move |_| format!("shard {shard}"))
                .start_handler(move |thread| on_start.into_iter().for_each(|start| start(lane * each + thread)))
                .build()
        };
        let pools = (0..shards).map(of_shard).collect::<Result<_, _>>();
        let pools = pools.map_err(|error| Error::Device(format!("threads for {shards} shards: {error}")))?;
        Ok(Self { team: Arc::new(team), lanes, pools, exchanger, part: PART })
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
        images_of(&self.team.own(), batch, self.team.shards)
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
        self.run_all(batch, networks, work, None)
    }

    /// As [`run`](Self::run), of work that returns the gradients of a backward pass, too. Several processes with a
    /// [second line](Ranks::second) exchange those of [`try_backward_of_shard`](crate::tape::try_backward_of_shard)
    /// while that pass goes on.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run). Other processes may wait for gradients then, so that an error should end all.
    pub fn run_backward<N: Send, T: Send>(
        &self,
        batch: usize,
        networks: Vec<N>,
        work: impl Fn(N, Range<usize>) -> Result<(T, LeafGradients<f32, Cpu>), Error> + Sync,
    ) -> Result<(Vec<T>, ShardGradients), Error> {
        let early = self.exchanger.as_ref().map(|line| Arc::new(Early::new(&self.team, line, self.part)));
        let taken = early.clone().map(|early| early as Arc<dyn TakeGradients>);
        let (all, gradients) = self.run_all(batch, networks, work, taken)?.into_iter().unzip();
        Ok((all, ShardGradients::new(&self.team, gradients, early)))
    }

    fn run_all<N: Send, T: Send>(
        &self,
        batch: usize,
        networks: Vec<N>,
        work: impl Fn(N, Range<usize>) -> Result<T, Error> + Sync,
        taken: Option<Arc<dyn TakeGradients>>,
    ) -> Result<Vec<T>, Error> {
        if networks.len() != self.shards() {
            return Err(Error::ShardCount { expected: self.shards(), found: networks.len() });
        }
        let rendezvous = Arc::new(Rendezvous::new(Arc::clone(&self.team), self.lanes));
        let results: Vec<_> = networks.iter().map(|_| Mutex::new(None)).collect();
        let compute = |index: usize, network: N, images: Range<usize>| {
            let _turn = rendezvous.begin(index);
            let of_all = self.team.own().start + index;
            let shard = Shard::new(of_all, images.clone(), batch, Arc::clone(&rendezvous) as _);
            let shard = shard.handing_out(taken.clone());
            let work = || within(shard, || work(network, images));
            // The turn ends in any case, or the others would wait for it.
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
        if rendezvous.has_missed() { Err(Error::ShardsDiffer) } else { Ok(all) }
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
