//! Sizes of a convolution, and the work that follows its sums.

use crate::kernel::cpu::blocked::{BLOCK, BlockedMap, Finish, Source};
use crate::kernel::cpu::conv2d::winograd::Tile;
use crate::kernel::element::Element;

/// Sizes of a convolution:
/// `y[n, o, i, j] = bias[o] + sum over c, u, v of w[o, c, u, v] x[n, c, i S - P + u, j S - P + v]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockedConv {
    /// The input. Its halo is at least the padding.
    pub input: BlockedMap,
    /// Sizes of the output.
    pub output: BlockedMap,
    /// Rows and columns of the window.
    pub kernel: [usize; 2],
    /// Steps of the window down and along.
    pub stride: [usize; 2],
    /// Rows and columns of zeros on each side that the window begins in.
    pub padding: [usize; 2],
    /// The tile of minimal filtering, for a window of 3x3 with stride one; none to compute tap by tap.
    pub tile: Option<Tile>,
}

impl BlockedConv {
    /// Elements of a packed weight.
    pub fn weight_len(&self) -> usize {
        self.output.blocks() * self.block_len()
    }

    /// Elements of the packed weight of one block of outputs.
    pub(super) fn block_len(&self) -> usize {
        let points = self.tile.map_or(self.taps(), Tile::points);
        self.input.blocks() * points * BLOCK * BLOCK
    }

    /// Makes sure that a tile stands for a window that it can filter.
    pub(super) fn check_tile(&self) {
        assert!(self.tile.is_none() || (self.kernel == [3; 2] && self.stride == [1; 2]), "a tile for another window");
    }

    pub(super) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The steps of a sum from which on the block of inputs is the last one, and the number of its inputs.
    pub(super) fn tail(&self) -> (usize, usize) {
        let taps = if self.tile.is_some() { 1 } else { self.taps() };
        let before = self.input.blocks().saturating_sub(1);
        (before * taps, self.input.channels - before * BLOCK)
    }

    /// For each block of inputs and each tap, its distance from where the window of a pixel begins.
    pub(super) fn steps(&self) -> Vec<usize> {
        let Self { input, kernel, .. } = self;
        let taps = move |block| {
            (0..kernel[0])
                .flat_map(move |u| (0..kernel[1]).map(move |v| block * input.plane() + u * input.row() + v * BLOCK))
        };
        (0..input.blocks()).flat_map(taps).collect()
    }

    /// Index in an image of the input at which the window of an output's pixel begins.
    pub(in crate::kernel::cpu::blocked) fn begins(&self, row: usize, col: usize) -> usize {
        let Self { input, stride, padding, .. } = self;
        (row * stride[0] + input.halo - padding[0]) * input.row() + (col * stride[1] + input.halo - padding[1]) * BLOCK
    }
}

/// The work that follows the sums of a convolution, in its last write.
#[derive(Clone, Copy)]
pub struct Epilogue<'a, E> {
    /// A summand for each channel of each block.
    pub bias: &'a [E],
    /// A map that is added.
    pub residual: Option<Source<'a, E>>,
    /// The activation, after all sums.
    pub finish: Option<&'a dyn Finish<E>>,
}

impl<E: Element> Epilogue<'_, E> {
    /// Works on rows of a block to which bias and residual were added, of which the first `top` and the last `bottom`
    /// belong to the halo.
    pub(in crate::kernel::cpu::blocked) fn finish(
        &self,
        output: BlockedMap,
        block: usize,
        rows: &mut [E],
        top: usize,
        bottom: usize,
    ) {
        if let Some(finish) = self.finish {
            finish.finish(block, rows);
        }
        output.clear(block, rows, top, bottom);
    }
}
