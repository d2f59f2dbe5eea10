//! What the layers of a network are and the sizes of what flows between them, for one image and without running it.

use crate::activation::Definition;
use crate::error::Error;

/// Sizes of what one image is at some place in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// A feature map.
    Image {
        /// Channels.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A vector of features.
    Features {
        /// Their number.
        width: usize,
    },
}

impl Extent {
    /// A feature map.
    pub fn image(channels: usize, height: usize, width: usize) -> Self {
        Extent::Image { channels, height, width }
    }

    /// A vector of features.
    pub fn features(width: usize) -> Self {
        Extent::Features { width }
    }

    /// Channels, or features.
    pub fn channels(self) -> usize {
        match self {
            Extent::Image { channels, .. } => channels,
            Extent::Features { width } => width,
        }
    }

    /// Elements of a channel: rows times columns, or one.
    pub fn plane(self) -> usize {
        match self {
            Extent::Image { height, width, .. } => height * width,
            Extent::Features { .. } => 1,
        }
    }

    /// Elements.
    pub fn elements(self) -> usize {
        self.channels() * self.plane()
    }

    /// The same size with other channels.
    pub(crate) fn with_channels(self, channels: usize) -> Self {
        match self {
            Extent::Image { height, width, .. } => Extent::Image { channels, height, width },
            Extent::Features { .. } => Extent::Features { width: channels },
        }
    }

    /// [`Error::Shape`] if the channels are others.
    pub(crate) fn expect_channels(self, expected: usize) -> Result<Self, Error> {
        let found = self.channels();
        if found == expected { Ok(self) } else { Err(Error::Shape { expected, found }) }
    }

    /// What a window with this kernel, stride and padding makes of an image; see [`Window`](crate::dim::Window).
    pub(crate) fn slide<const K: usize, const S: usize, const P: usize>(self) -> Result<Self, Error> {
        use crate::dim::Window;
        match self {
            Extent::Image { channels, height, width } => {
                let side = Window::<K, S, P>::try_slide;
                Ok(Extent::Image { channels, height: side(height)?, width: side(width)? })
            }
            Extent::Features { width } => Err(Error::Shape { expected: K, found: width }),
        }
    }
}

impl std::fmt::Display for Extent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Extent::Image { channels, height, width } => write!(f, "{channels}x{height}x{width}"),
            Extent::Features { width } => write!(f, "{width}"),
        }
    }
}

/// What a layer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LayerKind {
    /// A convolution.
    Conv2D {
        /// Rows and columns of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Zeros on each side.
        padding: usize,
        /// Whether a bias is added.
        bias: bool,
    },
    /// A fully connected layer.
    Linear,
    /// A batch norm.
    BatchNorm2D,
    /// An activation.
    Activation {
        /// Which one.
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
    /// Dropout.
    Dropout {
        /// Probability of a zero in percent.
        percent: usize,
    },
    /// A module of dfdx's in a [`FromDfdx`](super::FromDfdx).
    Dfdx {
        /// Name of its type.
        name: &'static str,
    },
    /// The sum of two branches.
    Add,
    /// A shortcut that takes every `stride`-th row and column and adds channels of zeros.
    Subsample {
        /// Step.
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
            LayerKind::Dfdx { name } => write!(f, "{name} of dfdx"),
            LayerKind::Add => write!(f, "sum of the branches"),
            LayerKind::Subsample { stride } => write!(f, "SubsamplePad2D, stride {stride}"),
        }
    }
}

/// One layer.
#[derive(Clone, Copy, Debug)]
pub struct LayerSummary<'a> {
    /// Path from the root, with dots.
    pub path: &'a str,
    /// What it does.
    pub kind: LayerKind,
    /// What comes in.
    pub input: Extent,
    /// What goes out.
    pub output: Extent,
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
