//! Layers of a network and the sizes of the tensors between them, for one image and without running the network.

use super::wire::Wire;
use crate::activation::Definition;
use crate::error::Error;
use crate::kernel::Precision;

/// Sizes of the tensor that one image is at some place in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// A feature map of one image.
    Image {
        /// Number of channels in the map.
        channels: usize,
        /// Number of rows in the map.
        height: usize,
        /// Number of columns in the map.
        width: usize,
    },
    /// A vector of features.
    Features {
        /// Number of features in the vector.
        width: usize,
    },
    /// Several tensors: what [`Branches`](super::Branches) give, and what an operation on them takes.
    Several(Several),
}

/// The sizes of two to six tensors, none of which is several itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Several {
    /// Channels with rows and columns, or features; zeros behind the last.
    sizes: [(usize, Option<[usize; 2]>); MOST],
    count: usize,
}

/// Most tensors of an extent: as many as a tuple of modules has.
pub(super) const MOST: usize = 6;

impl Several {
    /// The sizes, in the order of the tensors.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = Extent> + '_ {
        self.sizes[..self.count].iter().map(|&(channels, plane)| match plane {
            Some([height, width]) => Extent::image(channels, height, width),
            None => Extent::features(channels),
        })
    }
}

impl Extent {
    /// The extent of a feature map.
    pub fn image(channels: usize, height: usize, width: usize) -> Self {
        Extent::Image { channels, height, width }
    }

    /// The extent of a vector of features.
    pub fn features(width: usize) -> Self {
        Extent::Features { width }
    }

    /// Several tensors: two to six, or [`Error::TensorCount`], and none of them several itself.
    pub(crate) fn several(parts: &[Extent]) -> Result<Self, Error> {
        if !(2..=MOST).contains(&parts.len()) {
            return Err(Error::TensorCount { expected: "two to six", found: parts.len() });
        }
        let mut several = Several { sizes: [(0, None); MOST], count: parts.len() };
        for (size, part) in several.sizes.iter_mut().zip(parts) {
            *size = match part {
                Extent::Image { channels, height, width } => (*channels, Some([*height, *width])),
                Extent::Features { width } => (*width, None),
                Extent::Several(inner) => {
                    return Err(Error::TensorCount { expected: "one", found: inner.count });
                }
            };
        }
        Ok(Extent::Several(several))
    }

    /// The parts of several tensors; [`Error::TensorCount`] of one.
    pub(crate) fn parts(self) -> Result<Vec<Extent>, Error> {
        match self {
            Extent::Several(several) => Ok(several.parts().collect()),
            Extent::Image { .. } | Extent::Features { .. } => {
                Err(Error::TensorCount { expected: "two to six", found: 1 })
            }
        }
    }

    /// The extent that all of several tensors have; [`Error::Shape`] if they are not all alike.
    pub(crate) fn expect_equal_parts(self) -> Result<Self, Error> {
        let parts = self.parts()?;
        let first = parts[0];
        match parts.iter().find(|part| **part != first) {
            Some(other) => Err(Error::Shape { expected: first.elements(), found: other.elements() }),
            None => Ok(first),
        }
    }

    /// Channels, or features; of several tensors their sum.
    pub fn channels(self) -> usize {
        match self {
            Extent::Image { channels, .. } => channels,
            Extent::Features { width } => width,
            Extent::Several(several) => several.parts().map(Extent::channels).sum(),
        }
    }

    /// Elements of a channel: rows times columns, or one; of several tensors those of the first.
    pub fn plane(self) -> usize {
        match self {
            Extent::Image { height, width, .. } => height * width,
            Extent::Features { .. } => 1,
            Extent::Several(several) => several.parts().next().map_or(0, Extent::plane),
        }
    }

    /// Elements; of several tensors their sum.
    pub fn elements(self) -> usize {
        match self {
            Extent::Several(several) => several.parts().map(Extent::elements).sum(),
            one => one.channels() * one.plane(),
        }
    }

    /// The same size with other channels.
    pub(crate) fn with_channels(self, channels: usize) -> Self {
        match self {
            Extent::Image { height, width, .. } => Extent::Image { channels, height, width },
            Extent::Features { .. } => Extent::Features { width: channels },
            several @ Extent::Several(_) => several,
        }
    }

    /// [`Error::Shape`] if the channels are others.
    pub(crate) fn expect_channels(self, expected: usize) -> Result<Self, Error> {
        let found = self.channels();
        if found == expected { Ok(self) } else { Err(Error::Shape { expected, found }) }
    }

    /// The extent of an image after a window with this kernel, stride and padding; see [`Window`](crate::dim::Window).
    pub(crate) fn slide<const K: usize, const S: usize, const P: usize>(self) -> Result<Self, Error> {
        use crate::dim::Window;
        match self {
            Extent::Image { channels, height, width } => {
                let side = Window::<K, S, P>::try_slide;
                Ok(Extent::Image { channels, height: side(height)?, width: side(width)? })
            }
            Extent::Features { width } => Err(Error::Shape { expected: K, found: width }),
            Extent::Several(several) => Err(Error::TensorCount { expected: "one", found: several.count }),
        }
    }
}

impl std::fmt::Display for Extent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Extent::Image { channels, height, width } => write!(f, "{channels}x{height}x{width}"),
            Extent::Features { width } => write!(f, "{width}"),
            Extent::Several(several) => several.parts().enumerate().try_for_each(|(i, part)| {
                let separator = if i == 0 { "" } else { ", " };
                write!(f, "{separator}{part}")
            }),
        }
    }
}

