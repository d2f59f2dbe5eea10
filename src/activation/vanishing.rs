//! Functions for formulas whose value, or a part of it, vanishes far from 0.

use super::Real;

/// The logistic function `s = 1 / (1 + e^-z)` and `1 - s`: neither loses digits, from `e^-|z|`, which cannot overflow.
#[inline(always)]
pub(super) fn logistic<R: Real>(z: R) -> (R, R) {
    let e = (-z.abs()).exp();
    let larger = R::of(1.0) / (R::of(1.0) + e);
    let smaller = e * larger;
    (z.if_positive(larger, smaller), z.if_positive(smaller, larger))
}

/// `x w`, and 0 where w is 0, for an infinite x too: for a factor w(x) that vanishes faster than x grows.
#[inline(always)]
pub(super) fn times<R: Real>(x: R, w: R) -> R {
    w.abs().if_positive(x, R::of(0.0)) * w
}
