//! Copies in the shapes that the kernels need.

use super::simd::{Kernel, Simd, dispatch};
use crate::kernel::element::Element;

/// Copies `from` to `to`, fast for short runs. The rows of small images are shorter
/// than the call of a general copy is worth.
///
/// # Panics
///
/// If the lengths differ.
#[inline(always)]
pub fn copy_run<E: Copy>(from: &[E], to: &mut [E]) {
    assert_eq!(from.len(), to.len());
    if to.len() >= 16 {
        to.copy_from_slice(from);
        return;
    }
    // Straight-line code: a loop here would be turned back into the call.
    let (from, to) = copy_head::<E, 8>(from, to);
    let (from, to) = copy_head::<E, 4>(from, to);
    let (from, to) = copy_head::<E, 2>(from, to);
    copy_head::<E, 1>(from, to);
}

/// Copies the first `N` elements, if there are as many, and returns what is left.
#[inline(always)]
fn copy_head<'a, E: Copy, const N: usize>(from: &'a [E], to: &'a mut [E]) -> (&'a [E], &'a mut [E]) {
    if to.len() < N {
        return (from, to);
    }
    let (from_head, from) = from.split_first_chunk::<N>().expect("equal lengths");
    let (to_head, to) = to.split_first_chunk_mut::<N>().expect("length checked");
    *to_head = *from_head;
    (from, to)
}

/// The rows of a matrix that is written in pieces.
pub trait Rows<E> {
    /// Row `index`.
    fn row(&mut self, index: usize) -> &mut [E];
}

/// Rows that start `stride` elements apart.
#[derive(Debug)]
pub struct Strided<'a, E> {
    /// The matrix, and what lies between its rows.
    pub data: &'a mut [E],
    /// Distance between the starts of rows.
    pub stride: usize,
}

impl<E> Rows<E> for Strided<'_, E> {
    #[inline(always)]
    fn row(&mut self, index: usize) -> &mut [E] {
        &mut self.data[index * self.stride..]
    }
}

impl<E> Rows<E> for [&mut [E]] {
    #[inline(always)]
    fn row(&mut self, index: usize) -> &mut [E] {
        self[index]
    }
}

/// `to[j, i] = from[i, j]` for a `rows x cols` matrix whose rows start `stride`
/// elements apart in `from`. The rows of `to` are packed.
///
/// # Panics
///
/// If `from` or `to` is too short.
pub fn transpose<E: Element>(from: &[E], stride: usize, rows: usize, cols: usize, to: &mut [E]) {
    struct Transpose<'a, E>(&'a [E], usize, [usize; 2], &'a mut [E]);
    impl<E: Element> Kernel for Transpose<'_, E> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self) {
            let Self(from, stride, [rows, cols], data) = self;
            transpose_into::<S, E>(from, stride, rows, cols, &mut Strided { data, stride: rows }, |to, from| {
                *to = from
            });
        }
    }
    dispatch(Transpose(from, stride, [rows, cols], to));
}

/// The same with rows that lie anywhere, and `put` in the place of an assignment.
///
/// # Panics
///
/// If `from` or a row of `to` is too short.
#[inline(always)]
pub fn transpose_into<S: Simd, E: Element>(
    from: &[E],
    stride: usize,
    rows: usize,
    cols: usize,
    to: &mut (impl Rows<E> + ?Sized),
    put: impl Fn(&mut E, E) + Copy,
) {
    // Squares that fit in registers and use each cache line whole.
    const SIDE: usize = 8;
    for row in (0..rows).step_by(SIDE) {
        let height = SIDE.min(rows - row);
        for col in (0..cols).step_by(SIDE) {
            let width = SIDE.min(cols - col);
            if height == SIDE && width == SIDE {
                let mut square = [[E::default(); SIDE]; SIDE];
                for (i, line) in square.iter_mut().enumerate() {
                    line.copy_from_slice(&from[(row + i) * stride + col..][..SIDE]);
                }
                for (j, line) in E::transposed::<S>(&square).into_iter().enumerate() {
                    let to = &mut to.row(col + j)[row..][..SIDE];
                    for (to, from) in to.iter_mut().zip(line) {
                        put(to, from);
                    }
                }
            } else {
                for j in col..col + width {
                    let to = &mut to.row(j)[row..][..height];
                    for (i, to) in to.iter_mut().enumerate() {
                        put(to, from[(row + i) * stride + j]);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_every_length_are_copied() {
        for len in 0..40 {
            let from: Vec<usize> = (1..=len).collect();
            let mut to = vec![0; len];
            copy_run(&from, &mut to);
            assert_eq!(from, to);
        }
    }

    #[test]
    fn transposition_swaps_the_indices() {
        for (rows, cols, stride) in [(1, 1, 1), (8, 8, 8), (17, 9, 12), (3, 40, 41), (24, 16, 16)] {
            let from: Vec<f32> = (0..rows * stride).map(|i| i as f32).collect();
            let mut to = vec![-1.0; rows * cols];
            transpose(&from, stride, rows, cols, &mut to);
            for i in 0..rows {
                for j in 0..cols {
                    assert_eq!(to[j * rows + i], from[i * stride + j]);
                }
            }
        }
    }
}
