//! The lines that a `[outer, channels, inner]` tensor is cut into.
//!
//! Planes of [`SHORT`] elements or more are handled one by one, with the channel's values in a register. Shorter ones
//! would leave the registers half empty; there a row of all channels is handled at once, elementwise, with the
//! channel's values repeated for each column. Rows that are short themselves are joined until they fill some registers.

use std::ops::Range;

use crate::kernel::cpu::tasks::TASK;
use crate::kernel::layout::ChannelsLayout;

/// Planes below this many elements are handled by rows.
const SHORT: usize = 128;

/// Joined rows have at least this many elements.
const JOINED: usize = 256;

/// Lines that a column adds up in the element type.
const DEPTH: usize = 64;

/// The kind of lines that a tensor is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// A line is a plane: one channel.
    Planes,
    /// A line is one row of all channels, or several: the channel of column `j` is `j / inner % channels`. The last
    /// line may have fewer rows.
    Rows {
        /// Elements in a line.
        line: usize,
    },
}

impl Lines {
    /// The lines of a tensor that has elements.
    pub fn of(layout: ChannelsLayout) -> Self {
        if layout.inner >= SHORT {
            return Lines::Planes;
        }
        let row = layout.channels * layout.inner;
        Lines::Rows { line: row * JOINED.div_ceil(row).min(layout.outer) }
    }
}

/// Some lines of [`Lines::Rows`], cut to some channels.
#[derive(Clone, Debug)]
pub(super) struct Tile {
    /// Range of the lines in the tensor, with all their columns.
    pub elements: Range<usize>,
    /// The columns of each line.
    pub columns: Range<usize>,
    /// Elements in a line.
    pub line: usize,
    /// The layout of the tensor.
    pub layout: ChannelsLayout,
}

impl Tile {
    /// The tiles of a tensor, those of the same lines one after the other, by ascending channel.
    pub fn all(layout: ChannelsLayout, line: usize) -> Vec<Tile> {
        let total = layout.len();
        let depth = total.div_ceil(line).min(DEPTH);
        let row = layout.channels * layout.inner;
        // Joined rows are short and need no cut.
        let width = if line > row { line } else { (TASK / depth / layout.inner).max(1) * layout.inner };
        (0..total)
            .step_by(depth * line)
            .flat_map(|start| {
                (0..line).step_by(width).map(move |column| Tile {
                    elements: start..total.min(start + depth * line),
                    columns: column..line.min(column + width),
                    line,
                    layout,
                })
            })
            .collect()
    }

    /// Channels in the tile, the first one in its first column.
    pub fn channels(&self) -> usize {
        self.columns.len().div_ceil(self.layout.inner).min(self.layout.channels)
    }

    /// Index of the channel in the first column.
    pub fn first_channel(&self) -> usize {
        self.columns.start / self.layout.inner
    }

    /// Elements of each channel in the tile.
    pub fn count(&self) -> usize {
        self.elements.len() / self.layout.channels
    }

    /// The tile's part of each line, of a tensor.
    pub fn lines<'a, E>(&self, tensor: &'a [E]) -> impl Iterator<Item = &'a [E]> + use<'a, E> {
        let columns = self.columns.clone();
        tensor[self.elements.clone()]
            .chunks(self.line)
            .map(move |line| &line[columns.start..columns.end.min(line.len())])
    }

    /// One value a channel, repeated for each of the columns.
    pub fn expand<E: Copy>(&self, values: &[E]) -> Vec<E> {
        let channels = values.iter().flat_map(|&value| std::iter::repeat_n(value, self.layout.inner));
        channels.cycle().take(self.columns.len()).collect()
    }

    /// Adds up the columns of each channel, in ascending order.
    pub fn fold(&self, columns: impl IntoIterator<Item = f64>) -> Vec<f64> {
        let mut sums = vec![0.0; self.channels()];
        let (mut channel, mut within) = (0, 0);
        for value in columns {
            sums[channel] += value;
            within += 1;
            if within == self.layout.inner {
                within = 0;
                channel = if channel + 1 == sums.len() { 0 } else { channel + 1 };
            }
        }
        sums
    }
}

/// Hands each tile its part of a `[tile lines, channels]` table of partial results.
pub(super) fn split_partials<'a, T>(tiles: &[Tile], mut partials: &'a mut [T]) -> Vec<&'a mut [T]> {
    tiles
        .iter()
        .map(|tile| {
            let (part, rest) = std::mem::take(&mut partials).split_at_mut(tile.channels());
            partials = rest;
            part
        })
        .collect()
}

/// Entries in the table of partial results.
pub(super) fn partials_of(tiles: &[Tile]) -> usize {
    tiles.iter().map(Tile::channels).sum()
}
