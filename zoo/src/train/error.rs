//! Errors that end training or evaluation early.

use crate::data::DataError;

/// Error of training or evaluation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The model reported an error.
    #[error(transparent)]
    Model(#[from] pvlu::Error),
    /// An image could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model gave a logit that is no finite number.
    #[error(transparent)]
    NotFinite(#[from] crate::model::NotFinite),
    /// The model did not show what each of its activations gave.
    #[error("expected to see {expected} layers of activations, found {found}")]
    Unseen {
        /// Layers of activations in the network.
        expected: usize,
        /// Layers that were seen.
        found: usize,
    },
}

/// Comparison with an error of the model.
impl PartialEq<pvlu::Error> for TrainError {
    fn eq(&self, other: &pvlu::Error) -> bool {
        matches!(self, Self::Model(error) if error == other)
    }
}
