//! The processes that train a network together.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use pvlu::shard::{Ranks, bytes_of, numbers_of};

use super::config::FitConfig;
use super::error::TrainError;
use crate::data::Portion;
use crate::model::Model;
use crate::snapshot::Snapshot;

thread_local! {
    /// The processes that this thread's trainings and evaluations are shared among.
    static RANKS: RefCell<Option<Arc<dyn Ranks>>> = const { RefCell::new(None) };
}

/// Runs `work`, whose trainings and evaluations on this thread are shared among these processes: each trains the shards
/// of its own of every batch, and evaluates every so many batches. All of them have to do the same work, with the same
/// images, settings and start values, and come to the same results, to the bit.
pub fn among<T>(ranks: Arc<dyn Ranks>, work: impl FnOnce() -> T) -> T {
    with(Some(ranks), work)
}

/// Runs `work`, whose evaluations on this thread are not shared: for what some processes do and others do not.
#[doc(hidden)]
pub fn alone<T>(work: impl FnOnce() -> T) -> T {
    with(None, work)
}

fn with<T>(ranks: Option<Arc<dyn Ranks>>, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Arc<dyn Ranks>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            RANKS.set(self.0.take());
        }
    }
    let _restore = Restore(RANKS.replace(ranks));
    work()
}

/// Makes sure that all processes are about to train the same network by the same settings, and that these numbers of
/// steps are the same.
///
/// # Errors
///
/// [`TrainError::RanksDiffer`], the same one on all of them; those of the model.
pub(super) fn agree(model: &dyn Model, config: &FitConfig, done: [u64; 3]) -> Result<(), TrainError> {
    let Some(ranks) = current() else { return Ok(()) };
    let mut weights = DefaultHasher::new();
    for (path, values) in Snapshot::of(model)?.values() {
        path.hash(&mut weights);
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        weights.write(&bytes);
    }
    let said = [
        ("the settings of the training", hash(&format!("{config:?}"))),
        ("the weights before the training", weights.finish()),
        ("the steps that were done", hash(&done)),
    ];
    let all = ranks.gather(said.iter().flat_map(|(_, number)| number.to_le_bytes()).collect());
    let Some(first) = all.first() else { return Ok(()) };
    for (rank, of_rank) in all.iter().enumerate() {
        let pairs = first.chunks(size_of::<u64>()).zip(of_rank.chunks(size_of::<u64>()));
        if let Some((what, _)) = said.iter().zip(pairs).find(|(_, (expected, found))| expected != found).map(|(s, _)| s)
        {
            return Err(TrainError::RanksDiffer { rank, what });
        }
    }
    Ok(())
}

fn hash(of: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// The processes that this thread's work is shared among; `None` if there is no other one.
pub(super) fn current() -> Option<Arc<dyn Ranks>> {
    RANKS.with_borrow(Clone::clone).filter(|ranks| ranks.count() > 1)
}

/// The batches that this process evaluates.
pub(super) fn evaluated() -> Option<Portion> {
    current().map(|ranks| Portion::Batches { every: ranks.count(), from: ranks.rank() })
}

/// True on all processes if it is on any of them.
pub(super) fn any(of_this: bool) -> bool {
    let Some(ranks) = current() else { return of_this };
    ranks.gather(vec![u8::from(of_this)]).into_iter().flatten().any(|of_other| of_other != 0)
}

/// The numbers of each process, in their order: those of this one alone if there is no other.
pub(super) fn gathered<const N: usize>(numbers: [f64; N]) -> Vec<[f64; N]> {
    let Some(ranks) = current() else { return vec![numbers] };
    let all = ranks.gather(bytes_of([&numbers[..]])).into_iter();
    all.map(|message| numbers_of(&message).try_into().unwrap_or([0.0; N])).collect()
}
