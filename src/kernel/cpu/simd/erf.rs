//! The error function of `f32`, written once for every register.
//!
//! Of the magnitude x: below 0.9 `x + x P(x^2)`, above `1 - e^(x Q(x) - x)`. P and Q are polynomials of least largest
//! error, relative to the result: below 0.1 ulp. Q is for x up to 4, from 3.92 on the result is 1 to the last bit.

use super::parts::Parts;
use super::sine::exp;

#[inline(always)]
pub(super) fn erf<V: Parts>(x: V) -> V {
    let magnitude = x.abs();
    let square = magnitude * magnitude;
    let mut p = V::of(7.943_1e-5);
    for coefficient in [-8.039_753e-4, 5.191_753e-3, -2.685_556e-2, 1.128_362_4e-1, -3.761_263e-1, 1.283_791_7e-1] {
        p = p.mul_add(square, V::of(coefficient));
    }
    let small = p.mul_add(magnitude, magnitude);

    let bounded = magnitude.clamp(0.0, 4.0);
    let mut q = V::of(-9.580_459e-6);
    for coefficient in
        [3.064_550_4e-4, -3.576_741e-3, 2.362_476_1e-2, -1.060_795_4e-1, -6.352_451_4e-1, -1.286_257_2e-1]
    {
        q = q.mul_add(bounded, V::of(coefficient));
    }
    let large = V::of(1.0) - exp(q.mul_add(bounded, -bounded));
    (magnitude - V::of(0.9)).if_positive(large, small).with_sign_of(x)
}
