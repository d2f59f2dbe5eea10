//! Maximum pooling with windows of 2 by 2, side by side: the common case, whole rows at a time.

use crate::kernel::Element;
use crate::kernel::cpu::simd::{Kernel, Simd};
use crate::kernel::shape::PoolShape;

pub(super) struct Forward2x2<'a, E> {
    pub shape: PoolShape,
    pub x: &'a [E],
    /// The first output row, counted over all planes.
    pub first: usize,
    pub y: &'a mut [E],
    pub argmax: Option<&'a mut [u8]>,
}

/// The later of two elements if it is greater or NaN.
#[inline(always)]
fn wins<E: Element>(later: E, earlier: E) -> bool {
    (later > earlier) | later.is_nan()
}

impl<E: Element> Kernel for Forward2x2<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Forward2x2 { shape, x, first, y, argmax } = self;
        let (height, width) = (shape.out_height(), shape.out_width());
        match argmax {
            None => {
                for (i, y) in y.chunks_mut(width).enumerate() {
                    let (above, below) = two_rows(shape, x, (first + i) / height, (first + i) % height);
                    for ((y, above), below) in y.iter_mut().zip(above.chunks_exact(2)).zip(below.chunks_exact(2)) {
                        let mut best = above[0];
                        best = if wins(above[1], best) { above[1] } else { best };
                        best = if wins(below[0], best) { below[0] } else { best };
                        best = if wins(below[1], best) { below[1] } else { best };
                        *y = best;
                    }
                }
            }
            Some(argmax) => {
                for (i, (y, marks)) in y.chunks_mut(width).zip(argmax.chunks_mut(width)).enumerate() {
                    let (above, below) = two_rows(shape, x, (first + i) / height, (first + i) % height);
                    let pairs = above.chunks_exact(2).zip(below.chunks_exact(2));
                    for ((y, mark), (above, below)) in y.iter_mut().zip(marks).zip(pairs) {
                        let (mut best, mut place) = (above[0], 0);
                        (best, place) = if wins(above[1], best) { (above[1], 1) } else { (best, place) };
                        (best, place) = if wins(below[0], best) { (below[0], 2) } else { (best, place) };
                        (best, place) = if wins(below[1], best) { (below[1], 3) } else { (best, place) };
                        (*y, *mark) = (best, place);
                    }
                }
            }
        }
    }
}

/// The rows of the image under a row of windows.
#[inline(always)]
fn two_rows<E>(shape: PoolShape, x: &[E], plane: usize, row: usize) -> (&[E], &[E]) {
    let start = plane * shape.in_plane() + 2 * row * shape.in_width;
    x[start..start + 2 * shape.in_width].split_at(shape.in_width)
}
