//! The method of a convolution.

use super::problem::BlockedConv;
use crate::kernel::cpu::blocked::{BLOCK, BlockedMap};
use crate::kernel::cpu::conv2d::winograd::Tile;

/// Multiply-adds that the transforms of a channel of the input and of one of the output take at a point of a tile,
/// together.
const TRANSFORMS: f64 = 40.0;
/// Multiply-adds that are computed while an element of a weight is read from memory.
const WEIGHT: f64 = 12.0;

impl BlockedConv {
    /// The convolution by the fastest method for batches of `batch` images: by minimal filtering with a tile of 2x2 or
    /// of 4x4, or tap by tap.
    ///
    /// Work is counted in multiply-adds of full registers. A tile of 4x4 takes a quarter of those of its pixels, and
    /// four times as many weights, which have to be read once for a batch: for one image of few pixels that takes
    /// longer than all else. The constants were fitted to convolutions of 16 to 512 channels on images of 1 to 224
    /// pixels (AVX-512, two threads).
    #[must_use]
    pub fn fastest(self, batch: usize) -> Self {
        if self.kernel != [3; 2] || self.stride != [1; 2] {
            return Self { tile: None, ..self };
        }
        let (inputs, outputs) = ((self.input.blocks() * BLOCK) as f64, (self.output.blocks() * BLOCK) as f64);
        let pairs = inputs * outputs;
        let filtered = |side: usize| {
            let points = ((side + 2) * (side + 2)) as f64;
            let tiles = (batch * self.output.height.div_ceil(side) * self.output.width.div_ceil(side)) as f64;
            points * (tiles * (pairs + TRANSFORMS * (inputs + outputs) / 2.0) + WEIGHT * pairs)
        };
        let by_tap = 9.0 * pairs * ((batch * self.output.pixels()) as f64 + WEIGHT);
        let candidates = [(by_tap, None), (filtered(2), Some(Tile::Two)), (filtered(4), Some(Tile::Four))];
        let tile = candidates.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).and_then(|(_, tile)| tile);
        Self { tile, ..self }
    }

    /// Multiply-adds of an image, by the method of a tile, with a packed weight of so many elements.
    pub fn multiply_adds(tile: Option<Tile>, weight_len: usize, output: BlockedMap) -> usize {
        match tile {
            Some(tile) => {
                let tiles = output.height.div_ceil(tile.side()) * output.width.div_ceil(tile.side());
                tiles * weight_len
            }
            None => output.pixels() * weight_len,
        }
    }
}
