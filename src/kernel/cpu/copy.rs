//! Copies in the shapes that the kernels need.

use super::simd::{Kernel, Lane, MAX_WIDTH, Simd, dispatch};
use crate::kernel::element::Element;
use crate::kernel::write::Write;

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

/// Copies every `step`-th element, from the first on, to all of `to`. In pairs where every second one is taken, which
/// the compiler makes shuffles of registers of.
#[inline(always)]
pub fn take_every<E: Copy>(step: usize, from: &[E], to: &mut [E]) {
    match step {
        1 => to.copy_from_slice(&from[..to.len()]),
        2 => {
            let (pairs, last) = from.as_chunks::<2>();
            to.iter_mut().zip(pairs).for_each(|(to, from)| *to = from[0]);
            if let (Some(to), Some(&from)) = (to.get_mut(pairs.len()), last.first()) {
                *to = from;
            }
        }
        _ => to.iter_mut().zip(from.iter().step_by(step)).for_each(|(to, &from)| *to = from),
    }
}

/// Copies `from` to the start of `to` by registers: fast for runs of some registers, which a call is hardly worth.
#[inline(always)]
pub fn copy_registers<V: Lane>(from: &[V::Elem], to: &mut [V::Elem]) {
    let to = &mut to[..from.len()];
    // In pairs: a loop of single registers would be turned into the call.
    let (mut froms, mut tos) = (from.chunks_exact(2 * V::WIDTH), to.chunks_exact_mut(2 * V::WIDTH));
    for (to, from) in (&mut tos).zip(&mut froms) {
        let registers = [V::load(from), V::load(&from[V::WIDTH..])];
        registers[0].store(to);
        registers[1].store(&mut to[V::WIDTH..]);
    }
    let (mut from, mut to) = (froms.remainder(), tos.into_remainder());
    if from.len() >= V::WIDTH {
        V::load(from).store(to);
        (from, to) = (&from[V::WIDTH..], &mut to[V::WIDTH..]);
    }
    copy_run(from, to);
}

/// The rows of a matrix that is written in pieces.
pub trait Rows<E> {
    /// A slice that starts with row `index`, and may reach beyond it.
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
            let mut to = Strided { data, stride: rows };
            transpose_into::<S, E>(from, stride, rows, cols, &mut to, Write::Replace);
        }
    }
    dispatch(Transpose(from, stride, [rows, cols], to));
}

/// The same with rows that lie anywhere, to be replaced or added to.
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
    write: Write,
) {
    /// Elements of a cache line of `f32`. Rows of `to` are often a multiple of a page apart, where the lines of all
    /// fall on the same few places of the first cache level: each is written whole before the next ones drive it out.
    const LINE: usize = 16;
    let side = E::Lane::<S>::WIDTH;
    for row in (0..rows).step_by(LINE) {
        for col in (0..cols).step_by(side) {
            for row in (row..rows.min(row + LINE)).step_by(side) {
                let (height, width) = (side.min(rows - row), side.min(cols - col));
                transpose_square::<E::Lane<S>>(
                    &from[row * stride + col..],
                    stride,
                    [height, width],
                    row,
                    col,
                    to,
                    write,
                );
            }
        }
    }
}

