//! The sums of a few pixels and a few blocks of outputs, which stay in registers from the first product to the last.

use super::BLOCK;
use crate::kernel::cpu::simd::Lane;

/// Weights of a tap: an element for each of 16 inputs and 16 outputs.
pub(super) type Tap<E> = [E; BLOCK * BLOCK];

/// The outputs of one pixel that are computed together, as registers.
///
/// Registers have names and not indices wherever they are few: an array that a loop indexes is kept in memory by the
/// compiler, and writing and reading it at every tap takes a fifth of the time of the products.
pub(super) trait Outputs<V: Lane>: Copy {
    /// Number of registers of a pixel.
    const COUNT: usize;

    /// Sums before the first product.
    fn zero() -> Self;
    /// Elements that lie one after another.
    fn load(values: &[V::Elem]) -> Self;
    /// The weights of input `k`, in the taps of the block and of the one that follows it.
    fn weights(own: &Tap<V::Elem>, next: &Tap<V::Elem>, k: usize) -> Self;
    /// `self + x weights`, rounded once.
    fn add(self, x: V, weights: Self) -> Self;
    /// The register of number `r`.
    fn get(self, r: usize) -> V;
}

/// The part of the weights of input `k` that belongs to register `r`.
#[inline(always)]
fn weight<V: Lane>(own: &Tap<V::Elem>, next: &Tap<V::Elem>, k: usize, r: usize) -> V {
    let of_a_block = BLOCK / V::WIDTH;
    let tap = if r < of_a_block { own } else { next };
    V::load(&tap[k * BLOCK + r % of_a_block * V::WIDTH..])
}

/// One register, which is a block.
#[derive(Clone, Copy)]
pub(super) struct One<V>(V);

impl<V: Lane> Outputs<V> for One<V> {
    const COUNT: usize = 1;

    #[inline(always)]
    fn zero() -> Self {
        Self(V::of(0.0))
    }
    #[inline(always)]
    fn load(values: &[V::Elem]) -> Self {
        Self(V::load(values))
    }
    #[inline(always)]
    fn weights(own: &Tap<V::Elem>, next: &Tap<V::Elem>, k: usize) -> Self {
        Self(weight(own, next, k, 0))
    }
    #[inline(always)]
    fn add(self, x: V, weights: Self) -> Self {
        Self(x.mul_add(weights.0, self.0))
    }
    #[inline(always)]
    fn get(self, _: usize) -> V {
        self.0
    }
}

/// Two registers: two blocks, or the halves of one.
#[derive(Clone, Copy)]
pub(super) struct Two<V>(V, V);

impl<V: Lane> Outputs<V> for Two<V> {
    const COUNT: usize = 2;

    #[inline(always)]
    fn zero() -> Self {
        Self(V::of(0.0), V::of(0.0))
    }
    #[inline(always)]
    fn load(values: &[V::Elem]) -> Self {
        Self(V::load(values), V::load(&values[V::WIDTH..]))
    }
    #[inline(always)]
    fn weights(own: &Tap<V::Elem>, next: &Tap<V::Elem>, k: usize) -> Self {
        Self(weight(own, next, k, 0), weight(own, next, k, 1))
    }
    #[inline(always)]
    fn add(self, x: V, weights: Self) -> Self {
        Self(x.mul_add(weights.0, self.0), x.mul_add(weights.1, self.1))
    }
    #[inline(always)]
    fn get(self, r: usize) -> V {
        if r == 0 { self.0 } else { self.1 }
    }
}

/// The registers of a block where these are narrow.
#[derive(Clone, Copy)]
pub(super) struct Many<V, const R: usize>([V; R]);

impl<V: Lane, const R: usize> Outputs<V> for Many<V, R> {
    const COUNT: usize = R;

