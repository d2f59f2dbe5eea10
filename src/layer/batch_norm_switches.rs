//! Mode, frozen parts and constants of a batch norm.

use super::mode::Mode;
use crate::kernel::shape::Correction;

/// Mode, frozen parts and constants of a batch norm; each value is independent of the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormSwitches {
    /// Train or eval mode: normalization by the batch, unless the statistics are frozen, or by the running statistics.
    pub mode: Mode,
    /// Running statistics are used in every mode and never change.
    pub statistics_frozen: bool,
    /// Scale and shift get no gradient and no update.
    pub affine_frozen: bool,
    /// Added to the variance under the root.
    pub epsilon: f64,
    /// Share of the batch in the running statistics.
    pub momentum: f64,
    /// The batch variance that goes into the running one.
    pub correction: Correction,
}

impl BatchNormSwitches {
    /// Nothing frozen, and the mode that layers are built in.
    pub(super) fn new(epsilon: f64, momentum: f64, correction: Correction) -> Self {
        let mode = Mode::default();
        Self { mode, statistics_frozen: false, affine_frozen: false, epsilon, momentum, correction }
    }

    /// True if the statistics of the batch are used; for `learns` see [`Mode::trains`].
    pub fn uses_batch(&self, learns: bool) -> bool {
        self.mode.trains(learns) && !self.statistics_frozen
    }
}
