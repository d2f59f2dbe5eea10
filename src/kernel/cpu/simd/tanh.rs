//! The hyperbolic tangent of `f32`, written once for every register.
//!
//! Of the magnitude x: below 0.625 `x + x^3 P(x^2)`, where P is the polynomial of least largest error, relative to the
//! result: below 0.1 ulp. Above `1 - 2 / (e^(2 x) + 1)`.

use super::parts::Parts;
use super::sine::exp;

#[inline(always)]
pub(super) fn tanh<V: Parts>(x: V) -> V {
    let magnitude = x.abs();
    let square = magnitude * magnitude;
    let mut p = V::of(-5.692_296_7e-3);
    for coefficient in [2.062_816_7e-2, -5.373_651_5e-2, 1.333_140_6e-1, -3.333_328e-1] {
        p = p.mul_add(square, V::of(coefficient));
    }
    let small = (p * square).mul_add(magnitude, magnitude);
    let one = V::of(1.0);
    let large = one - V::of(2.0) / (exp(magnitude + magnitude) + one);
    (magnitude - V::of(0.625)).if_positive(large, small).with_sign_of(x)
}
