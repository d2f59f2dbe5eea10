//! The plan of a single run.

use super::config::Config;

/// A run that is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The configuration that decides the run's numbers.
    pub config: Config,
    /// Passes over the training images; 0 where the network is only measured.
    pub epochs: u64,
    /// Configuration and epochs of each training that the run starts from, in order. Runs that start from the same
    /// trainings share them.
    pub after: Vec<(Config, u64)>,
}
