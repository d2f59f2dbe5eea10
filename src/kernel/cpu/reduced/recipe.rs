//! The arithmetic of reduced precision, number by number: the definition that every other way to compute it follows.
//!
//! It is that of the instruction TDPBF16PS (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2): a
//! sum over 32 products is that of two chains of fused multiply-adds, over the even and over the odd ones, in which a
//! result below the normal numbers becomes a zero of its sign.

use super::round::{Bf16, widen};
use super::sizes::{BLOCK, PAIRS};
use crate::kernel::cpu::simd::Simd;

/// `x`, or if it is denormal a zero of its sign.
#[inline(always)]
pub fn flush(x: f32) -> f32 {
    if x.abs() < f32::MIN_POSITIVE { 0.0_f32.copysign(x) } else { x }
}

/// `a b + c`, rounded once, or a zero of its sign where the result is tiny: where it would be less than the smallest
/// normal number if the exponent had no bound. `c` is not denormal.
#[inline(always)]
pub fn multiply_add<S: Simd>(a: f32, b: f32, c: f32) -> f32 {
    let sum = S::mul_add(a, b, c);
    if sum.abs() > f32::MIN_POSITIVE { sum } else { small(a, b, c, sum) }
}

/// A sum that is NaN, or no larger than the smallest normal number.
fn small(a: f32, b: f32, c: f32, sum: f32) -> f32 {
    /// Halfway between the smallest normal number and the one below it that has as many bits: what is less is rounded
    /// to a smaller number, which is tiny.
    const LEAST: f64 = f32::MIN_POSITIVE as f64 * (1.0 - 1.0 / (1 << 25) as f64);
    if sum.abs() != f32::MIN_POSITIVE {
        return flush(sum);
    }
    // The product is exact; the error of the sum is, too, by Knuth's method.
    let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let total = product + c;
    let of_c = total - product;
    let error = (product - (total - of_c)) + (c - of_c);
    let sign = 1.0_f64.copysign(total);
    let is_tiny = match total.abs().total_cmp(&LEAST) {
        std::cmp::Ordering::Less => true,
        std::cmp::Ordering::Equal => error * sign < 0.0,
        std::cmp::Ordering::Greater => false,
    };
    if is_tiny { 0.0_f32.copysign(sum) } else { sum }
}

/// `c` and the products of two rows of a block.
#[inline(always)]
pub fn add_block<S: Simd>(a: &[Bf16; BLOCK], b: impl Fn(usize) -> u32, c: f32) -> f32 {
    let (mut even, mut odd) = (0.0, 0.0);
    for pair in 0..PAIRS {
        let [low, high] = [b(pair) as Bf16, (b(pair) >> 16) as Bf16];
        even = multiply_add::<S>(widen(a[2 * pair]), widen(low), even);
        odd = multiply_add::<S>(widen(a[2 * pair + 1]), widen(high), odd);
    }
    flush(c + flush(even + odd))
}
