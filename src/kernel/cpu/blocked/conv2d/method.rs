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
        let (pairs, batch) = (inputs * outputs, batch as f64);
        let filtered = |side: usize| {
            let points = ((side + 2) * (side + 2)) as f64;
            let tiles = (self.output.height.div_ceil(side) * self.output.width.div_ceil(side)) as f64;
            points * (batch * tiles * (pairs + TRANSFORMS * (inputs + outputs) / 2.0) + WEIGHT * pairs)
        };
        let by_tap = 9.0 * pairs * (batch * self.output.pixels() as f64 + WEIGHT);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fastest(channels: usize, side: usize, (kernel, stride): (usize, usize), batch: usize) -> Option<Tile> {
        let padding = kernel / 2;
        let input = BlockedMap { batch: 1, channels, height: side, width: side, halo: padding };
        let out = (side + 2 * padding - kernel) / stride + 1;
        let output = BlockedMap { height: out, width: out, halo: 0, ..input };
        let (kernel, stride, padding) = ([kernel; 2], [stride; 2], [padding; 2]);
        BlockedConv { input, output, kernel, stride, padding, tile: None }.fastest(batch).tile
    }

    /// The bits of compiled networks go by these choices.
    #[test]
    fn methods_follow_from_the_sizes_and_the_batch_that_was_named() {
        let square = (3, 1);
        for (channels, side, batch, tile) in [
            (16, 32, 8, Some(Tile::Four)),
            (64, 56, 8, Some(Tile::Four)),
            (512, 7, 8, Some(Tile::Four)),
            (512, 7, 1, Some(Tile::Two)),
            (512, 2, 8, Some(Tile::Two)),
            (512, 4, 1, None),
            (512, 2, 1, None),
            (64, 56, 0, None),
            (64, 56, usize::MAX, Some(Tile::Four)),
        ] {
            assert_eq!(fastest(channels, side, square, batch), tile, "{channels} {side} {batch}");
        }
        for other in [(1, 1), (3, 2), (5, 1)] {
            assert_eq!(fastest(64, 56, other, 8), None, "{other:?}");
        }
    }

    #[test]
    fn multiply_adds_are_those_of_pixels_or_of_tiles() {
        let output = BlockedMap { batch: 1, channels: 16, height: 7, width: 9, halo: 1 };
        let adds = |tile| BlockedConv::multiply_adds(tile, 10, output);
        assert_eq!([None, Some(Tile::Two), Some(Tile::Four)].map(adds), [630, 200, 60]);
    }
}
