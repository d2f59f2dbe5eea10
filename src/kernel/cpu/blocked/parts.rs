//! The parts of a map that tasks write.

use super::BlockedMap;
use crate::kernel::cpu::conv2d::winograd::tiles::{TileBlock, Tiling};

/// Some outputs of a block of tiles.
pub(super) struct Part<'y, E> {
    /// The block's number in the tiling.
    pub(super) index: usize,
    /// The tiles of the block.
    pub(super) tiles: TileBlock,
    /// The first block of outputs.
    pub(super) first: usize,
    /// Number of blocks of outputs.
    pub(super) count: usize,
    /// The rows of each image and, within it, of each block of outputs. The halo above and below goes with the first
    /// and the last rows.
    pub(super) rows: Vec<&'y mut [E]>,
}

/// Cuts a map into the parts of a tiling, with `group` blocks of outputs at most in each.
pub(super) fn parts<E>(y: &mut [E], map: BlockedMap, tiling: Tiling, group: usize) -> Vec<Part<'_, E>> {
    let groups = map.blocks().div_ceil(group);
    let mut parts: Vec<_> = (0..tiling.blocks() * groups)
        .map(|number| {
            let (index, first) = (number / groups, number % groups * group);
            let count = group.min(map.blocks() - first);
            let tiles = tiling.block(index);
            Part { index, tiles, first, count, rows: Vec::with_capacity(tiles.images * count) }
        })
        .collect();
    for (plane, mut rest) in y.chunks_exact_mut(map.plane()).enumerate() {
        let (image, block) = (plane / map.blocks(), plane % map.blocks());
        let first = image / tiling.images_in_block() * tiling.bands();
        let pixels = tiling.pixel_rows_in_block();
        for band in 0..tiling.bands() {
            let ends = usize::from(band == 0) + usize::from(band + 1 == tiling.bands());
            let rows = pixels.min(map.height - band * pixels) + ends * map.halo;
            let (own, after) = rest.split_at_mut(rows * map.row());
            parts[(first + band) * groups + block / group].rows.push(own);
            rest = after;
        }
    }
    parts
}

impl<E> Part<'_, E> {
    /// Rows of the halo that lie above the part.
    pub(super) fn top(&self, map: BlockedMap) -> usize {
        if self.tiles.first_row == 0 { map.halo } else { 0 }
    }

    /// Rows of the halo that lie below it, its tiles being `side` pixels high.
    pub(super) fn bottom(&self, map: BlockedMap, side: usize) -> usize {
        if (self.tiles.first_row + self.tiles.rows) * side >= map.height { map.halo } else { 0 }
    }
}
