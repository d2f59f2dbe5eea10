//! Matrix products in general, on the register products of `registers.rs`.
//!
//! The product runs on the calling thread. The kernels above split their work
//! themselves, by sizes only, so that the numbers never depend on the number of
//! threads. Nor do they depend on the machine: what is added up at once has a fixed length.

use super::blocks::even_part;
use super::copy::{Strided, transpose_into};
use super::registers::{MAX_BAND, Stretch, Sums, band, column_sums, in_pieces, row_sums};
use super::simd::{Kernel, Lane, Simd, dispatch};
use super::workspace::{Buffer, with_kept};
use crate::kernel::element::Element;
use crate::kernel::write::Write;

/// Longest sums in registers: bands of that depth stay in the second cache level.
const DEPTH: usize = 256;
/// Lanes that are packed at once.
const LANES: usize = 256;

/// Positions of the elements of a matrix in a slice: element `(i, j)` is at index
/// `offset + i * row_stride + j * col_stride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixLayout {
    /// Index of element `(0, 0)`.
    pub offset: usize,
    /// Distance between neighbors in a column.
    pub row_stride: usize,
    /// Distance between neighbors in a row.
    pub col_stride: usize,
}

impl MatrixLayout {
    /// A row-major matrix whose rows start `stride` elements apart.
    pub fn rows(offset: usize, stride: usize) -> Self {
        Self { offset, row_stride: stride, col_stride: 1 }
    }

    /// A column-major matrix whose columns start `stride` elements apart: the
    /// transpose of [`MatrixLayout::rows`].
    pub fn columns(offset: usize, stride: usize) -> Self {
        Self { offset, row_stride: 1, col_stride: stride }
    }

    /// The index of element `(i, j)`.
    fn at(&self, i: usize, j: usize) -> usize {
        self.offset + i * self.row_stride + j * self.col_stride
    }

    /// The same elements with rows and columns swapped.
    fn transposed(self) -> Self {
        Self { row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// The index past the last element of a `rows x cols` matrix, or `None` on
    /// overflow. An empty matrix touches nothing.
    fn end(&self, rows: usize, cols: usize) -> Option<usize> {
        if rows == 0 || cols == 0 {
            return Some(0);
        }
        let down = (rows - 1).checked_mul(self.row_stride)?;
        let right = (cols - 1).checked_mul(self.col_stride)?;
        self.offset.checked_add(down)?.checked_add(right)?.checked_add(1)
    }

    /// Returns whether no two of the `rows x cols` elements share an index.
    fn is_injective(&self, rows: usize, cols: usize) -> bool {
        let nests = |inner: usize, count: usize, outer: usize| {
            inner > 0 && count.checked_mul(inner).is_some_and(|span| span <= outer)
        };
        match (rows, cols) {
            (0 | 1, 0 | 1) => true,
            (_, 0 | 1) => self.row_stride > 0,
            (0 | 1, _) => self.col_stride > 0,
            _ => nests(self.row_stride, rows, self.col_stride) || nests(self.col_stride, cols, self.row_stride),
        }
    }
}

/// A matrix to read.
#[derive(Clone, Copy, Debug)]
pub struct Factor<'a, E> {
    /// The slice that holds it.
    pub data: &'a [E],
    /// Its place in the slice.
    pub layout: MatrixLayout,
}

impl<'a, E> Factor<'a, E> {
    /// Names a matrix of `data`.
    pub fn new(data: &'a [E], layout: MatrixLayout) -> Self {
        Self { data, layout }
    }

    /// The same elements with rows and columns swapped.
    fn transposed(self) -> Self {
        Self { layout: self.layout.transposed(), ..self }
    }
}

/// The sizes of a product: `dst` is `rows x cols`, `a` is `rows x depth`, `b` is
/// `depth x cols`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Rows of `a` and of `dst`.
    pub rows: usize,
    /// Columns of `b` and of `dst`.
    pub cols: usize,
    /// Columns of `a`, rows of `b`: the length of the sums.
    pub depth: usize,
}