    #[inline(always)]
    fn zero() -> Self {
        Self([V::of(0.0); R])
    }
    #[inline(always)]
    fn load(values: &[V::Elem]) -> Self {
        Self(std::array::from_fn(|r| V::load(&values[r * V::WIDTH..])))
    }
    #[inline(always)]
    fn weights(own: &Tap<V::Elem>, next: &Tap<V::Elem>, k: usize) -> Self {
        Self(std::array::from_fn(|r| weight(own, next, k, r)))
    }
    #[inline(always)]
    fn add(self, x: V, weights: Self) -> Self {
        Self(std::array::from_fn(|r| x.mul_add(weights.0[r], self.0[r])))
    }
    #[inline(always)]
    fn get(self, r: usize) -> V {
        self.0[r]
    }
}

/// Pixels that have room in the registers, with `count` registers each.
pub(super) const fn largest<V: Lane>(count: usize) -> usize {
    match (V::WIDTH * size_of::<V::Elem>() >= 64, count) {
        (true, ..=2) => 14,
        (true, _) => 6,
        (false, ..=2) => 6,
        (false, _) => 1,
    }
}

/// Pixels to compute next, of those that are left, with `count` registers each: as many as have room, or fewer where
/// the last tile would else be too small to keep the multipliers busy. The number of tiles is the same.
pub(super) const fn next<V: Lane>(count: usize, left: usize) -> usize {
    match (largest::<V>(count), left) {
        (14, 17 | 18 | 19 | 20 | 24 | 32) => 12,
        (14, 15 | 16 | 23) => 8,
        (14, 9 | 11 | 13) => 7,
        (14, 10) => 6,
        (most, _) if left >= most => most,
        (_, 12..) => 12,
        (_, 8..) => 8,
        (_, 7..) => 7,
        (_, 6..) => 6,
        (_, 4..) => 4,
        (_, 2..) => 2,
        _ => 1,
    }
}

/// Runs a block for tiles of pixels, with the index of the first pixel and, as a constant, the number of pixels;
/// `$outputs` are the [`Outputs`] of each pixel, in registers `$lane`.
macro_rules! in_tiles {
    ($lane:ty, $outputs:ty, $pixels:expr, |$pixel:ident, $n:ident| $run:expr) => {
        in_tiles!(@sizes [14, 12, 8, 7, 6, 4, 2, 1] $lane, $outputs, $pixels, |$pixel, $n| $run)
    };
    (@sizes [$($size:literal),*] $lane:ty, $outputs:ty, $pixels:expr, |$pixel:ident, $n:ident| $run:expr) => {{
        let (mut $pixel, pixels): (usize, usize) = (0, $pixels);
        let count = <$outputs as Outputs<$lane>>::COUNT;
        while $pixel < pixels {
            let tile = $crate::kernel::cpu::blocked::sums::next::<$lane>(count, pixels - $pixel);
            // What has no room in the registers is left out at compile time.
            $(if $size <= $crate::kernel::cpu::blocked::sums::largest::<$lane>(count) && tile == $size {
                const $n: usize = $size;
                $run;
            })*
            $pixel += tile;
        }
    }};
}

/// Runs a block for groups of as many blocks of outputs as registers hold at an instruction set, with the index of the
/// first block and the [`Outputs`] of each pixel: two blocks where a register holds one, so that an input serves two
/// registers.
macro_rules! in_groups {
    ($lane:ty, $blocks:expr, |$block:ident, $outputs:ident| $run:expr) => {{
        use $crate::kernel::cpu::blocked::sums::{Many, One, Two};
        let (mut $block, blocks): (usize, usize) = (0, $blocks);
        while $block < blocks {
            let width = <$lane as Lane>::WIDTH;
            let both = width == BLOCK && $block + 2 <= blocks;
            match (width, both) {
                (16, false) => {
                    type $outputs<V> = One<V>;
                    $run;
                }
                (16, true) | (8, _) => {
                    type $outputs<V> = Two<V>;
                    $run;
                }
                (4, _) => {
                    type $outputs<V> = Many<V, 4>;
                    $run;
                }
                (2, _) => {
                    type $outputs<V> = Many<V, 8>;
                    $run;
                }
                _ => {
                    type $outputs<V> = Many<V, 16>;
                    $run;
                }
            }
            $block += if both { 2 } else { 1 };
        }
    }};
}

pub(super) use {in_groups, in_tiles};

