//! The sums of a convolution, and of the gradient of its input.

use super::sizes::BLOCK;
use crate::kernel::shape::ConvShape;

/// One tap of a window: where it reads, from where the window of a position begins, and its place in the weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tap {
    /// Rows down, and columns to the right.
    pub offset: [isize; 2],
    /// Index of the tap in the weight of a pair of channels.
    pub index: usize,
}

/// The outputs whose windows have the same taps: every `step`-th row and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// First row and column.
    pub first: [usize; 2],
    /// Taps in the order of the sum: by row, then by column of the weight.
    pub taps: Vec<Tap>,
}

/// The order of the terms of a sum: by tap, and within one by channel. Where there are at least 32 channels, those of a
/// tap are filled up with zeros to a multiple of 32; of fewer channels, the taps follow one another. The whole is
/// filled up to a multiple of 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    channels: usize,
    /// Terms from one tap to the next.
    step: usize,
    taps: usize,
}

/// Terms of a block that are neighbors in a tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Place of the first in the block.
    pub at: usize,
    /// Index of the tap.
    pub tap: usize,
    /// Index of the first channel.
    pub channel: usize,
    /// Number of channels, and of terms.
    pub count: usize,
}

impl Depth {
    /// The order for so many channels and taps.
    pub fn new(channels: usize, taps: usize) -> Self {
        let step = if channels < BLOCK { channels } else { channels.next_multiple_of(BLOCK) };
        Self { channels, step, taps }
    }

    /// Number of blocks of 32 terms.
    pub fn blocks(self) -> usize {
        (self.step * self.taps).div_ceil(BLOCK)
    }

    /// The terms of a block that are not zeros.
    pub fn segments(self, block: usize) -> impl Iterator<Item = Segment> {
        let Self { channels, step, taps } = self;
        let (begin, end) = (block * BLOCK, (block + 1) * BLOCK);
        let tap_of = move |term: usize| term / step.max(1);
        (tap_of(begin)..taps.min(tap_of(end - 1) + 1)).filter_map(move |tap| {
            let (first, last) = (begin.max(tap * step), end.min(tap * step + channels));
            let count = last.checked_sub(first).filter(|count| *count > 0)?;
            Some(Segment { at: first - begin, tap, channel: first - tap * step, count })
        })
    }
}

/// Sums over taps and input channels for each output channel and position, and where they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Channels that are summed over.
    pub inputs: usize,
    /// Height and width of what is read.
    pub source: [usize; 2],
    /// Channels that are written.
    pub outputs: usize,
    /// Height and width of what is written.
    pub output: [usize; 2],
    /// Rows and columns between positions of one phase, in what is read.
    pub source_step: usize,
    /// The same in what is written.
    pub step: usize,
    /// Outputs by what they read.
    pub phases: Vec<Phase>,
    /// Distance in the weight from an output channel to the next, and from an input channel to the next.
    pub strides: [usize; 2],
}

impl Problem {
    /// `y = conv(x, weight)`.
    pub fn forward(shape: &ConvShape) -> Self {
        let ConvShape { kernel, padding, .. } = *shape;
        let taps = (0..kernel * kernel).map(|index| {
            let offset = [index / kernel, index % kernel].map(|at| at as isize - padding as isize);
            Tap { offset, index }
        });
        Self {
            inputs: shape.in_channels,
            source: [shape.in_height, shape.in_width],
            outputs: shape.out_channels,
            output: [shape.out_height(), shape.out_width()],
            source_step: shape.stride,
            step: 1,
            phases: vec![Phase { first: [0; 2], taps: taps.collect() }],
            strides: [shape.fan_in(), kernel * kernel],
        }
    }

    /// `grad_x = conv^T(grad_output)`: to a pixel of `x` belong the taps that read it at a whole number of steps.
    pub fn backward_input(shape: &ConvShape) -> Self {
        let ConvShape { kernel, stride, padding, .. } = *shape;
        // The taps along one axis that read the first pixel of a phase, and where their outputs lie from there.
        let along = |first: usize| {
            let reads = move |tap: &usize| (first + padding + stride * kernel - tap).is_multiple_of(stride);
            let taps = (0..kernel).filter(reads);
            taps.map(move |tap| (tap, (first + padding) as isize - tap as isize))
                .map(move |(tap, from)| (tap, from.div_euclid(stride as isize)))
        };
        let phase = |first: [usize; 2]| {
            let taps = along(first[0]).flat_map(|(u, down)| {
                along(first[1]).map(move |(v, right)| Tap { offset: [down, right], index: u * kernel + v })
            });
            Phase { first, taps: taps.collect() }
        };
        let rows = stride.min(shape.in_height.max(1));
        let columns = stride.min(shape.in_width.max(1));
        Self {
            inputs: shape.out_channels,
            source: [shape.out_height(), shape.out_width()],
            outputs: shape.in_channels,
            output: [shape.in_height, shape.in_width],
            source_step: 1,
            step: stride,
            phases: (0..rows * columns).map(|index| phase([index / columns, index % columns])).collect(),
            strides: [kernel * kernel, shape.fan_in()],
        }
    }

    /// The order of the terms of a sum.
    pub fn depth(&self, phase: &Phase) -> Depth {
        Depth::new(self.inputs, phase.taps.len())
    }
}
