//! Matrix products on registers.
//!
//! Each is `c[j, lane] = sum over k of b[j, k] a[k, lane]` for a band of two registers of lanes. `a` is read in order
//! and an element of `b` serves the whole band, so that only `a` must be packed, and in minimal filtering nothing:
//! there the transforms write both factors as they are read here.

use crate::kernel::cpu::simd::{Kernel, Lane, Level, MAX_WIDTH, Simd, dispatch_at, widest};
use crate::kernel::element::Element;

/// Registers in a band.
pub const REGISTERS: usize = 2;

/// Steps of a sum that are written out one after another.
const STEPS: usize = 4;

/// Lanes of a band at an instruction set.
pub const fn band<V: Lane>() -> usize {
    REGISTERS * V::WIDTH
}

/// [`band`] at an instruction set.
pub fn band_at<E: Element>(level: Level) -> usize {
    struct Band<E>(std::marker::PhantomData<E>);
    impl<E: Element> Kernel for Band<E> {
        type Output = usize;
        #[inline(always)]
        fn run<S: Simd>(self) -> usize {
            band::<E::Lane<S>>()
        }
    }
    dispatch_at(level, Band::<E>(std::marker::PhantomData))
}

/// Elements of the widest band.
pub const MAX_BAND: usize = REGISTERS * MAX_WIDTH;

/// [`band`] at the instruction set with the [`widest`] registers.
pub const fn widest_band<E>() -> usize {
    REGISTERS * widest::<E>()
}

/// The distance between points that have `len` elements each: a cache line more, so that the points of one tile do not
/// fall on the same few lines of the first cache level.
pub const fn apart(len: usize) -> usize {
    len + 16
}

/// Rows of `c` that are computed at once: what fits in registers, 32 of them with AVX-512, 16 without.
pub const fn rows_at_once<V: Lane>() -> usize {
    if V::WIDTH * size_of::<V::Elem>() >= 64 { 12 } else { 6 }
}

/// Number of rows to compute next, of the `left` that remain.
pub const fn next_rows<V: Lane>(left: usize) -> usize {
    match (rows_at_once::<V>(), left) {
        // As many would go into two pieces, and these are of one size.
        (12, 16) => 8,
        (6, 8) => 4,
        (most, _) if left >= most => most,
        (_, 8..) => 8,
        (_, 6..) => 6,
        (_, 4..) => 4,
        (_, 2..) => 2,
        _ => 1,
    }
}

/// Runs a block for pieces of rows, with the index of the first row and, as a constant, the number of rows.
macro_rules! in_pieces {
    ($lane:ty, $rows:expr, |$row:ident, $n:ident| $run:expr) => {
        in_pieces!(@sizes [12, 8, 6, 4, 2, 1] $lane, $rows, |$row, $n| $run)
    };
    (@sizes [$($size:literal),*] $lane:ty, $rows:expr, |$row:ident, $n:ident| $run:expr) => {{
        let (mut $row, rows): (usize, usize) = (0, $rows);
        while $row < rows {
            let piece = $crate::kernel::cpu::registers::next_rows::<$lane>(rows - $row);
            // What has no room in the registers is left out at compile time.
            $(if $size <= $crate::kernel::cpu::registers::rows_at_once::<$lane>() && piece == $size {
                const $n: usize = $size;
                $run;
            })*
            $row += piece;
        }
    }};
}

pub(super) use in_pieces;

/// `c[j] = sum over k of b[j, k] a[k]`, rows of `b` being `b_stride` apart, and the band `a` packed. Of `a` and `c` the
/// first `lanes` are in use; what a register without any of them would hold is neither read nor written.
#[inline(always)]
pub fn rows_by_band<S: Simd, E: Element>(
    (b, b_stride): (&[E], usize),
    a: &[E],
    c: &mut [E],
    (rows, lanes): (usize, usize),
) {
    let depth = a.len() / band::<E::Lane<S>>();
    let band = band::<E::Lane<S>>();
    in_pieces!(E::Lane<S>, rows, |row, N| {
        let (b, c) = (&b[row * b_stride..], &mut c[row * band..]);
        if lanes <= E::Lane::<S>::WIDTH {
            some_rows::<E::Lane<S>, N, 1>(b, b_stride, a, depth, c);
        } else {
            some_rows::<E::Lane<S>, N, REGISTERS>(b, b_stride, a, depth, c);
        }
    });
}

/// The first registers of a row of a band.
#[inline(always)]
fn registers<V: Lane, const R: usize>(a: &[V::Elem]) -> [V; R] {
    let mut registers = [V::of(0.0); R];
    for (r, register) in registers.iter_mut().enumerate() {
        *register = V::load(&a[r * V::WIDTH..]);
    }
    registers
}

/// The sums of some rows, in registers.
pub type Sums<V, const ROWS: usize, const R: usize = REGISTERS> = [[V; R]; ROWS];

/// `sum over k of b[j, k] a[k]` for `ROWS` rows of `b`, which are `b_stride` apart.
#[inline(always)]
pub fn row_sums<V: Lane, const ROWS: usize>(
    b: &[V::Elem],
    b_stride: usize,
    a: &[V::Elem],
    depth: usize,
) -> Sums<V, ROWS> {
    let rows: [_; ROWS] = std::array::from_fn(|j| &b[j * b_stride..][..depth]);
    let mut sums = [[V::of(0.0); REGISTERS]; ROWS];
    for (k, a) in a.chunks_exact(band::<V>()).enumerate().take(depth) {
        add_step(&mut sums, registers::<V, REGISTERS>(a), |j| rows[j][k]);
    }
    sums
}

