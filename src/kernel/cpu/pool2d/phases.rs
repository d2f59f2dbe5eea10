//! Windows as shifted copies of the image.
//!
//! A band of output rows is pooled together. The padded image under it is split by row and column modulo the stride;
//! in such a phase the element under one position of the window is, for every output of the band, at the same distance
//! from the output's own place. So each position costs one long loop over contiguous elements, whatever the stride and
//! however short the rows. A line is a little longer than an output row; what is computed in its last places is not
//! used.

use std::ops::Range;

use crate::kernel::Element;
use crate::kernel::shape::PoolShape;

/// About how many outputs a band has: all that is kept of it stays in the first levels of the cache.
const BAND: usize = 4096;

/// The phases of a band.
pub(super) struct Phases<E> {
    pub shape: PoolShape,
    /// Value of the elements of the padding.
    fill: E,
    /// Lines, and elements in a line, that the last position of the window lies beyond the first.
    reach: usize,
    /// Elements in a line.
    pub line: usize,
    /// Phases along one axis.
    count: usize,
    phases: Vec<Vec<E>>,
}

impl<E: Element> Phases<E> {
    pub fn new(shape: PoolShape, fill: E) -> Self {
        let reach = (shape.kernel - 1) / shape.stride;
        let line = shape.out_width() + reach;
        let count = shape.kernel.min(shape.stride);
        let phases = vec![vec![fill; (band_rows(shape) + reach) * line]; count * count];
        Phases { shape, fill, reach, line, count, phases }
    }

    /// Takes the image under some output rows of a plane.
    #[inline(always)]
    pub fn load(&mut self, plane: &[E], rows: Range<usize>) {
        let PoolShape { stride, padding, in_height, in_width, .. } = self.shape;
        for (i, phase) in self.phases.iter_mut().enumerate() {
            let (down, across) = (i / self.count, i % self.count);
            let start = padding.saturating_sub(across).div_ceil(stride).min(self.line);
            let end = (in_width + padding).saturating_sub(across).div_ceil(stride).clamp(start, self.line);
            let first = (start * stride + across).saturating_sub(padding);
            for (line, row) in phase.chunks_exact_mut(self.line).zip(rows.start..rows.end + self.reach) {
                match (row * stride + down).checked_sub(padding).filter(|&row| row < in_height) {
                    None => line.fill(self.fill),
                    Some(row) => {
                        let x = &plane[row * in_width..][..in_width];
                        line[..start].fill(self.fill);
                        line[end..].fill(self.fill);
                        let line = &mut line[start..end];
                        if stride == 1 {
                            line.copy_from_slice(&x[first..first + line.len()]);
                        } else {
                            for (y, &x) in line.iter_mut().zip(x.iter().skip(first).step_by(stride)) {
                                *y = x;
                            }
                        }
                    }
                }
            }
        }
    }

    /// The elements under position `(k, l)` of the windows, from the band's first output on.
    #[inline(always)]
    pub fn under(&self, k: usize, l: usize) -> &[E] {
        let stride = self.shape.stride;
        &self.phases[k % stride * self.count + l % stride][k / stride * self.line + l / stride..]
    }
}

/// The most output rows in a band.
pub(super) fn band_rows(shape: PoolShape) -> usize {
    let line = shape.out_width() + (shape.kernel - 1) / shape.stride;
    (BAND / line).clamp(1, shape.out_height())
}

/// Cuts output rows, counted over all planes, into bands: plane and rows within it.
pub(super) fn bands(shape: PoolShape, rows: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
    let (height, most) = (shape.out_height(), band_rows(shape));
    let mut next = rows.start;
    std::iter::from_fn(move || {
        if next >= rows.end {
            return None;
        }
        let (plane, row) = (next / height, next % height);
        let count = most.min(height - row).min(rows.end - next);
        next += count;
        Some((plane, row..row + count))
    })
}