/// Factors that the pixels of a tile have in common.
#[derive(Clone, Copy)]
pub(super) struct Products<'a, E> {
    /// Elements that windows are read from.
    pub(super) x: &'a [E],
    /// For each block of inputs and each tap, its distance from where the window of a pixel begins.
    pub(super) steps: &'a [usize],
    /// The weights of a block of outputs, of all blocks of inputs and all taps, and from `stride` on those of the block
    /// after it.
    pub(super) weights: &'a [E],
    /// Distance between the weights of two blocks of outputs.
    pub(super) stride: usize,
    /// The steps from which on a block of inputs has fewer than 16, and their number.
    pub(super) tail: (usize, usize),
}

/// The sums of `N` pixels, whose windows begin at these places, from `start` on.
#[inline(always)]
pub(super) fn sums<V: Lane, O: Outputs<V>, const N: usize>(
    products: Products<'_, V::Elem>,
    begins: [usize; N],
    start: O,
) -> [O; N] {
    let mut sums = [start; N];
    match N {
        14 => of_14(products, &begins, start, &mut sums),
        12 => of_12(products, &begins, start, &mut sums),
        8 => of_8(products, &begins, start, &mut sums),
        7 => of_7(products, &begins, start, &mut sums),
        6 => of_6(products, &begins, start, &mut sums),
        4 => of_4(products, &begins, start, &mut sums),
        2 => of_2(products, &begins, start, &mut sums),
        _ => of_1(products, &begins, start, &mut sums),
    }
    sums
}

/// A function for so many pixels: a name for the sums of each and one for its elements.
macro_rules! pixels {
    ($name:ident: $($index:literal $sum:ident $x:ident)*) => {
        #[inline(always)]
        fn $name<V: Lane, O: Outputs<V>>(
            Products { x, steps, weights, stride, tail }: Products<'_, V::Elem>,
            begins: &[usize],
            start: O,
            sums: &mut [O],
        ) {
            let both = O::COUNT * V::WIDTH > BLOCK;
            let len = steps.len() * BLOCK * BLOCK;
            let own = weights[..len].as_chunks::<{ BLOCK * BLOCK }>().0;
            let next = if both { weights[stride..stride + len].as_chunks::<{ BLOCK * BLOCK }>().0 } else { own };
            $(let mut $sum = start;)*
            for (index, ((&step, own), next)) in steps.iter().zip(own).zip(next).enumerate() {
                $(let $x: &[V::Elem; BLOCK] =
                    x[begins[$index] + step..].first_chunk().expect("a window within the map");)*
                let inputs = if index < tail.0 { BLOCK } else { tail.1.min(BLOCK) };
                for k in 0..inputs {
                    let weights = O::weights(own, next, k);
                    $($sum = $sum.add(V::splat($x[k]), weights);)*
                }
            }
            $(sums[$index] = $sum;)*
        }
    };
}
pixels!(of_1: 0 s0 x0);
pixels!(of_2: 0 s0 x0 1 s1 x1);
pixels!(of_4: 0 s0 x0 1 s1 x1 2 s2 x2 3 s3 x3);
pixels!(of_6: 0 s0 x0 1 s1 x1 2 s2 x2 3 s3 x3 4 s4 x4 5 s5 x5);
pixels!(of_7: 0 s0 x0 1 s1 x1 2 s2 x2 3 s3 x3 4 s4 x4 5 s5 x5 6 s6 x6);
pixels!(of_8: 0 s0 x0 1 s1 x1 2 s2 x2 3 s3 x3 4 s4 x4 5 s5 x5 6 s6 x6 7 s7 x7);
pixels!(of_12: 0 s0 x0 1 s1 x1 2 s2 x2 3 s3 x3 4 s4 x4 5 s5 x5 6 s6 x6 7 s7 x7 8 s8 x8 9 s9 x9 10 s10 x10 11 s11 x11);
pixels!(of_14: 0 s0 x0 1 s1 x1 2 s2 x2 3 s3 x3 4 s4 x4 5 s5 x5 6 s6 x6 7 s7 x7 8 s8 x8 9 s9 x9 10 s10 x10 11 s11 x11
    12 s12 x12 13 s13 x13);
