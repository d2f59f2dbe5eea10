//! Errors of writing a model in another program's format.

use std::path::PathBuf;

use crate::text::{self, quoted, shown};

/// A model that cannot be written in another program's format. No file is left then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The network cannot describe itself for images of its size.
    #[error(transparent)]
    Network(#[from] pvlu::Error),
    /// A layer for which the format has no operation.
    #[error("layer {}: {} has no operation in {format}", quoted(path), shown(layer))]
    Layer {
        /// Path of the layer in the network.
        path: String,
        /// Kind of the layer.
        layer: String,
        /// Name of the format.
        format: &'static str,
    },
    /// An activation whose formula is compiled into a program and not known here.
    #[error(
        "layer {}: the formula of the activation {} is not known: expected a built-in one or one that is written as \
         text",
        quoted(path),
        quoted(activation)
    )]
    Activation {
        /// Path of the layer in the network.
        path: String,
        /// Text of the activation.
        activation: &'static str,
    },
    /// A network that does not give one tensor, as a classifier does.
    #[error("the network gives {found} tensors: expected one, the logits")]
    Outputs {
        /// Number of tensors that it gives.
        found: usize,
    },
    /// A layer described itself, and a visit of the network does not show its tensor.
    #[error("the network shows no tensor {}", quoted(path))]
    NoTensor {
        /// Path of the tensor.
        path: String,
    },
    /// A layer or an activation whose name cannot be one in the language of the file.
    #[error("layer {}: cannot be called {} in {language}: expected {expected}", quoted(path), quoted(name))]
    Name {
        /// Path of the layer in the network.
        path: String,
        /// The name that it has.
        name: String,
        /// Description of a name that would be taken.
        expected: &'static str,
        /// Name of the language.
        language: &'static str,
    },
    /// A path without the extension of what would be written.
    #[error("{}: expected {expected}", text::path(path))]
    FileName {
        /// Path that was asked for.
        path: PathBuf,
        /// Description of the names that would be taken, and of what is written to them.
        expected: String,
    },
    /// The weights cannot be written.
    #[error(transparent)]
    Weights(#[from] crate::weights::WeightsError),
    /// The texts about the model are longer than is read of such a file.
    #[error(
        "{}: what it would say about the model, most of it in {key}, has {bytes} bytes: {format} files have at most \
         {most}; shorter names of classes help",
        text::path(path)
    )]
    Metadata {
        /// Path of the file.
        path: PathBuf,
        /// Key of the longest text.
        key: String,
        /// Bytes of all texts together.
        bytes: usize,
        /// Most bytes that are read.
        most: usize,
        /// Name of the format.
        format: &'static str,
    },
    /// The file would be larger than its format allows.
    #[error("{}: would have {bytes} bytes: {format} files have at most {most}", text::path(path))]
    TooLarge {
        /// Path of the file.
        path: PathBuf,
        /// Size that the file would have.
        bytes: u64,
        /// Largest size of a file.
        most: u64,
        /// Name of the format.
        format: &'static str,
    },
    /// The file cannot be written.
    #[error("{}: cannot write: {}", text::path(path), text::system(source))]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
}