/// `dst = a b` or `dst += a b`, on this thread.
///
/// Each element is the sum of stretches of at most `DEPTH` products, of equal length. Within one the products are added
/// up in ascending order, from zero and fused; the sums of stretches are added to `dst` in ascending order.
///
/// # Panics
///
/// If a matrix reaches past the end of its slice, or if two elements of `dst` share
/// an index.
pub fn product<E: Element>(
    sizes: Sizes,
    write: Write,
    a: Factor<'_, E>,
    b: Factor<'_, E>,
    dst: &mut [E],
    dst_layout: MatrixLayout,
) {
    let Sizes { rows, cols, depth } = sizes;
    if rows == 0 || cols == 0 {
        return;
    }
    let fits = |layout: &MatrixLayout, rows, cols, len| layout.end(rows, cols).is_some_and(|end| end <= len);
    assert!(fits(&a.layout, rows, depth, a.data.len()), "left factor out of bounds");
    assert!(fits(&b.layout, depth, cols, b.data.len()), "right factor out of bounds");
    assert!(fits(&dst_layout, rows, cols, dst.len()), "destination out of bounds");
    assert!(dst_layout.is_injective(rows, cols), "destination overlaps itself");
    if depth == 0 {
        // Nothing may be read here, and an offset of an empty factor may be anything.
        if write == Write::Replace {
            for i in 0..rows {
                for j in 0..cols {
                    dst[dst_layout.at(i, j)] = E::zero();
                }
            }
        }
        return;
    }
    // Lanes are columns; where `dst` has its rows side by side, the rows of the transposes.
    let by_rows = dst_layout.row_stride == 1 && (dst_layout.col_stride != 1 || cols == 1);
    with_kept(|memory: &mut Memory<E>| {
        dispatch(match by_rows {
            false => Product { sizes, write, a, b, dst, dst_layout, memory },
            true => Product {
                sizes: Sizes { rows: cols, cols: rows, depth },
                write,
                a: b.transposed(),
                b: a.transposed(),
                dst,
                dst_layout: dst_layout.transposed(),
                memory,
            },
        });
    });
}

/// The working memory of a product.
#[derive(Debug, Default)]
struct Memory<E> {
    /// Bands of the right factor.
    bands: Buffer<E>,
    /// Some rows of the left one.
    rows: Buffer<E>,
}

/// A product whose sizes are checked and positive.
struct Product<'a, E> {
    sizes: Sizes,
    write: Write,
    a: Factor<'a, E>,
    b: Factor<'a, E>,
    dst: &'a mut [E],
    dst_layout: MatrixLayout,
    memory: &'a mut Memory<E>,
}

impl<E: Element> Kernel for Product<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { sizes: Sizes { rows, cols, depth }, write, a, b, dst, dst_layout, memory } = self;
        let lanes = band::<E::Lane<S>>();
        let step = even_part(depth, DEPTH);
        for k in (0..depth).step_by(step) {
            let depth = step.min(depth - k);
            let add = write == Write::Add || k > 0;
            for first in (0..cols).step_by(LANES) {
                let count = LANES.min(cols - first);
                let bands = memory.bands.take(count.div_ceil(lanes) * depth * lanes);
                pack_bands::<S, E>(b, [k, first], [depth, count], bands);
                in_pieces!(E::Lane<S>, rows, |row, N| {
                    // Rows whose elements lie side by side are read where they are.
                    let in_place = a.layout.col_stride == 1;
                    let packed = memory.rows.take(if in_place { 0 } else { N * depth });
                    pack_rows::<E, N>(a, [row, k], packed);
                    for (index, band) in bands.chunks_exact(depth * lanes).enumerate() {
                        let sums: Sums<E::Lane<S>, N> = if in_place {
                            row_sums(&a.data[a.layout.at(row, k)..], a.layout.row_stride, band, depth)
                        } else {
                            column_sums(std::iter::once(Stretch { b: packed, a: band, depth }), 0, N)
                        };
                        let col = first + index * lanes;
                        put(sums, add, dst, dst_layout, [row, col], lanes.min(cols - col));
                    }
                });
            }
        }
    }
}

