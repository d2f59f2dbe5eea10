//! The steps of a compiled network.

use super::activate::Activate;
use crate::kernel::cpu::blocked::conv2d::{self, BlockedConv, Epilogue};
use crate::kernel::cpu::blocked::convert::{Taps, to_planes, unfold};
use crate::kernel::cpu::blocked::rows::{self, GlobalMean, Joined, Pool, Product, Reduction, Repeated, Scaled, Sum};
use crate::kernel::cpu::blocked::{BLOCK, BlockedMap, Finish, Source, Tile, linear, reduced};
use crate::kernel::precision::Precision;

/// The number of a map: of the output of a step, counted from the first.
pub type MapId = usize;

/// The operation of a step, by which its output comes from its inputs.
#[derive(Debug)]
pub enum Operation {
    /// Taps of windows of the images that come in, as channels of a map.
    Unfold(Taps),
    /// A convolution, with what is added to its sums if the step has a second input.
    Convolution {
        /// Rows and columns of the window.
        kernel: [usize; 2],
        /// Steps of the window.
        stride: [usize; 2],
        /// Zeros on each side.
        padding: [usize; 2],
        /// The tile of minimal filtering, if the weight is packed for it.
        tile: Option<Tile>,
        /// The weight, as the kernel reads it.
        weight: Vec<f32>,
        /// One element for each channel of each block.
        bias: Vec<f32>,
    },
    /// A fully connected layer.
    Linear {
        /// The weight, as the kernel reads it.
        weight: Vec<f32>,
        /// One element for each output of each block.
        bias: Vec<f32>,
    },
    /// A convolution or a fully connected layer with factors of a reduced precision, with what is added to its sums if
    /// the step has a second input.
    Reduced {
        /// Precision of the factors.
        precision: Precision,
        /// Rows and columns of the window.
        kernel: [usize; 2],
        /// Steps of the window.
        stride: [usize; 2],
        /// Zeros on each side.
        padding: [usize; 2],
        /// The weight, as the kernel reads it.
        weight: Vec<u16>,
        /// One element for each channel of each block.
        bias: Vec<f32>,
    },
    /// Each channel multiplied by one number, and another one added.
    Scale {
        /// The factors, for each channel of each block.
        scale: Vec<f32>,
        /// The summands, for each channel of each block.
        shift: Vec<f32>,
    },
    /// The sum of the inputs; of one input that input.
    Sum,
    /// The product of the inputs.
    Product,
    /// A pool over windows.
    Pool {
        /// The reduction of a window.
        reduction: Reduction,
        /// Rows and columns of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Padding on each side.
        padding: usize,
    },
    /// The mean over all pixels.
    GlobalMean,
    /// The channels of the inputs, one after another, at every `stride`-th row and column.
    Join {
        /// Channels of zeros before the first.
        before: usize,
        /// Step between rows and columns.
        stride: usize,
    },
    /// Rows and columns repeated.
    Repeat {
        /// Number of times that each is repeated.
        factor: usize,
    },
    /// The elements of each image, channel by channel, as features.
    Flatten,
}

impl Operation {
    /// Bytes of the weights.
    pub fn weight_bytes(&self) -> usize {
        let elements = match self {
            Self::Convolution { weight, bias, .. } | Self::Linear { weight, bias } => weight.len() + bias.len(),
            Self::Scale { scale, shift } => scale.len() + shift.len(),
            Self::Reduced { weight, bias, .. } => return size_of_val(&weight[..]) + size_of_val(&bias[..]),
            _ => 0,
        };
        elements * size_of::<f32>()
    }
}

/// One step: an operation, and the activation that follows it.
#[derive(Debug)]
pub struct Step {
    /// The operation of the step.
    pub operation: Operation,
    /// The maps that it takes; none for what takes the images that come in.
    pub inputs: Vec<MapId>,
    /// The activation of its output.
    pub activation: Option<Activate>,
}

impl Step {
    /// Multiply-adds of a convolution or a linear layer for an output of this size.
    pub fn multiply_adds(&self, output: BlockedMap) -> usize {
        match &self.operation {
            Operation::Convolution { tile, weight, .. } => BlockedConv::multiply_adds(*tile, weight.len(), output),
            Operation::Linear { weight, .. } => weight.len(),
            Operation::Reduced { weight, .. } => output.pixels() * weight.len(),
            _ => 0,
        }
    }

    /// Writes the output of the step, a map of these sizes; `images` are those that came in.
    pub fn run(&self, images: &[f32], inputs: &[Source<'_, f32>], output: BlockedMap, y: &mut [f32]) {
        let finish = self.activation.as_ref().map(|activation| activation as &dyn Finish<f32>);
        match (&self.operation, inputs) {
            (Operation::Unfold(taps), _) => unfold(taps, output, images, y),
            (Operation::Convolution { kernel, stride, padding, tile, weight, bias }, [x, rest @ ..]) => {
                let (kernel, stride, padding, tile) = (*kernel, *stride, *padding, *tile);
                let conv = BlockedConv { input: x.map, output, kernel, stride, padding, tile };
                let epilogue = Epilogue { bias, residual: rest.first().copied(), finish };
                conv2d::run(&conv, x.values, weight, epilogue, y);
            }
            (Operation::Linear { weight, bias }, [x, ..]) => {
                linear::run([x.map.channels, output.channels], x.values, weight, bias, finish, y);
            }
            (Operation::Reduced { precision, kernel, stride, padding, weight, bias }, [x, rest @ ..]) => {
                let (kernel, stride, padding) = (*kernel, *stride, *padding);
                let conv = BlockedConv { input: x.map, output, kernel, stride, padding, tile: None };
                let epilogue = Epilogue { bias, residual: rest.first().copied(), finish };
                reduced::run(*precision, &conv, x.values, weight, epilogue, y);
            }
            (Operation::Scale { scale, shift }, &[x, ..]) => rows::run(output, &Scaled { x, scale, shift }, finish, y),
            (Operation::Sum, _) => rows::run(output, &Sum(inputs), finish, y),
            (Operation::Product, _) => rows::run(output, &Product(inputs), finish, y),
            (&Operation::Pool { reduction, kernel, stride, padding }, &[x, ..]) => {
                rows::run(output, &Pool { x, reduction, kernel, stride, padding }, finish, y);
            }
            (Operation::GlobalMean, &[x, ..]) => rows::run(output, &GlobalMean(x), finish, y),
            (&Operation::Join { before, stride }, _) => {
                rows::run(output, &Joined { sources: inputs, before, stride }, finish, y);
            }
            (&Operation::Repeat { factor }, &[x, ..]) => rows::run(output, &Repeated { x, factor }, finish, y),
            (Operation::Flatten, &[x, ..]) => flatten(x, output, y),
            // A step is made with its inputs.
            (_, []) => {}
        }
    }
}

/// The elements of each image, channel by channel; an activation that follows is a step of its own.
fn flatten(x: Source<'_, f32>, output: BlockedMap, y: &mut [f32]) {
    let map = BlockedMap { batch: 1, ..x.map };
    let images = x.values.chunks_exact(map.image().max(1));
    for (x, y) in images.zip(y.chunks_exact_mut((output.blocks() * BLOCK).max(1))) {
        let (features, rest) = y.split_at_mut(output.channels);
        to_planes(map, x, features);
        rest.fill(0.0);
    }
}
