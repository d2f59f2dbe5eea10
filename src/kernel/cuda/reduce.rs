//! The slices that kernels cut the elements of the channels into, to sum them.

use cudarc::driver::DeviceRepr;

use super::gpu::{THREADS, blocks};
use super::walk::Sizes;
use crate::kernel::layout::ChannelsLayout;

/// Elements of a wide channel that a block sums: 32 a thread, few enough for sums in the element type.
const SLICE: usize = 32 * THREADS as usize;

/// Rows of narrow channels that a thread sums.
const ROWS: usize = 32;

/// The twin of `Reduction` in `reduce.cuh`, which describes the two ways.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Reduction {
    sizes: Sizes,
    planar: usize,
    slices: usize,
    length: usize,
}

// SAFETY: numbers, laid out as C does and the kernels expect.
unsafe impl DeviceRepr for Reduction {}

impl Reduction {
    /// The reduction of a tensor that has elements.
    pub fn of(layout: ChannelsLayout) -> Self {
        let planar = layout.is_planar();
        let (total, length) = if planar { (layout.count(), SLICE) } else { (layout.outer, ROWS) };
        Self { sizes: layout.into(), planar: planar.into(), slices: total.div_ceil(length), length }
    }

    /// Partial results of all channels, for each sum.
    pub fn partials(&self, layout: ChannelsLayout) -> usize {
        let columns = if self.planar == 1 { 1 } else { layout.inner };
        layout.channels * columns * self.slices
    }

    /// Blocks that compute the partial results: one for each, or a thread for each.
    pub fn blocks(&self, layout: ChannelsLayout) -> u32 {
        let threads = if self.planar == 1 { THREADS as usize } else { 1 };
        blocks(self.partials(layout) * threads)
    }
}

/// Blocks that add up the partial results, a warp for each channel.
pub fn finishing_blocks(layout: ChannelsLayout) -> u32 {
    blocks(layout.channels * 32)
}
