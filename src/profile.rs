//! Time that each kind of layer takes in a step, forward and backward.
//!
//! Nothing is measured until [`start`] is called, and then in the whole process: layers on several threads at once add
//! up.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A direction through a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From images to logits.
    Forward,
    /// From the loss to gradients.
    Backward,
}

/// Time and number of calls, by kind of layer and direction.
pub type Profile = BTreeMap<(&'static str, Direction), (Duration, usize)>;

static ENABLED: AtomicBool = AtomicBool::new(false);
static TIMES: Mutex<Profile> = Mutex::new(BTreeMap::new());

/// Starts to measure, from zero.
pub fn start() {
    TIMES.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
    ENABLED.store(true, Ordering::Relaxed);
}

/// Ends, and returns what was measured.
pub fn stop() -> Profile {
    ENABLED.store(false, Ordering::Relaxed);
    std::mem::take(&mut *TIMES.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
}

/// Runs a part of a layer, and measures it if that was asked for.
pub(crate) fn measure<T>(kind: &'static str, pass: Direction, work: impl FnOnce() -> T) -> T {
    if !ENABLED.load(Ordering::Relaxed) {
        return work();
    }
    let begin = Instant::now();
    let result = work();
    let time = begin.elapsed();
    let mut times = TIMES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (sum, calls) = times.entry((kind, pass)).or_default();
    (*sum, *calls) = (*sum + time, *calls + 1);
    result
}
