//! Sums over contiguous elements, in a fixed order.
//!
//! A block of elements is added up in the element type, in several registers side by side; blocks are added up in
//! `f64`. So the rounding error does not grow with the length, and the sums cost one pass at the speed of memory.

use super::simd::{Lane, Real, Simd};
use crate::kernel::Element;

/// Elements that are added up in the element type.
pub const BLOCK: usize = 1024;

/// Registers side by side, to hide the latency of the addition.
const PARALLEL: usize = 4;

/// The sum of a slice of any length.
#[inline(always)]
pub fn sum<S: Simd, E: Element>(x: &[E]) -> f64 {
    let mut total = 0.0;
    for block in x.chunks(BLOCK) {
        total += block_sum::<S, E>(block);
    }
    total
}

/// The sum of at most [`BLOCK`] elements.
#[inline(always)]
pub fn block_sum<S: Simd, E: Element>(x: &[E]) -> f64 {
    let width = <E::Lane<S>>::WIDTH;
    let mut sums = [<E::Lane<S>>::splat(E::zero()); PARALLEL];
    let mut groups = x.chunks_exact(PARALLEL * width);
    for group in &mut groups {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = *sum + <E::Lane<S>>::load(&group[i * width..]);
        }
    }
    let mut vectors = groups.remainder().chunks_exact(width);
    for vector in &mut vectors {
        sums[0] = sums[0] + <E::Lane<S>>::load(vector);
    }
    let mut tail = E::zero();
    for &x in vectors.remainder() {
        tail = tail + x;
    }
    pairwise(sums).wide() + tail.wide()
}

/// `(sum of w, sum of w d)` over at most [`BLOCK`] elements, where `d = x - shift` and `w` is the deviation `d` itself
/// (`SQUARES`) or the weight given.
#[inline(always)]
pub fn block_sums<S: Simd, E: Element, const SQUARES: bool>(x: &[E], weight: &[E], shift: E) -> (f64, f64) {
    debug_assert_eq!(x.len(), weight.len());
    let width = <E::Lane<S>>::WIDTH;
    let origin = <E::Lane<S>>::splat(shift);
    let zero = <E::Lane<S>>::splat(E::zero());
    let (mut first, mut second) = ([zero; PARALLEL], [zero; PARALLEL]);
    let (mut xs, mut weights) = (x.chunks_exact(PARALLEL * width), weight.chunks_exact(PARALLEL * width));
    for (x, weight) in (&mut xs).zip(&mut weights) {
        for i in 0..PARALLEL {
            let deviation = <E::Lane<S>>::load(&x[i * width..]) - origin;
            let weight = if SQUARES { deviation } else { <E::Lane<S>>::load(&weight[i * width..]) };
            first[i] = first[i] + weight;
            second[i] = weight.mul_add(deviation, second[i]);
        }
    }
    let (mut xs, mut weights) = (xs.remainder().chunks_exact(width), weights.remainder().chunks_exact(width));
    for (x, weight) in (&mut xs).zip(&mut weights) {
        let deviation = <E::Lane<S>>::load(x) - origin;
        let weight = if SQUARES { deviation } else { <E::Lane<S>>::load(weight) };
        first[0] = first[0] + weight;
        second[0] = weight.mul_add(deviation, second[0]);
    }
    let (mut first_tail, mut second_tail) = (E::zero(), E::zero());
    for (&x, &weight) in xs.remainder().iter().zip(weights.remainder()) {
        let deviation = x - shift;
        let weight = if SQUARES { deviation } else { weight };
        first_tail = first_tail + weight;
        second_tail = second_tail + weight * deviation;
    }
    (pairwise(first).wide() + first_tail.wide(), pairwise(second).wide() + second_tail.wide())
}

#[inline(always)]
fn pairwise<L: Lane>(sums: [L; PARALLEL]) -> L::Elem {
    ((sums[0] + sums[1]) + (sums[2] + sums[3])).sum()
}
