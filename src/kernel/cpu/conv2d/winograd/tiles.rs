//! The tiles, and the blocks of tiles, that output pixels are cut into.

use std::ops::Range;

use crate::kernel::cpu::blocks::even_part;

/// Blocks of whole tile rows: some rows of one image, or several small images.
#[derive(Clone, Copy, Debug)]
pub struct Tiling {
    batch: usize,
    /// Output pixels of a tile along an axis.
    side: usize,
    /// Rows of tiles in an image.
    rows: usize,
    /// Tiles in a row.
    cols: usize,
    images_in_block: usize,
    rows_in_block: usize,
}

/// Some tiles of some images. Their order is image, row, column.
#[derive(Clone, Copy, Debug)]
pub struct TileBlock {
    pub first_image: usize,
    pub images: usize,
    /// First row of tiles.
    pub first_row: usize,
    /// Rows of tiles of each image.
    pub rows: usize,
    /// Tiles in a row.
    pub cols: usize,
}

impl Tiling {
    /// Tiles of `side x side` output pixels, about `target` of them in a block.
    pub fn new(batch: usize, (height, width): (usize, usize), side: usize, target: usize) -> Self {
        let (rows, cols) = (height.div_ceil(side), width.div_ceil(side));
        let tiles = rows * cols;
        let (images_in_block, rows_in_block) = if tiles <= target {
            (even_part(batch, target / tiles), rows)
        } else {
            (1, even_part(rows, target / cols))
        };
        Self { batch, side, rows, cols, images_in_block, rows_in_block }
    }

    /// The most tiles of a block.
    pub fn capacity(&self) -> usize {
        self.images_in_block * self.rows_in_block * self.cols
    }

    /// Number of blocks over all images.
    pub fn blocks(&self) -> usize {
        self.batch.div_ceil(self.images_in_block) * self.bands()
    }

    /// Blocks that an image is cut into; 1 where a block holds whole images.
    pub fn bands(&self) -> usize {
        self.rows.div_ceil(self.rows_in_block)
    }

    /// Images of a block.
    pub fn images_in_block(&self) -> usize {
        self.images_in_block
    }

    /// Output rows of a block.
    pub fn pixel_rows_in_block(&self) -> usize {
        self.rows_in_block * self.side
    }

    /// Block `index`, image by image and from top to bottom.
    pub fn block(&self, index: usize) -> TileBlock {
        let (group, band) = (index / self.bands(), index % self.bands());
        let (first_image, first_row) = (group * self.images_in_block, band * self.rows_in_block);
        TileBlock {
            first_image,
            images: self.images_in_block.min(self.batch - first_image),
            first_row,
            rows: self.rows_in_block.min(self.rows - first_row),
            cols: self.cols,
        }
    }

    /// The block after block `index`, if there is one.
    pub fn after(&self, index: usize) -> Option<TileBlock> {
        (index + 1 < self.blocks()).then(|| self.block(index + 1))
    }
}

impl TileBlock {
    /// Number of tiles in the block.
    pub fn tiles(&self) -> usize {
        self.images * self.rows * self.cols
    }

    /// Image, row and column of a tile, each counted from the first of the block.
    pub fn place(&self, tile: usize) -> (usize, usize, usize) {
        let (image, tile) = (tile / (self.rows * self.cols), tile % (self.rows * self.cols));
        (image, tile / self.cols, tile % self.cols)
    }

    /// The [`place`](Self::place) of the tile after the one at this place.
    #[inline(always)]
    pub fn after(&self, (image, row, col): (usize, usize, usize)) -> (usize, usize, usize) {
        if col + 1 < self.cols {
            (image, row, col + 1)
        } else if row + 1 < self.rows {
            (image, row + 1, 0)
        } else {
            (image + 1, 0, 0)
        }
    }

    /// The pixel rows, of `height` rows, that tiles of `side` pixels cover which start `padding` pixels early and are
    /// `span` pixels long.
    pub fn pixel_rows(&self, side: usize, span: usize, padding: usize, height: usize) -> Range<usize> {
        let first = (self.first_row * side).saturating_sub(padding).min(height);
        let end = ((self.first_row + self.rows - 1) * side + span).saturating_sub(padding);
        first..end.clamp(first, height)
    }
}