/// Kind of a layer, with its hyperparameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LayerKind {
    /// A convolution with a square kernel.
    Conv2D {
        /// Rows and columns of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Zeros on each side.
        padding: usize,
        /// True if a bias is added.
        bias: bool,
    },
    /// A fully connected layer.
    Linear,
    /// A batch norm over each channel.
    BatchNorm2D,
    /// An activation of each element.
    Activation {
        /// The activation that is applied.
        activation: &'static Definition,
    },
    /// A pool over windows.
    Pool2D {
        /// Name of the layer.
        name: &'static str,
        /// Rows and columns of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Padding on each side.
        padding: usize,
    },
    /// A pool over the whole image.
    GlobalPool2D,
    /// A change of layout.
    Flatten,
    /// Dropout of single elements.
    Dropout {
        /// Probability of a zero in percent.
        percent: usize,
    },
    /// A layer that no other kind stands for, without tensors: a new operation, or a layer of a program of one's own.
    /// Summaries show it; an export to another program, which needs to know its formula, refuses it.
    Other {
        /// Its name, with its hyperparameters.
        name: &'static str,
    },
    /// A module of dfdx's in a [`FromDfdx`](super::FromDfdx).
    Dfdx {
        /// Name of its type.
        name: &'static str,
    },
    /// The sum of branches.
    Add,
    /// The product of branches.
    Multiply,
    /// Branches joined by channels.
    Concat,
    /// A branch that hands its input on.
    Identity,
    /// Rows and columns repeated.
    Upsample2D {
        /// Number of times that each row and column is repeated.
        factor: usize,
    },
    /// A shortcut that takes every `stride`-th row and column and adds channels of zeros.
    Subsample {
        /// Step between the rows and columns that are taken.
        stride: usize,
    },
}

impl std::fmt::Display for LayerKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LayerKind::Conv2D { kernel, stride, padding, bias } => {
                let bias = if *bias { "" } else { ", no bias" };
                write!(f, "Conv2D {kernel}x{kernel}, stride {stride}, padding {padding}{bias}")
            }
            LayerKind::Linear => write!(f, "Linear"),
            LayerKind::BatchNorm2D => write!(f, "BatchNorm2D"),
            LayerKind::Activation { activation } => f.write_str(activation.name()),
            LayerKind::Pool2D { name, kernel, stride, padding } => {
                write!(f, "{name} {kernel}x{kernel}, stride {stride}, padding {padding}")
            }
            LayerKind::GlobalPool2D => write!(f, "GlobalAvgPool2D"),
            LayerKind::Flatten => write!(f, "Flatten2D"),
            LayerKind::Dropout { percent } => write!(f, "Dropout {percent} %"),
            LayerKind::Other { name } => f.write_str(name),
            LayerKind::Dfdx { name } => write!(f, "{name} of dfdx"),
            LayerKind::Add => write!(f, "sum of the branches"),
            LayerKind::Multiply => write!(f, "product of the branches"),
            LayerKind::Concat => write!(f, "Concat"),
            LayerKind::Identity => write!(f, "Identity"),
            LayerKind::Upsample2D { factor } => write!(f, "Upsample2D, factor {factor}"),
            LayerKind::Subsample { stride } => write!(f, "SubsamplePad2D, stride {stride}"),
        }
    }
}

/// One layer of a network, with the sizes before and after it.
#[derive(Clone, Copy, Debug)]
pub struct LayerSummary<'a> {
    /// Path from the root, with dots.
    pub path: &'a str,
    /// Kind and hyperparameters of the layer.
    pub kind: LayerKind,
    /// The tensors that the layer takes, in the order of its operation.
    pub wires: &'a [Wire],
    /// Sizes of the layer's input.
    pub input: Extent,
    /// Sizes of the layer's output.
    pub output: Extent,
    /// Number that is added to the variance under the root; of batch norms.
    pub epsilon: Option<f64>,
    /// Precision of the factors; of convolutions and linear layers.
    pub precision: Precision,
}

impl LayerSummary<'_> {
    /// Multiplications with a subsequent addition, for one image: of convolutions and linear layers, as papers count.
    pub fn multiply_adds(&self) -> u64 {
        let wide = |n: usize| n as u64;
        match self.kind {
            LayerKind::Conv2D { kernel, .. } => {
                wide(self.output.elements()) * wide(self.input.channels()) * wide(kernel * kernel)
            }
            LayerKind::Linear => wide(self.output.elements()) * wide(self.input.elements()),
            _ => 0,
        }
    }

    /// Elements of all tensors of the layer, running statistics and hyperparameters included.
    pub fn tensor_elements(&self) -> usize {
        match self.kind {
            LayerKind::Conv2D { kernel, bias, .. } => {
                let outputs = self.output.channels();
                self.input.channels() * kernel * kernel * outputs + if bias { outputs } else { 0 }
            }
            LayerKind::Linear => (self.input.elements() + 1) * self.output.elements(),
            LayerKind::BatchNorm2D => 4 * self.output.channels(),
            LayerKind::Activation { activation } => {
                let each = if activation.is_per_element() { self.output.elements() } else { self.output.channels() };
                activation.params().len() * each
            }
            _ => 0,
        }
    }
}
