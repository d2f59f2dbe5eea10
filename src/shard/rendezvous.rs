//! The place at which the shards of a process wait for each other.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::team::Team;
use super::{Add, AllReduce};

/// The turns of threads of which few may compute at a time, and their all-reduces.
///
/// The shards are dealt out to as many lanes as may compute at a time. In a lane one shard computes until it comes to
/// an all-reduce, and hands its turn to the next one: so a step of many all-reduces wakes each thread once for each of
/// them, and no thread that would have to wait again.
pub struct Rendezvous {
    team: Arc<Team>,
    state: Mutex<State>,
    /// One that the thread of each shard waits for.
    turns: Vec<Condvar>,
}

struct State {
    /// Numbers of the shards that came to the present all-reduce.
    arrived: Vec<Option<Vec<f64>>>,
    /// Number of all-reduces that are done.
    done: u64,
    /// The result of the last of them.
    result: Arc<[f64]>,
    lanes: Vec<Lane>,
    /// True for a shard whose turn it is, until it has noticed.
    has_turn: Vec<bool>,
    /// True if a shard has come to its end.
    left: bool,
    /// True if a shard came to an all-reduce that another one did not come to.
    missed: bool,
}

/// Shards of which one computes at a time.
#[derive(Default)]
struct Lane {
    is_busy: bool,
    /// The shards that could go on, in their order.
    ready: VecDeque<usize>,
}

/// The turn of a shard; when it is dropped, the shard is at its end.
pub struct Turn<'r> {
    rendezvous: &'r Rendezvous,
    shard: usize,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.rendezvous.leave(self.shard);
    }
}

impl Rendezvous {
    /// A place for the shards of a process, in so many lanes.
    pub fn new(team: Arc<Team>, lanes: usize) -> Self {
        let shards = team.own().len();
        let state = State {
            arrived: vec![None; shards],
            done: 0,
            result: Arc::default(),
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            has_turn: vec![false; shards],
            left: false,
            missed: false,
        };
        Self { team, state: Mutex::new(state), turns: (0..shards).map(|_| Condvar::new()).collect() }
    }

    /// Waits until the shard of this index among those of the process may compute.
    pub fn begin(&self, shard: usize) -> Turn<'_> {
        let mut state = self.lock();
        self.make_ready(&mut state, shard);
        drop(self.wait(state, shard));
        Turn { rendezvous: self, shard }
    }

    /// True if a shard came to an all-reduce that another one did not come to.
    pub fn has_missed(&self) -> bool {
        self.lock().missed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lane of a shard, of so many.
    pub fn lane_of(shard: usize, lanes: usize) -> usize {
        shard % lanes
    }

    /// Lets a shard go on, at once or when it is next in its lane.
    fn make_ready(&self, state: &mut State, shard: usize) {
        let lane = Self::lane_of(shard, state.lanes.len());
        let lane = &mut state.lanes[lane];
        lane.ready.push_back(shard);
        if !lane.is_busy {
            self.hand_on(state, shard);
        }
    }

    /// Gives the turn in the lane of a shard to the next one that is ready.
    fn hand_on(&self, state: &mut State, shard: usize) {
        let lane = Self::lane_of(shard, state.lanes.len());
        let lane = &mut state.lanes[lane];
        let next = lane.ready.pop_front();
        lane.is_busy = next.is_some();
        if let Some(next) = next {
            state.has_turn[next] = true;
            self.turns[next].notify_one();
        }
    }

    /// Waits for the turn of a shard.
    fn wait<'s>(&self, mut state: MutexGuard<'s, State>, shard: usize) -> MutexGuard<'s, State> {
        while !state.has_turn[shard] {
            state = self.turns[shard].wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.has_turn[shard] = false;
        state
    }

    /// Ends a shard. Those that wait for it in an all-reduce go on without a result.
    fn leave(&self, shard: usize) {
        let mut state = self.lock();
        state.left = true;
        for other in 0..state.arrived.len() {
            if state.arrived[other].take().is_some() {
                self.make_ready(&mut state, other);
            }
        }
        self.hand_on(&mut state, shard);
    }
}

impl AllReduce for Rendezvous {
    fn all_reduce(&self, shard: usize, numbers: Vec<f64>, add: Add) -> Option<Arc<[f64]>> {
        let shard = shard - self.team.own().start;
        let mut state = self.lock();
        if state.left {
            state.missed = true;
            return None;
        }
        state.arrived[shard] = Some(numbers);
        if state.arrived.iter().all(Option::is_some) {
            // The others wait for the result anyway.
            let all = state.arrived.iter_mut().filter_map(Option::take).collect();
            let sum = catch_unwind(AssertUnwindSafe(|| self.team.reduced(all, add)));
            for other in (0..state.arrived.len()).filter(|other| *other != shard) {
                self.make_ready(&mut state, other);
            }
            match sum {
                Ok(sum) => state.result = sum.into(),
                Err(panic) => {
                    state.left = true;
                    drop(state);
                    resume_unwind(panic);
                }
            }
            state.done += 1;
            return Some(Arc::clone(&state.result));
        }
        let before = state.done;
        self.hand_on(&mut state, shard);
        let mut state = self.wait(state, shard);
        let is_done = state.done != before;
        state.missed |= !is_done;
        is_done.then(|| Arc::clone(&state.result))
    }
}
