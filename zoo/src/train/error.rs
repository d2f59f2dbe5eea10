//! Errors that end training or evaluation early.

use pvlu::Precision;

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
    /// A training that goes on has done its steps so far in another precision.
    #[error(
        "a training in which the layer {layer} computed in {kept}, and here it computes in {here}: set the network's \
         precision to that of the training, or train anew"
    )]
    Precision {
        /// Path in the network of the first such layer.
        layer: String,
        /// Precision of the layer in the steps that were done.
        kept: Precision,
        /// Precision of the layer in the network that was to go on.
        here: Precision,
    },
    /// Processes that were to train a network together do not have the same one, or not the same settings.
    #[error("{what} of rank {rank} are not those of rank 0: expected the same files and options on all ranks")]
    RanksDiffer {
        /// The first process, by its number, that differs from process 0.
        rank: usize,
        /// The part that differs, in the plural.
        what: &'static str,
    },
}

/// Comparison with an error of the model.
impl PartialEq<pvlu::Error> for TrainError {
    fn eq(&self, other: &pvlu::Error) -> bool {
        matches!(self, Self::Model(error) if error == other)
    }
}
