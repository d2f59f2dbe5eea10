//! Records of finished epochs.

use super::evaluate::Evaluation;

/// Results of one epoch of a run.
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
    /// Evaluation on the held-out images after the epoch.
    pub validation: Evaluation,
    /// Evaluation on the test images after the epoch.
    pub test: Evaluation,
    /// Wall-clock time of the epoch with its evaluations, in seconds.
    pub seconds: f64,
}
