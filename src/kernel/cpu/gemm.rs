//! A checked, safe face on the matrix product of the `gemm` crate.
//!
//! Every index that the product can touch is proved to lie inside the given slices
//! first.
//!
//! The product runs on the calling thread. The kernels above split their work
//! themselves, by sizes only, so that the numbers never depend on the number of
//! threads. The crate picks the widest instruction set at run time.

use super::write::Write;
use crate::kernel::element::Element;

/// Where the elements of a matrix lie in a slice: element `(i, j)` is at index
/// `offset + i * row_stride + j * col_stride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Index of element `(0, 0)`.
    pub offset: usize,
    /// Distance between neighbours in a column.
    pub row_stride: usize,
    /// Distance between neighbours in a row.
    pub col_stride: usize,
}

impl Layout {
    /// A row-major matrix whose rows start `stride` elements apart.
    pub fn rows(offset: usize, stride: usize) -> Self {
        Self { offset, row_stride: stride, col_stride: 1 }
    }

    /// A column-major matrix whose columns start `stride` elements apart: the
    /// transpose of [`Layout::rows`].
    pub fn columns(offset: usize, stride: usize) -> Self {
        Self { offset, row_stride: 1, col_stride: stride }
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

    /// Whether no two of the `rows x cols` elements share an index.
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
    pub layout: Layout,
}

impl<'a, E> Factor<'a, E> {
    /// Names a matrix of `data`.
    pub fn new(data: &'a [E], layout: Layout) -> Self {
        Self { data, layout }
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

/// `dst = alpha a b` or `dst += alpha a b`, on this thread.
///
/// The order of the sums depends on the sizes, on the strides and on the machine
/// (instruction set, cache sizes), never on the number of threads.
///
/// # Panics
///
/// If a matrix reaches past the end of its slice, or if two elements of `dst` share
/// an index.
pub fn product<E: Element>(
    sizes: Sizes,
    write: Write,
    alpha: E,
    a: Factor<'_, E>,
    b: Factor<'_, E>,
    dst: &mut [E],
    dst_layout: Layout,
) {
    let Sizes { rows, cols, depth } = sizes;
    if rows == 0 || cols == 0 {
        return;
    }
    let fits = |layout: &Layout, rows, cols, len| layout.end(rows, cols).is_some_and(|end| end <= len);
    assert!(fits(&a.layout, rows, depth, a.data.len()), "left factor out of bounds");
    assert!(fits(&b.layout, depth, cols, b.data.len()), "right factor out of bounds");
    assert!(fits(&dst_layout, rows, cols, dst.len()), "destination out of bounds");
    assert!(dst_layout.is_injective(rows, cols), "destination overlaps itself");
    if depth == 0 {
        // Nothing may be read here, and an offset of an empty factor may be anything.
        if write == Write::Replace {
            for i in 0..rows {
                for j in 0..cols {
                    let at = i * dst_layout.row_stride + j * dst_layout.col_stride;
                    dst[dst_layout.offset + at] = E::zero();
                }
            }
        }
        return;
    }

    // A stride along an axis of one element is never followed, so it may exceed
    // `isize`. Every other stride is below a slice length.
    let signed = |stride: usize| isize::try_from(stride).unwrap_or(isize::MAX);
    // SAFETY: all three matrices are non-empty here, so `end` above covers every
    // index `offset + i * row_stride + j * col_stride` with `i`, `j` in range, and
    // it is at most the slice length: each access of the product is inside its
    // slice, and each offset alone is too. `dst` is borrowed mutably, so it overlaps
    // neither factor, and its elements are distinct. `Element` is implemented for
    // `f32` and `f64` only, both known to `gemm`, which checks the type again by its
    // `TypeId`. Kernels for wider instruction sets are taken only where the CPU
    // reports them.
    unsafe {
        gemm::gemm(
            rows,
            cols,
            depth,
            dst.as_mut_ptr().add(dst_layout.offset),
            signed(dst_layout.col_stride),
            signed(dst_layout.row_stride),
            write == Write::Add,
            a.data.as_ptr().add(a.layout.offset),
            signed(a.layout.col_stride),
            signed(a.layout.row_stride),
            b.data.as_ptr().add(b.layout.offset),
            signed(b.layout.col_stride),
            signed(b.layout.row_stride),
            E::one(),
            alpha,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::cpu::testing::{narrow, relative_l2, tolerance, values};

    /// A layout with gaps: padding between lines, an offset, either order.
    fn gapped(rows: usize, cols: usize, by_rows: bool) -> (Layout, usize) {
        let layout = match by_rows {
            true => Layout::rows(3, cols + 2),
            false => Layout::columns(5, rows + 1),
        };
        (layout, layout.end(rows, cols).unwrap())
    }

    fn check<E: Element>(sizes: Sizes, orders: [bool; 3], write: Write) {
        let Sizes { rows, cols, depth } = sizes;
        let (a_layout, a_len) = gapped(rows, depth, orders[0]);
        let (b_layout, b_len) = gapped(depth, cols, orders[1]);
        let (c_layout, c_len) = gapped(rows, cols, orders[2]);
        let (a, b, old) = (values(a_len, 1), values(b_len, 2), values(c_len, 3));
        let at = |layout: &Layout, i, j| layout.offset + i * layout.row_stride + j * layout.col_stride;
        let mut want = old.clone();
        let mut got: Vec<E> = narrow(&old);
        for i in 0..rows {
            for j in 0..cols {
                let sum: f64 = (0..depth).map(|k| a[at(&a_layout, i, k)] * b[at(&b_layout, k, j)]).sum();
                let index = at(&c_layout, i, j);
                want[index] = 0.5 * sum;
                if write == Write::Add {
                    want[index] += old[index];
                } else {
                    got[index] = E::nan();
                }
            }
        }
        let (a, b): (Vec<E>, Vec<E>) = (narrow(&a), narrow(&b));
        let (a, b) = (Factor::new(&a, a_layout), Factor::new(&b, b_layout));
        product(sizes, write, E::of(0.5), a, b, &mut got, c_layout);
        // The gaps of `dst` are compared too: they must keep their contents.
        let error = relative_l2(&got, &want);
        assert!(error < tolerance::<E>(), "{sizes:?} {orders:?} {write:?}: {error:e}");
    }

    #[test]
    fn products_in_every_order_match_the_sums() {
        let sizes = [(1, 1, 1), (1, 9, 5), (9, 1, 5), (7, 5, 2), (17, 70, 33), (130, 13, 65)];
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

    fn square(a: &[f32], a_layout: Layout, dst: &mut [f32], dst_layout: Layout) {
        let sizes = Sizes { rows: 2, cols: 2, depth: 2 };
        let b = Factor::new(&[1.0; 4], Layout::rows(0, 2));
        product(sizes, Write::Add, 1.0, Factor::new(a, a_layout), b, dst, dst_layout);
    }

    #[test]
    #[should_panic(expected = "left factor out of bounds")]
    fn a_factor_past_its_end_is_refused() {
        square(&[0.0; 4], Layout::rows(1, 2), &mut [0.0; 4], Layout::rows(0, 2));
    }

    #[test]
    #[should_panic(expected = "left factor out of bounds")]
    fn an_overflowing_stride_is_refused() {
        square(&[0.0; 4], Layout::rows(0, usize::MAX), &mut [0.0; 4], Layout::rows(0, 2));
    }

    #[test]
    #[should_panic(expected = "destination out of bounds")]
    fn a_destination_past_its_end_is_refused() {
        square(&[0.0; 4], Layout::rows(0, 2), &mut [0.0; 3], Layout::rows(0, 2));
    }

    #[test]
    #[should_panic(expected = "destination overlaps itself")]
    fn an_overlapping_destination_is_refused() {
        square(&[0.0; 4], Layout::rows(0, 2), &mut [0.0; 4], Layout::rows(0, 1));
    }
}