/// Writes bands `[band, row, lane]` of some rows and columns of the right factor. Lanes without a column become zero.
#[inline(always)]
fn pack_bands<S: Simd, E: Element>(
    factor: Factor<'_, E>,
    [row, col]: [usize; 2],
    [rows, cols]: [usize; 2],
    to: &mut [E],
) {
    let lanes = band::<E::Lane<S>>();
    let Factor { data, layout } = factor;
    for (index, to) in to.chunks_exact_mut(rows * lanes).enumerate() {
        let col = col + index * lanes;
        let present = lanes.min(cols - index * lanes);
        if present < lanes {
            to.fill(E::zero());
        }
        if layout.col_stride == 1 && present == lanes {
            for (row, to) in (row..).zip(to.chunks_exact_mut(lanes)) {
                let from = &data[layout.at(row, col)..][..lanes];
                for (to, from) in to.chunks_exact_mut(E::Lane::<S>::WIDTH).zip(from.chunks_exact(E::Lane::<S>::WIDTH)) {
                    E::Lane::<S>::load(from).store(to);
                }
            }
        } else if layout.row_stride == 1 {
            let mut to = Strided { data: to, stride: lanes };
            transpose_into::<S, E>(
                &data[layout.at(row, col)..],
                layout.col_stride,
                present,
                rows,
                &mut to,
                Write::Replace,
            );
        } else {
            for (row, to) in (row..).zip(to.chunks_exact_mut(lanes)) {
                for (col, to) in (col..).zip(&mut to[..present]) {
                    *to = data[layout.at(row, col)];
                }
            }
        }
    }
}

/// Writes elements of `N` rows of the left factor, `[depth, N]`, as many as there is room for.
#[inline(always)]
fn pack_rows<E: Element, const N: usize>(Factor { data, layout }: Factor<'_, E>, [row, col]: [usize; 2], to: &mut [E]) {
    for (col, to) in (col..).zip(to.as_chunks_mut::<N>().0) {
        let from = &data[layout.at(row, col)..];
        if layout.row_stride == 1 {
            to.copy_from_slice(&from[..N]);
        } else {
            for (j, to) in to.iter_mut().enumerate() {
                *to = from[j * layout.row_stride];
            }
        }
    }
}