/// As [`row_sums`], with some steps written out, so that what the compiler checks and counts is shared by them: 15 %
/// faster with AVX-512 over the short depths of minimal filtering. In a product of 768 x 768 x 768 the compiler has not
/// enough registers left for the sums: 72 GFLOP/s and not 124 (AVX2), 174 and not 237 (AVX-512).
#[inline(always)]
fn short_row_sums<V: Lane, const ROWS: usize, const R: usize>(
    b: &[V::Elem],
    b_stride: usize,
    a: &[V::Elem],
    depth: usize,
) -> Sums<V, ROWS, R> {
    let rows: [_; ROWS] = std::array::from_fn(|j| b[j * b_stride..][..depth].as_chunks::<STEPS>());
    let (whole, rest) = a.split_at(depth / STEPS * STEPS * band::<V>());
    let mut sums = [[V::of(0.0); R]; ROWS];
    for (at, a) in whole.chunks_exact(STEPS * band::<V>()).enumerate() {
        let b: [&[V::Elem; STEPS]; ROWS] = std::array::from_fn(|j| &rows[j].0[at]);
        for k in 0..STEPS {
            let a = registers::<V, R>(&a[k * band::<V>()..]);
            add_step(&mut sums, a, |j| b[j][k]);
        }
    }
    for (k, a) in (0..depth % STEPS).zip(rest.chunks_exact(band::<V>())) {
        add_step(&mut sums, registers::<V, R>(a), |j| rows[j].1[k]);
    }
    sums
}

/// Adds `b[j] a` to each row.
#[inline(always)]
pub fn add_step<V: Lane, const ROWS: usize, const R: usize>(
    sums: &mut Sums<V, ROWS, R>,
    a: [V; R],
    b: impl Fn(usize) -> V::Elem,
) {
    for (j, sums) in sums.iter_mut().enumerate() {
        let b = V::splat(b(j));
        for (sum, a) in sums.iter_mut().zip(a) {
            *sum = b.mul_add(a, *sum);
        }
    }
}

#[inline(always)]
fn some_rows<V: Lane, const ROWS: usize, const R: usize>(
    b: &[V::Elem],
    b_stride: usize,
    a: &[V::Elem],
    depth: usize,
    c: &mut [V::Elem],
) {
    let sums = short_row_sums::<V, ROWS, R>(b, b_stride, a, depth);
    for (c, sums) in c.chunks_exact_mut(band::<V>()).zip(sums) {
        for (r, sum) in sums.into_iter().enumerate() {
            sum.store(&mut c[r * V::WIDTH..]);
        }
    }
}

/// One of several stretches of the depth of [`columns_by_band`].
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a, E> {
    /// Rows of `b`, `[depth, b_stride]`.
    pub b: &'a [E],
    /// The packed band, `[depth, band]`.
    pub a: &'a [E],
    /// Number of terms of the sums.
    pub depth: usize,
}

/// `c[j] += sum over k of b[k, j] a[k]` for `columns` columns of `b`, over several stretches of `k` one after another.
/// Rows of `b` are `b_stride` apart, the band `a` is packed; `lanes` as for [`rows_by_band`].
#[inline(always)]
pub fn columns_by_band<'a, S: Simd, E: Element>(
    stretches: impl Iterator<Item = Stretch<'a, E>> + Clone,
    b_stride: usize,
    c: &mut [E],
    (columns, lanes): (usize, usize),
) {
    let band = band::<E::Lane<S>>();
    in_pieces!(E::Lane<S>, columns, |column, N| {
        let (stretches, c) = (stretches.clone(), &mut c[column * band..]);
        if lanes <= E::Lane::<S>::WIDTH {
            some_columns::<E::Lane<S>, N, 1>(stretches, column, b_stride, c);
        } else {
            some_columns::<E::Lane<S>, N, REGISTERS>(stretches, column, b_stride, c);
        }
    });
}

/// `sum over k of b[k, column + j] a[k]` for `COLUMNS` columns of `b`.
#[inline(always)]
pub fn column_sums<'a, V: Lane, const COLUMNS: usize, const R: usize>(
    stretches: impl Iterator<Item = Stretch<'a, V::Elem>>,
    column: usize,
    b_stride: usize,
) -> Sums<V, COLUMNS, R> {
    let mut sums = [[V::of(0.0); R]; COLUMNS];
    for Stretch { b, a, depth } in stretches {
        let (b, a) = (&b[..depth * b_stride], &a[..depth * band::<V>()]);
        for (b, a) in b.chunks_exact(b_stride).zip(a.chunks_exact(band::<V>())) {
            let b = b[column..].first_chunk::<COLUMNS>().expect("as many columns");
            add_step(&mut sums, registers::<V, R>(a), |j| b[j]);
        }
    }
    sums
}

#[inline(always)]
fn some_columns<'a, V: Lane, const COLUMNS: usize, const R: usize>(
    stretches: impl Iterator<Item = Stretch<'a, V::Elem>>,
    column: usize,
    b_stride: usize,
    c: &mut [V::Elem],
) {
    let sums = column_sums::<V, COLUMNS, R>(stretches, column, b_stride);
    for (c, sums) in c.chunks_exact_mut(band::<V>()).zip(sums) {
        for (r, sum) in sums.into_iter().enumerate() {
            let c = &mut c[r * V::WIDTH..];
            (V::load(c) + sum).store(c);
        }
    }
}
