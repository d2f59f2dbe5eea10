//! Errors of building, running and training a network.

use dfdx::tensor::CpuError;

use crate::kernel::Precision;

/// The sizes in [`Error::MapSize`], channels by rows by columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapSizes {
    /// Sizes of the maps that the activation has parameters for.
    pub expected: String,
    /// Sizes of the images that give such maps.
    pub image: String,
    /// Sizes of the map that the activation was applied to.
    pub found: String,
}

/// An error of a layer, a loss or a visit of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The device could not provide memory, or refused a tensor.
    Device(String),
    /// The device has no kernels of an activation that another crate brought.
    NoKernel {
        /// Name of the activation.
        activation: &'static str,
    },
    /// The device has no products of a precision in the element type of the network.
    NoPrecision {
        /// The precision that the layer has.
        precision: Precision,
    },
    /// A [shard](crate::shard) of a batch on a device, or of a model, that has none.
    NoShards,
    /// Another number of networks than of shards of a batch.
    ShardCount {
        /// Number of shards in the batch.
        expected: usize,
        /// Number of networks that were given.
        found: usize,
    },
    /// A number of shards that the number of processes does not divide.
    ShardsOfRanks {
        /// Shards that a batch is cut into.
        shards: usize,
        /// Processes that compute them.
        ranks: usize,
    },
    /// Shards of a batch whose networks do not have the same batch norms.
    ShardsDiffer,
    /// A layer whose type has one activation was asked to take another one, which a swap does.
    NotChosen {
        /// The activation of the type.
        expected: &'static str,
        /// The one asked for.
        found: &'static str,
    },
    /// A map of another size than the one that an activation with a parameter for each element has parameters for.
    MapSize {
        /// Name of the activation.
        activation: &'static str,
        /// The sizes, in a box: they would make every error of this crate larger.
        sizes: Box<MapSizes>,
    },
    /// An activation with a parameter for each element was not told the size of its maps.
    NoMapSize {
        /// Name of the activation.
        activation: &'static str,
        /// The size of the map that it was applied to.
        found: String,
    },
    /// A layer with any number of outputs was not told how many it has.
    NoOutputs,
    /// A window does not fit into a dimension known at run time.
    Window {
        /// Elements of the dimension.
        size: usize,
        /// Elements of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Padding on both sides.
        padding: usize,
    },
    /// A dimension known at run time is not what the layer takes.
    Shape {
        /// Size that the layer takes.
        expected: usize,
        /// Size that the tensor has.
        found: usize,
    },
    /// A layer was handed another number of tensors than it takes.
    TensorCount {
        /// The tensors that the layer takes, in words.
        expected: &'static str,
        /// Number of tensors that the layer was handed.
        found: usize,
    },
    /// A parameter that was replaced by a permuted or broadcast tensor. Its gradient would be laid out like the storage
    /// that it shares.
    ParameterLayout {
        /// Name of the parameter in its layer.
        name: &'static str,
    },
    /// The number of labels is not the number of rows of the logits.
    LabelCount {
        /// Rows of the logits.
        rows: usize,
        /// Number of labels given.
        labels: usize,
    },
    /// A label that is no class.
    Label {
        /// Position in the batch.
        index: usize,
        /// The label that was given.
        label: usize,
        /// Number of classes in the logits.
        classes: usize,
    },
    /// A share of label smoothing that is not from 0 to 1.
    Smoothing {
        /// The share that was given, as text.
        found: String,
    },
    /// A share of the first of two labels that is not from 0 to 1.
    MixedShare {
        /// The share that was given, as text.
        found: String,
    },
    /// A layer that a [compiled](crate::compiled) network has no kernel for.
    NotCompiled {
        /// Path and kind of the layer.
        layer: String,
    },
    /// A trained parameter that the forward pass did not reach has no gradient.
    MissingGradient {
        /// Path of the parameter in the network.
        path: String,
    },
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Device(message) => write!(f, "device: {message}"),
            Error::NoPrecision { precision } => {
                write!(f, "no products in {precision} here: reduced precisions are there for f32 on the CPU")
            }
            Error::NoShards => f.write_str(
                "no shards of a batch here: expected a model on the CPU that makes copies of itself, as a Classifier",
            ),
            Error::ShardCount { expected, found } => {
                write!(f, "expected a network for each of {expected} shards, found {found}")
            }
            Error::ShardsOfRanks { shards, ranks } => {
                write!(f, "{shards} shards on {ranks} ranks: expected a number of shards that {ranks} divides")
            }
            Error::ShardsDiffer => {
                f.write_str("the shards of a batch do not have the same batch norms, or the same gradients, each once")
            }
            Error::NoKernel { activation } => {
                write!(
                    f,
                    "activation {activation} has no kernels on this device: expected one of this crate, or the CPU"
                )
            }
            Error::NotChosen { expected, found } => write!(
                f,
                "a layer has the type of activation {expected}, not of one that is chosen: swap it for {found} instead"
            ),
            Error::MapSize { activation, sizes } => write!(
                f,
                "activation {activation} has a parameter for each element of a map of {}, as images of {} give it; \
                 found a map of {}",
                sizes.expected, sizes.image, sizes.found
            ),
            Error::NoMapSize { activation, found } => write!(
                f,
                "activation {activation} has a parameter for each element and was not told the size of its maps, found \
                 one of {found}: call choose_activation first"
            ),
            Error::NoOutputs => f.write_str("a layer was not told how many outputs it has: call set_outputs first"),
            Error::Window { size, kernel, stride, padding } => write!(
                f,
                "a window of {kernel} with stride {stride} and padding {padding} does not slide over {size} elements"
            ),
            Error::Shape { expected, found } => write!(f, "expected a dimension of {expected}, found {found}"),
            Error::TensorCount { expected, found } => {
                write!(f, "the number of tensors that a layer takes is {expected}, found {found}")
            }
            Error::ParameterLayout { name } => {
                write!(f, "parameter {name} is permuted or broadcast: expected a contiguous tensor of its own")
            }
            Error::LabelCount { rows, labels } => {
                write!(f, "expected {rows} labels, one a row of logits, found {labels}")
            }
            Error::Label { index, label, classes } => {
                write!(f, "label {label} at position {index}: expected a class below {classes}")
            }
            Error::Smoothing { found } => write!(f, "label smoothing of {found}: expected a share from 0 to 1"),
            Error::MixedShare { found } => write!(f, "share {found} of the first label: expected one from 0 to 1"),
            Error::NotCompiled { layer } => {
                write!(f, "{layer}: expected a layer that says what it computes; run the network without compiling it")
            }
            Error::MissingGradient { path } => {
                write!(f, "parameter {path} is trained but got no gradient: the forward pass did not reach it")
            }
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// An error that a device reported.
    pub(crate) fn device(error: impl std::fmt::Display) -> Self {
        Error::Device(error.to_string())
    }
}

impl From<CpuError> for Error {
    fn from(error: CpuError) -> Self {
        Error::Device(error.to_string())
    }
}
