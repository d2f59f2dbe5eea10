//! What ends training or evaluation early.

use crate::data::DataError;

/// Error of training or evaluation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The model failed.
    #[error(transparent)]
    Model(#[from] pvlu::Error),
    /// An image could not be had.
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

/// Whether it is this error of the model.
impl PartialEq<pvlu::Error> for TrainError {
    fn eq(&self, other: &pvlu::Error) -> bool {
        matches!(self, Self::Model(error) if error == other)
    }
}
