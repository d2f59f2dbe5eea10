//! Sizes of blocks, tiles and what is packed for them.

/// Terms that are added at once.
pub const BLOCK: usize = 32;
/// Pairs of neighbors among them.
pub const PAIRS: usize = BLOCK / 2;
/// Rows, and columns, of a tile of sums.
pub const SIDE: usize = 16;

/// Elements of a block of 16 packed rows.
pub const ROWS: usize = SIDE * BLOCK;
/// Pairs of elements of a block of 16 packed columns.
pub const COLUMNS: usize = SIDE * PAIRS;
/// Elements of a tile.
pub const TILE: usize = SIDE * SIDE;