/// A square that fits in registers, or part of one.
#[inline(always)]
fn transpose_square<V: Lane>(
    from: &[V::Elem],
    stride: usize,
    [height, width]: [usize; 2],
    row: usize,
    col: usize,
    to: &mut (impl Rows<V::Elem> + ?Sized),
    write: Write,
) {
    let mut square = [V::of(0.0); MAX_WIDTH];
    if [height, width] == [V::WIDTH; 2] {
        for (i, register) in square.iter_mut().enumerate().take(V::WIDTH) {
            *register = V::load(&from[i * stride..]);
        }
        V::transpose(&mut square);
        for (j, register) in square.into_iter().enumerate().take(V::WIDTH) {
            let to = &mut to.row(col + j)[row..][..V::WIDTH];
            match write {
                Write::Replace => register.store(to),
                Write::Add => (V::load(to) + register).store(to),
            }
        }
    } else if 2 * height.min(width) > V::WIDTH {
        for (i, register) in square.iter_mut().enumerate().take(height) {
            *register = V::load_partial(&from[i * stride..][..width]);
        }
        V::transpose(&mut square);
        for (j, register) in square.into_iter().enumerate().take(width) {
            let to = &mut to.row(col + j)[row..][..height];
            match write {
                Write::Replace => register.store_partial(to),
                Write::Add => (V::load_partial(to) + register).store_partial(to),
            }
        }
    } else {
        for j in 0..width {
            let to = &mut to.row(col + j)[row..][..height];
            for (i, to) in to.iter_mut().enumerate() {
                let value = from[i * stride + j];
                *to = if write == Write::Add { *to + value } else { value };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::cpu::simd::{Level, dispatch_at};

    #[test]
    fn runs_of_every_length_are_copied() {
        for len in 0..40 {
            let from: Vec<usize> = (1..=len).collect();
            let mut to = vec![0; len];
            copy_run(&from, &mut to);
            assert_eq!(from, to);
        }
    }

    struct Copy<'a, E>(&'a [E], &'a mut [E]);

    impl<E: Element> Kernel for Copy<'_, E> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self) {
            copy_registers::<E::Lane<S>>(self.0, self.1);
        }
    }

    #[test]
    fn elements_at_equal_distances_are_taken() {
        for step in 1..4 {
            for len in [0_usize, 1, 2, 7, 40] {
                // No more elements than are needed.
                let from: Vec<usize> = (0..(len * step).saturating_sub(step - 1)).collect();
                let mut to = vec![usize::MAX; len];
                take_every(step, &from, &mut to);
                assert!(to.iter().enumerate().all(|(index, &taken)| taken == index * step), "{step} {len}: {to:?}");
            }
        }
    }

    #[test]
    fn runs_of_every_length_are_copied_by_registers() {
        for level in Level::available() {
            for len in 0..100 {
                let from: Vec<f32> = (1..=len).map(|value| value as f32).collect();
                let mut to = vec![0.0; from.len() + 1];
                dispatch_at(level, Copy(&from, &mut to));
                assert_eq!((&to[..from.len()], to[from.len()]), (&from[..], 0.0), "{level:?}");
            }
        }
    }

    struct Transpose<'a, E>(&'a [E], usize, [usize; 2], &'a mut [E], Write);

    impl<E: Element> Kernel for Transpose<'_, E> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self) {
            let Self(from, stride, [rows, cols], data, write) = self;
            transpose_into::<S, E>(from, stride, rows, cols, &mut Strided { data, stride: rows }, write);
        }
    }

    fn check<E: Element>(level: Level, [rows, cols, stride]: [usize; 3]) {
        // As little as may be read.
        let from: Vec<E> = (0..(rows - 1) * stride + cols).map(|i| E::of(i as f64)).collect();
        for (write, old) in [(Write::Replace, 0.0), (Write::Add, 0.5)] {
            let mut to = vec![E::of(0.5); rows * cols];
            dispatch_at(level, Transpose(&from, stride, [rows, cols], &mut to, write));
            for (i, j) in (0..rows).flat_map(|i| (0..cols).map(move |j| (i, j))) {
                let want = (i * stride + j) as f64 + old;
                assert_eq!(to[j * rows + i].wide(), want, "{level:?} {rows}x{cols} at {i}, {j}");
            }
        }
    }

    #[test]
    fn transposition_swaps_the_indices_at_every_level() {
        for level in Level::available() {
            for rows in (1..=18).chain([24, 31, 33, 49]) {
                for cols in (1..=18).chain([24, 31, 33, 49]) {
                    check::<f32>(level, [rows, cols, cols + rows % 3]);
                    check::<f64>(level, [rows, cols, cols + rows % 3]);
                }
            }
        }
    }
}
