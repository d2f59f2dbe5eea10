//! A run before it is done.

use super::config::Config;

/// A run that is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// What decides its numbers.
    pub config: Config,
    /// Passes over the training images; 0 where the network is only measured.
    pub epochs: u64,
    /// The trainings that it goes on from, in order, with their epochs: runs with the same ones share them.
    pub after: Vec<(Config, u64)>,
}
