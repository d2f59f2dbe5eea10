//! Errors of opening and saving models.

use std::path::PathBuf;

use super::key;
use crate::model::SwapError;
use crate::registry::RegistryError;
use crate::text::{self, quoted, shown};
use crate::weights::WeightsError;

/// Most bytes that the input and output of the widest layer, and the parameters that an activation has for each
/// element, may take for one image of a size that a file states: half a gigabyte, as the layers of ResNet-50 and the
/// CIFAR ResNets take at 2048x2048. A size that takes more must be asked for by the caller.
///
/// A few lines of metadata would otherwise make any file a request for gigabytes. A whole forward pass of one image
/// takes about two and a half times as much.
#[doc(hidden)]
pub const MAX_SAID: u64 = 1 << 29;

/// A model that cannot be opened or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The model cannot be built.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The file cannot be read, or is not one of the model's.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The activation cannot be swapped in for the file's.
    #[error(transparent)]
    Swap(#[from] SwapError),
    /// Another activation was asked for than the file's, which is not ReLU and so cannot be swapped.
    #[error(
        "{}: its activation is {}: only files with relu can be opened with another activation, here {wanted}",
        text::path(path),
        shown(found)
    )]
    NotRelu {
        /// Path of the file of weights.
        path: PathBuf,
        /// Activation of the file, as a name or formula.
        found: String,
        /// Activation that was asked for.
        wanted: String,
    },
    /// Images of another size than the file's were asked for, and its activation has a parameter for each element,
    /// which fits one size alone.
    #[error(
        "{}: metadata {}: the parameters of {}, one for each element, are for images of {}x{}, not of {}x{}: ask \
         for images of {}x{}",
        text::path(path), key::IMAGE, shown(activation), said.0, said.1, wanted.0, wanted.1, said.0, said.1
    )]
    OtherImage {
        /// Path of the file of weights.
        path: PathBuf,
        /// Activation of the file, with a parameter for each element.
        activation: String,
        /// Height and width of the images that the file is for.
        said: (usize, usize),
        /// Height and width asked for.
        wanted: (usize, usize),
    },
    /// The file states a model, an activation, a number of classes or an image size that the registry refuses.
    #[error("{}: {what}: {source}", text::path(path))]
    Said {
        /// Path of the file of weights.
        path: PathBuf,
        /// Part of the file that states it: a key of the metadata, or tensors.
        what: String,
        /// Reason of the refusal.
        source: RegistryError,
    },
    /// The file has the tensor names of another model than the one asked for.
    #[error(
        "{}: its tensors have the names of {}, not of {expected}: load it as that model; nothing was loaded",
        text::path(path),
        found.join(", ")
    )]
    OtherModel {
        /// Path of the file of weights.
        path: PathBuf,
        /// Name of the model that was asked for.
        expected: &'static str,
        /// Names of the models whose tensor names the file has.
        found: Vec<&'static str>,
    },
    /// No model was asked for, and the file neither states its model nor has tensor names that fit exactly one.
    #[error("{}: expected the names of one known model, found those of {found}: name the model", text::path(path))]
    UnknownModel {
        /// Path of the file of weights.
        path: PathBuf,
        /// Names of the models that fit, with commas between them, or `none`.
        found: String,
    },
    /// The file states an image size at which its model needs more memory than [`MAX_SAID`].
    #[error(
        "{}: metadata {}: {model} takes {} MB at its widest layer{} for one image of {height}x{width}, a file is \
         trusted with {} MB: give the size yourself (--image) if it is meant",
        text::path(path), key::IMAGE, bytes.div_ceil(1_000_000),
        if *per_element { " and for the parameters of its activations" } else { "" }, MAX_SAID / 1_000_000
    )]
    Memory {
        /// Path of the file of weights.
        path: PathBuf,
        /// Name of the model.
        model: &'static str,
        /// Rows of an image.
        height: usize,
        /// Columns of an image.
        width: usize,
        /// Bytes of the input and the output of the widest layer, and of the parameters for each element.
        bytes: u64,
        /// True if `bytes` includes parameters for each element.
        per_element: bool,
    },
    /// The model is a layer of another one in the file, so that the names of its layers begin with the name of that
    /// layer.
    #[error("{}: {nested}", text::path(path))]
    Nested {
        /// Path of the file of weights.
        path: PathBuf,
        /// Description of the nested model, of the layers outside of it, and of what to do.
        nested: String,
    },
    /// The file has the trunk of a model, with a head whose layers have other names.
    #[error("{}: {head}", text::path(path))]
    OtherHead {
        /// Path of the file of weights.
        path: PathBuf,
        /// Description of the trunk's models, and of the layers of the head, found and expected.
        head: String,
    },
    /// Metadata that is not what this crate writes.
    #[error("{}: metadata {key}: expected {expected}, found {}", text::path(path), quoted(found))]
    Metadata {
        /// Path of the file of weights.
        path: PathBuf,
        /// Key of the metadata.
        key: &'static str,
        /// Description of a valid value.
        expected: &'static str,
        /// Value that was found.
        found: String,
    },
}
