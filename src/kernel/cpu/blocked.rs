//! Kernels of inference alone, on maps whose channels lie in blocks.
//!
//! A map is `[batch, blocks, height + 2 halo, width + 2 halo, 16]`: sixteen channels of a pixel lie side by side, the
//! last block is filled with zeros, and around each plane lies a frame of zeros, the halo, which stands for the padding
//! of the windows that read the map. A vector register is then so many outputs of one pixel, an input of that pixel
//! serves all of them, and nothing has to be packed but the weights, once for all calls.
//!
//! A sum is one chain of fused multiply-adds over blocks of channels, rows and columns of the window, and the channels
//! of a block, in this order: from the bias on where it is an output, and from zero where it is a point of minimal
//! filtering. So its bits depend on no number of threads, register width or batch.

pub mod conv2d;
pub mod convert;
pub mod linear;
mod parts;
pub mod reduced;
pub mod rows;
mod sums;
#[cfg(test)]
mod tests;

pub use crate::kernel::cpu::conv2d::winograd::Tile;
use crate::kernel::element::Element;

/// Channels of a block: the elements of the widest register of `f32`.
pub const BLOCK: usize = 16;

/// Sizes of a map in blocks of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockedMap {
    /// Number of images in the batch.
    pub batch: usize,
    /// Channels of an image, without those that fill the last block.
    pub channels: usize,
    /// Rows of an image, without the halo.
    pub height: usize,
    /// Columns of an image, without the halo.
    pub width: usize,
    /// Zeros on each side of each plane.
    pub halo: usize,
}

impl BlockedMap {
    /// Number of blocks of channels.
    pub fn blocks(&self) -> usize {
        self.channels.div_ceil(BLOCK)
    }

    /// Elements of a row of one block, with its halo.
    pub fn row(&self) -> usize {
        (self.width + 2 * self.halo) * BLOCK
    }

    /// Elements of one block of an image, with its halo.
    pub fn plane(&self) -> usize {
        (self.height + 2 * self.halo) * self.row()
    }

    /// Elements of the map.
    pub fn len(&self) -> usize {
        self.batch * self.blocks() * self.plane()
    }

    /// Returns true if the map has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Elements of an image.
    pub fn image(&self) -> usize {
        self.blocks() * self.plane()
    }

    /// Pixels of a channel of an image.
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Index in a plane of the first channel of a pixel.
    pub fn at(&self, row: usize, col: usize) -> usize {
        (row + self.halo) * self.row() + (col + self.halo) * BLOCK
    }

    /// The columns of a row of a plane without their halo.
    pub fn interior<'a, E>(&self, plane: &'a [E], row: usize) -> &'a [E] {
        &plane[self.at(row, 0)..][..self.width * BLOCK]
    }

    /// Writes zeros where some rows of a block have no channel and no pixel: into the channels past the last, and into
    /// the halo, to which the first `top` and the last `bottom` rows belong.
    pub(super) fn clear<E: Element>(&self, block: usize, rows: &mut [E], top: usize, bottom: usize) {
        clear_channels(self.channels, block, rows);
        if self.halo == 0 || rows.is_empty() {
            return;
        }
        let (row, side) = (self.row(), self.halo * BLOCK);
        let end = rows.len() - bottom * row;
        rows[..top * row].fill(E::zero());
        rows[end..].fill(E::zero());
        for row in rows[top * row..end].chunks_exact_mut(row) {
            let last = row.len() - side;
            row[..side].fill(E::zero());
            row[last..].fill(E::zero());
        }
    }
}

/// Writes zeros into the channels of a block past the last of `channels`.
pub(super) fn clear_channels<E: Element>(channels: usize, block: usize, pixels: &mut [E]) {
    let own = channels.saturating_sub(block * BLOCK);
    if own < BLOCK {
        pixels.chunks_exact_mut(BLOCK).for_each(|pixel| pixel[own..].fill(E::zero()));
    }
}

/// A map to read.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a, E> {
    /// Sizes of the map.
    pub map: BlockedMap,
    /// Elements of the map, block by block.
    pub values: &'a [E],
}

impl<'a, E> Source<'a, E> {
    /// One block of an image.
    pub fn plane(&self, image: usize, block: usize) -> &'a [E] {
        &self.values[image * self.map.image() + block * self.map.plane()..][..self.map.plane()]
    }
}

/// The work that follows an operation on what it has written: an activation.
pub trait Finish<E>: Sync {
    /// Works on whole rows, with their halo, of a block of channels. What it writes into the halo is overwritten.
    fn finish(&self, block: usize, rows: &mut [E]);
}
