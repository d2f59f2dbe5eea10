//! Sums over contiguous elements, in a fixed order.
//!
//! A block of elements is added up in the element type, in partial sums side by side; blocks are added up in `f64`. So
//! the rounding error does not grow with the length, and the sums cost one pass at the speed of memory. The number of
//! partial sums is the same at any register width: element `i` of a block is added to sum `i` modulo their number, and
//! the upper half of them to the lower half until one is left.

use super::simd::{Lane, MAX_WIDTH, Real, Simd, widest};
use crate::kernel::Element;

/// Elements that are added up in the element type.
pub const BLOCK: usize = 1024;

/// Registers of partial sums, if they are the widest: as many as hide the latency of the addition.
const PARALLEL: usize = 4;

/// Partial sums of the smallest elements.
const MOST: usize = PARALLEL * MAX_WIDTH;

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
    let (count, width) = (PARALLEL * widest::<E>(), <E::Lane<S>>::WIDTH);
    let mut sums = [<E::Lane<S>>::splat(E::zero()); MOST];
    let mut groups = x.chunks_exact(count);
    for group in &mut groups {
        for (i, sum) in sums.iter_mut().enumerate().take(count / width) {
            *sum = *sum + <E::Lane<S>>::load(&group[i * width..]);
        }
    }
    let mut sums = elements(sums);
    for (sum, &x) in sums.iter_mut().zip(groups.remainder()) {
        *sum = *sum + x;
    }
    halve(&mut sums[..count]).wide()
}

/// `(sum of w, sum of w d)` over at most [`BLOCK`] elements, where `d = x - shift` and `w` is the deviation `d` itself
/// (`SQUARES`) or the weight given.
#[inline(always)]
pub fn block_sums<S: Simd, E: Element, const SQUARES: bool>(x: &[E], weight: &[E], shift: E) -> (f64, f64) {
    debug_assert_eq!(x.len(), weight.len());
    let (count, width) = (PARALLEL * widest::<E>(), <E::Lane<S>>::WIDTH);
    let origin = <E::Lane<S>>::splat(shift);
    let zero = <E::Lane<S>>::splat(E::zero());
    let (mut first, mut second) = ([zero; MOST], [zero; MOST]);
    let (mut xs, mut weights) = (x.chunks_exact(count), weight.chunks_exact(count));
    for (x, weight) in (&mut xs).zip(&mut weights) {
        for i in 0..count / width {
            let deviation = <E::Lane<S>>::load(&x[i * width..]) - origin;
            let weight = if SQUARES { deviation } else { <E::Lane<S>>::load(&weight[i * width..]) };
            first[i] = first[i] + weight;
            second[i] = weight.mul_add(deviation, second[i]);
        }
    }
    let (mut first, mut second) = (elements(first), elements(second));
    let rest = xs.remainder().iter().zip(weights.remainder());
    for ((first, second), (&x, &weight)) in first.iter_mut().zip(&mut second).zip(rest) {
        let deviation = x - shift;
        let weight = if SQUARES { deviation } else { weight };
        *first = *first + weight;
        *second = S::mul_add(weight, deviation, *second);
    }
    (halve(&mut first[..count]).wide(), halve(&mut second[..count]).wide())
}

/// The elements of the registers that are in use, the first ones of each array.
#[inline(always)]
fn elements<L: Lane>(registers: [L; MOST]) -> [L::Elem; MOST] {
    let mut elements = [L::Elem::default(); MOST];
    for (elements, register) in elements.chunks_exact_mut(L::WIDTH).zip(registers) {
        register.store(elements);
    }
    elements
}

/// Adds up a power-of-two number of elements, the upper half to the lower half until one is left.
#[inline(always)]
pub fn halve<E: Element>(values: &mut [E]) -> E {
    let mut count = values.len();
    while count > 1 {
        count /= 2;
        let (low, high) = values.split_at_mut(count);
        for (low, &high) in low.iter_mut().zip(&*high).take(count) {
            *low = *low + high;
        }
    }
    values[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::cpu::simd::{Kernel, Level, dispatch_at};
    use crate::kernel::cpu::testing::{bits, random, wide};

    struct Sums<'a, E>(&'a [E], &'a [E]);

    impl<E: Element> Kernel for Sums<'_, E> {
        type Output = [f64; 5];

        #[inline(always)]
        fn run<S: Simd>(self) -> [f64; 5] {
            let shift = E::of(0.25);
            let (one, two) = block_sums::<S, E, true>(self.0, self.1, shift);
            let (three, four) = block_sums::<S, E, false>(self.0, self.1, shift);
            [block_sum::<S, E>(self.0), one, two, three, four]
        }
    }

    fn check<E: Element>(bound: f64) {
        for len in [0, 1, 7, 15, 16, 17, 63, 64, 65, 200, 1023, BLOCK] {
            let (x, weight) = (random::<E>(1, len), random::<E>(2, len));
            let deviations: Vec<f64> = x.iter().map(|x| x.wide() - 0.25).collect();
            let truth = [
                wide(&x).iter().sum::<f64>(),
                deviations.iter().sum(),
                deviations.iter().map(|d| d * d).sum(),
                wide(&weight).iter().sum(),
                wide(&weight).iter().zip(&deviations).map(|(w, d)| w * d).sum(),
            ];
            let found = dispatch_at(Level::Portable, Sums(&x, &weight));
            for (found, truth) in found.iter().zip(truth) {
                assert!((found - truth).abs() <= bound * len as f64, "{len}: {found} and not {truth}");
            }
            for level in Level::available() {
                assert_eq!(bits(&dispatch_at(level, Sums(&x, &weight))), bits(&found), "{level:?} {len}");
            }
        }
    }

    #[test]
    fn sums_are_right_and_the_same_at_every_level() {
        check::<f32>(1e-7);
        check::<f64>(1e-15);
    }
}
