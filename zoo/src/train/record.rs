//! What is kept of an epoch.

use super::evaluate::Evaluation;

/// One epoch of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochRecord {
    /// Number of the epoch, from 1.
    pub epoch: u64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Mean training loss over the epoch, each batch at the parameters it was computed with.
    pub train_loss: f64,
    /// Training accuracy over the same batches, augmented and with dropout.
    pub train_top1: f64,
    /// On the held-out images after the epoch.
    pub validation: Evaluation,
    /// On the test images after the epoch.
    pub test: Evaluation,
    /// Wall-clock time of the epoch with its evaluations.
    pub seconds: f64,
}
