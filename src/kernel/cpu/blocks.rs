//! Cuts a row-major matrix into a grid of blocks that several threads may write.

/// A rectangle of a row-major matrix, as one mutable slice a row.
#[derive(Debug)]
pub struct Block<'a, E> {
    /// Index of the first row.
    pub row: usize,
    /// Index of the first column.
    pub col: usize,
    /// The rows of the block, all of the same length, never empty.
    pub rows: Vec<&'a mut [E]>,
}

impl<E> Block<'_, E> {
    pub fn width(&self) -> usize {
        self.rows[0].len()
    }
}

/// Cuts the `[_, cols]` matrix `data` into blocks of at most
/// `row_block x col_block`, row by row of blocks. An empty matrix has no blocks.
///
/// The blocks are disjoint, so they can be given to different threads without
/// `unsafe`. The grid depends on the sizes only.
///
/// # Panics
///
/// If `row_block` or `col_block` is zero, or if `cols` does not divide the length.
pub fn grid<E>(data: &mut [E], cols: usize, row_block: usize, col_block: usize) -> Vec<Block<'_, E>> {
    assert!(row_block > 0 && col_block > 0, "blocks must not be empty");
    if data.is_empty() {
        return Vec::new();
    }
    assert_eq!(data.len() % cols, 0, "length must be a whole number of rows");
    let mut blocks = Vec::new();
    for (index, band) in data.chunks_mut(row_block * cols).enumerate() {
        let first = blocks.len();
        let row = index * row_block;
        for col in (0..cols).step_by(col_block) {
            let rows = Vec::with_capacity(band.len() / cols);
            blocks.push(Block { row, col, rows });
        }
        for line in band.chunks_mut(cols) {
            let pieces = line.chunks_mut(col_block);
            for (block, piece) in blocks[first..].iter_mut().zip(pieces) {
                block.rows.push(piece);
            }
        }
    }
    blocks
}

/// `total` cut into the fewest equal parts of about `target` at most: the size of a
/// part, at least one.
pub fn even_part(total: usize, target: usize) -> usize {
    let parts = total.div_ceil(target.max(1)).max(1);
    total.div_ceil(parts).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_covers_each_element_once() {
        for (rows, cols, row_block, col_block) in
            [(1, 1, 1, 1), (5, 7, 2, 3), (4, 6, 9, 2), (3, 8, 1, 100), (6, 4, 3, 4)]
        {
            let mut data = vec![0usize; rows * cols];
            for block in grid(&mut data, cols, row_block, col_block) {
                let (row, col) = (block.row, block.col);
                for (i, line) in block.rows.into_iter().enumerate() {
                    for (j, value) in line.iter_mut().enumerate() {
                        *value += 1 + (row + i) * cols + col + j;
                    }
                }
            }
            assert!(data.iter().enumerate().all(|(i, &v)| v == i + 1), "{rows} {cols}");
        }
        assert!(grid::<f32>(&mut [], 0, 1, 1).is_empty());
    }

    #[test]
    fn parts_are_even() {
        assert_eq!(even_part(10, 4), 4);
        assert_eq!(even_part(9, 4), 3);
        assert_eq!(even_part(0, 4), 1);
        assert_eq!(even_part(3, 100), 3);
        assert_eq!(even_part(5, 0), 1);
    }
}
