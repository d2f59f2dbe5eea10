//! Processes that compute the shards of the same batches.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Processes that compute the shards of the same batches, each as many of them. They send each other messages; that is
/// what MPI calls an all-to-all exchange.
///
/// The tasks of all of them call it in the same order. If a process ends early, the others are ended, too, by what has
/// started them.
pub trait Ranks: Send + Sync {
    /// Number of this process, from 0.
    fn rank(&self) -> usize;

    /// Number of processes in all.
    fn count(&self) -> usize;

    /// Sends each process one of these messages, and returns those of all of them to this one; both in their order.
    fn exchange(&self, messages: Vec<Vec<u8>>) -> Vec<Vec<u8>>;

    /// A second line between the same processes: exchanges over it are called by another thread, at the same time as
    /// those over this one, and do not wait for these. [`ShardGroup::run_backward`](super::ShardGroup::run_backward)
    /// exchanges gradients over it. Each [`ShardGroup`](super::ShardGroup) asks for it once; it is the same line each
    /// time. `None` where there is only one.
    fn second(&self) -> Option<Arc<dyn Ranks>> {
        None
    }

    /// Sends all processes this message, and returns those of all of them.
    fn gather(&self, message: Vec<u8>) -> Vec<Vec<u8>> {
        self.exchange(vec![message; self.count()])
    }
}

/// Ranks that are threads of one process: for tests, and to look for errors without a launcher.
#[derive(Clone, Debug)]
pub struct ThreadRanks {
    rank: usize,
    room: Arc<Room>,
    /// The room of exchanges over the second line; `None` of that line itself.
    second: Option<Arc<Room>>,
}

#[derive(Debug)]
struct Room {
    /// Messages from each rank to each, of the present exchange, and the number of exchanges that each rank has left.
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    sent: Vec<Option<Vec<Vec<u8>>>>,
    taken: usize,
}

impl ThreadRanks {
    /// So many ranks, one for each thread.
    pub fn new(count: usize) -> Vec<Self> {
        let room = || {
            let state = Mutex::new(State { sent: vec![None; count], taken: 0 });
            Arc::new(Room { state, changed: Condvar::new() })
        };
        let (room, second) = (room(), room());
        (0..count).map(|rank| Self { rank, room: Arc::clone(&room), second: Some(Arc::clone(&second)) }).collect()
    }
}

impl Ranks for ThreadRanks {
    fn rank(&self) -> usize {
        self.rank
    }
    fn count(&self) -> usize {
        self.room.state.lock().unwrap_or_else(PoisonError::into_inner).sent.len()
    }
    fn second(&self) -> Option<Arc<dyn Ranks>> {
        let room = Arc::clone(self.second.as_ref()?);
        Some(Arc::new(Self { rank: self.rank, room, second: None }))
    }
    fn exchange(&self, messages: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let wait = |state| self.room.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        let mut state = self.room.state.lock().unwrap_or_else(PoisonError::into_inner);
        // The others may still take what this rank sent last.
        while state.sent[self.rank].is_some() {
            state = wait(state);
        }
        state.sent[self.rank] = Some(messages);
        self.room.changed.notify_all();
        while state.sent.iter().any(Option::is_none) {
            state = wait(state);
        }
        let mut received = Vec::with_capacity(state.sent.len());
        for messages in state.sent.iter_mut().flatten() {
            received.push(std::mem::take(&mut messages[self.rank]));
        }
        state.taken += 1;
        if state.taken == state.sent.len() {
            state.taken = 0;
            state.sent.fill(None);
            self.room.changed.notify_all();
        }
        received
    }
}
