//! The random stream of a dropout.

use super::mode::Mode;
use crate::random::mix;

/// The state that a dropout draws its masks from. The mask of a pass depends on the seed, the site, the count of passes
/// and the position of the element alone, so it is the same on any number of threads, and a checkpoint can restore it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropoutState {
    /// Train or eval mode: elements are dropped, or all pass.
    pub mode: Mode,
    /// Seed of the run.
    pub seed: u64,
    /// Number of this dropout among those of the network.
    pub site: u64,
    /// Training passes so far.
    pub passes: u64,
}

impl DropoutState {
    /// A fresh stream for this site.
    pub fn reseed(&mut self, seed: u64, site: u64) {
        (self.seed, self.site, self.passes) = (seed, site, 0);
    }

    /// The key of the current pass.
    pub(super) fn key(&self) -> u64 {
        [self.site, self.passes].into_iter().fold(mix(self.seed), |key, part| mix(key ^ mix(part)))
    }
}