/// Writes the sums of `N` rows and the first `count` lanes of a band, or adds them to what is there.
#[inline(always)]
fn put<V: Lane, const N: usize>(
    sums: Sums<V, N>,
    add: bool,
    dst: &mut [V::Elem],
    layout: MatrixLayout,
    [row, col]: [usize; 2],
    count: usize,
) {
    for (row, sums) in (row..).zip(sums) {
        let to = &mut dst[layout.at(row, col)..];
        if layout.col_stride == 1 && count == band::<V>() {
            for (to, sum) in to[..count].chunks_exact_mut(V::WIDTH).zip(sums) {
                let sum = if add { V::load(to) + sum } else { sum };
                sum.store(to);
            }
        } else {
            let mut values = [V::Elem::default(); MAX_BAND];
            for (values, sum) in values.chunks_exact_mut(V::WIDTH).zip(sums) {
                sum.store(values);
            }
            // A single column may lie at a distance of zero.
            for (to, &value) in to.iter_mut().step_by(layout.col_stride.max(1)).zip(&values[..count]) {
                *to = if add { *to + value } else { value };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::cpu::testing::{bits, narrow, relative_l2, same_everywhere, tolerance, values};

    /// A layout with gaps: padding between lines, an offset, either order.
    fn gapped(rows: usize, cols: usize, by_rows: bool) -> (MatrixLayout, usize) {
        let layout = match by_rows {
            true => MatrixLayout::rows(3, cols + 2),
            false => MatrixLayout::columns(5, rows + 1),
        };
        (layout, layout.end(rows, cols).unwrap())
    }

    fn check<E: Element>(sizes: Sizes, orders: [bool; 3], write: Write) {
        let Sizes { rows, cols, depth } = sizes;
        let (a_layout, a_len) = gapped(rows, depth, orders[0]);
        let (b_layout, b_len) = gapped(depth, cols, orders[1]);
        let (c_layout, c_len) = gapped(rows, cols, orders[2]);
        let (a, b, old) = (values(a_len, 1), values(b_len, 2), values(c_len, 3));
        let at = |layout: &MatrixLayout, i, j| layout.offset + i * layout.row_stride + j * layout.col_stride;
        let mut want = old.clone();
        let mut got: Vec<E> = narrow(&old);
        for i in 0..rows {
            for j in 0..cols {
                let sum: f64 = (0..depth).map(|k| a[at(&a_layout, i, k)] * b[at(&b_layout, k, j)]).sum();
                let index = at(&c_layout, i, j);
                want[index] = sum;
                if write == Write::Add {
                    want[index] += old[index];
                } else {
                    got[index] = E::nan();
                }
            }
        }
        let (a, b): (Vec<E>, Vec<E>) = (narrow(&a), narrow(&b));
        let (a, b) = (Factor::new(&a, a_layout), Factor::new(&b, b_layout));
        let got = same_everywhere((sizes, orders, write), || {
            let mut got = got.clone();
            product(sizes, write, a, b, &mut got, c_layout);
            bits(&got)
        });
        let got: Vec<E> = got.into_iter().map(|bits| E::of(f64::from_bits(bits))).collect();
        // The gaps of `dst` are compared too: they must keep their contents.
        let error = relative_l2(&got, &want);
        assert!(error < tolerance::<E>(), "{sizes:?} {orders:?} {write:?}: {error:e}");
    }

    #[test]
    fn products_in_every_order_match_the_sums_at_every_level() {
        let sizes = [(1, 1, 1), (1, 9, 5), (9, 1, 5), (7, 5, 2), (17, 70, 33), (130, 13, 65), (29, 300, 600)];
        for (rows, cols, depth) in sizes.into_iter().chain([(3, 4, 0)]) {
            for bits in 0..8 {
                let orders = [bits & 1 > 0, bits & 2 > 0, bits & 4 > 0];
                for write in [Write::Replace, Write::Add] {
                    check::<f64>(Sizes { rows, cols, depth }, orders, write);
                    check::<f32>(Sizes { rows, cols, depth }, orders, write);
                }
            }
        }
    }

    fn square(a: &[f32], a_layout: MatrixLayout, dst: &mut [f32], dst_layout: MatrixLayout) {
        let sizes = Sizes { rows: 2, cols: 2, depth: 2 };
        let b = Factor::new(&[1.0; 4], MatrixLayout::rows(0, 2));
        product(sizes, Write::Add, Factor::new(a, a_layout), b, dst, dst_layout);
    }

    #[test]
    #[should_panic(expected = "left factor out of bounds")]
    fn a_factor_past_its_end_is_refused() {
        square(&[0.0; 4], MatrixLayout::rows(1, 2), &mut [0.0; 4], MatrixLayout::rows(0, 2));
    }

    #[test]
    #[should_panic(expected = "left factor out of bounds")]
    fn an_overflowing_stride_is_refused() {
        square(&[0.0; 4], MatrixLayout::rows(0, usize::MAX), &mut [0.0; 4], MatrixLayout::rows(0, 2));
    }

    #[test]
    #[should_panic(expected = "destination out of bounds")]
    fn a_destination_past_its_end_is_refused() {
        square(&[0.0; 4], MatrixLayout::rows(0, 2), &mut [0.0; 3], MatrixLayout::rows(0, 2));
    }

    #[test]
    #[should_panic(expected = "destination overlaps itself")]
    fn an_overlapping_destination_is_refused() {
        square(&[0.0; 4], MatrixLayout::rows(0, 2), &mut [0.0; 4], MatrixLayout::rows(0, 1));
    }
}
