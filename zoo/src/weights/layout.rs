//! Order of the elements of a tensor in a file and in a model.
//!
//! A model has a convolution's weight as (output, input, row, column) and a linear layer's as (output, input), as torch
//! has them. Keras turns both round: (row, column, input, output) and (input, output). Seen as three axes, with all
//! positions (row, column) as one, every one of these changes is the reversal (a, b, c) -> (c, b, a), and so is its way
//! back.

use rayon::prelude::*;

/// Layout of a tensor in a file, relative to the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoredLayout {
    /// As in the model. Its shape may be another: timm stores the linear layers of VGG as convolutions,
    /// `[4096, 512, 7, 7]` for `[4096, 25088]`.
    #[default]
    Same,
    /// A convolution's weight, (row, column, input, output) in the file: Keras.
    Hwio,
    /// A linear layer's weight, (input, output) in the file: Keras.
    InOut,
    /// The weight of a linear layer behind a flattened image of `channels` x `pixels`. Keras flattens all channels of a
    /// pixel one after the other, the models here all pixels of a channel, as torch does. (pixel, channel, output) in
    /// the file, for (output, channel, pixel) in the model: the first linear layer of Keras' VGG.
    FlattenedInOut {
        /// Channels of the image.
        channels: usize,
        /// Pixels of the image: its rows times its columns.
        pixels: usize,
    },
}

impl StoredLayout {
    /// The shape in the file of a tensor of `shape` in the model; `None` if the layout is not one of such a tensor.
    #[must_use]
    pub fn file_shape(self, shape: &[usize]) -> Option<Vec<usize>> {
        match (self, shape) {
            (Self::Same, shape) => Some(shape.to_vec()),
            (Self::Hwio, [output, input, rows, columns]) => Some(vec![*rows, *columns, *input, *output]),
            (Self::InOut, [output, input]) => Some(vec![*input, *output]),
            (Self::FlattenedInOut { channels, pixels }, [output, input]) => {
                (channels.checked_mul(pixels) == Some(*input)).then(|| vec![*input, *output])
            }
            _ => None,
        }
    }

    /// Returns `true` if the elements are in the same order as in the model, so that a tensor can be read in place.
    #[must_use]
    pub fn is_same(self) -> bool {
        self == Self::Same
    }

    /// The axis of the file's tensor that counts outputs, of a tensor with `rank` axes.
    #[must_use]
    pub fn output_axis(self, rank: usize) -> usize {
        if self.is_same() { 0 } else { rank.saturating_sub(1) }
    }

    /// Brings the elements of a file's tensor of `file_shape` into the order of the model.
    ///
    /// # Panics
    ///
    /// If `file` and `model` do not both have as many elements as `file_shape`, or if the layout is not one of such a
    /// shape.
    pub fn to_model<E: Copy + Send + Sync>(self, file_shape: &[usize], file: &[E], model: &mut [E]) {
        match self.axes(file_shape) {
            None => model.copy_from_slice(file),
            Some(axes) => reverse(axes, file, model),
        }
    }

    /// Brings the elements of a model's tensor into the order of a file's of `file_shape`.
    ///
    /// # Panics
    ///
    /// As for [`to_model`](Self::to_model).
    pub fn to_file<E: Copy + Send + Sync>(self, file_shape: &[usize], model: &[E], file: &mut [E]) {
        match self.axes(file_shape) {
            None => file.copy_from_slice(model),
            Some([a, b, c]) => reverse([c, b, a], model, file),
        }
    }

    /// The three axes of the file's tensor that are reversed; `None` if none are.
    fn axes(self, file_shape: &[usize]) -> Option<[usize; 3]> {
        match (self, file_shape) {
            (Self::Same, _) => None,
            (Self::Hwio, [rows, columns, input, output]) => Some([rows * columns, *input, *output]),
            (Self::InOut, [input, output]) => Some([1, *input, *output]),
            (Self::FlattenedInOut { channels, pixels }, [_, output]) => Some([pixels, channels, *output]),
            _ => panic!("{self:?} is no layout of a tensor of {} dimensions", file_shape.len()),
        }
    }
}

/// Sides of a tile. A tile is transposed in a buffer of its own, so that each cache line of either side is touched
/// once, even where rows lie a power of two apart and would evict each other. It is wide, because each row of a tile is
/// on another page.
const ROWS: usize = 16;
const COLUMNS: usize = 512;
/// Number of elements from which on threads share the work.
const PARALLEL: usize = 1 << 16;

/// `to[c][b][a] = from[a][b][c]`, both row-major, `axes` being those of `from`.
///
/// With `j` for (b, a) that is `to[c][j] = from[row(j)][c]`: a transposition of rows taken in another order.
fn reverse<E: Copy + Send + Sync>(axes: [usize; 3], from: &[E], to: &mut [E]) {
    let [a, b, c] = axes;
    assert_eq!(Some(from.len()), a.checked_mul(b).and_then(|ab| ab.checked_mul(c)), "elements of the source");
    assert_eq!(from.len(), to.len(), "elements of the destination");
    let Some(any) = from.first() else { return };
    let rows = a * b;
    let strip = |index: usize, to: &mut [E]| {
        let first = index * COLUMNS;
        let mut tile = [*any; ROWS * COLUMNS];
        for start in (0..rows).step_by(ROWS) {
            let height = ROWS.min(rows - start);
            for r in 0..height {
                let j = start + r;
                let row = &from[((j % a) * b + j / a) * c + first..][..to.len() / rows];
                for (value, column) in row.iter().zip(tile.chunks_exact_mut(ROWS)) {
                    column[r] = *value;
                }
            }
            for (to, column) in to.chunks_exact_mut(rows).zip(tile.chunks_exact(ROWS)) {
                to[start..start + height].copy_from_slice(&column[..height]);
            }
        }
    };
    if to.len() < PARALLEL {
        to.chunks_mut(COLUMNS * rows).enumerate().for_each(|(index, to)| strip(index, to));
    } else {
        to.par_chunks_mut(COLUMNS * rows).enumerate().for_each(|(index, to)| strip(index, to));
    }
}

#[cfg(test)]
mod tests;
