//! Logarithms of `f32`, written once for every register.
//!
//! With `x = 2^k m`, m in `[sqrt(1/2), sqrt(2))`, and `f = m - 1`: `ln x = k ln 2 + f - f^2 / 2 + f^3 P(f)`. P is the
//! polynomial of least largest error, relative to `ln(1 + f)`: below 0.1 ulp.

use super::parts::Parts;

/// `ln(1 + f) - n ln 2`, with f in `[sqrt(1/2) - 1, sqrt(2) - 1]` and an integer n. A zero f keeps its sign where n is
/// plus zero.
#[inline(always)]
fn ln_reduced<V: Parts>(f: V, n: V) -> V {
    let mut p = V::of(-7.636_362e-2);
    for coefficient in
        [1.276_214_3e-1, -1.315_959_8e-1, 1.420_158_6e-1, -1.662_341e-1, 2.000_124_2e-1, -2.500_082e-1, 3.333_333_3e-1]
    {
        p = p.mul_add(f, V::of(coefficient));
    }
    let k = -n;
    let square = f * f;
    // ln 2 in two parts, both positive: times a k of minus zero they add minus zero, which changes nothing.
    let small = V::of(-0.5).mul_add(square, k.mul_add(V::of(1.428_606_820_309_417e-6), p * square * f));
    k.mul_add(V::of(0.693_145_751_953_125), f + small)
}

/// `ordinary` for positive finite x; infinity at infinity, minus infinity at 0, NaN below and for NaN.
#[inline(always)]
fn with_edges<V: Parts>(x: V, ordinary: V) -> V {
    let (largest, infinity) = (V::of(f32::MAX.into()), V::of(f64::INFINITY));
    let positive = (x - largest).if_positive(infinity, ordinary);
    x.if_positive(positive, (-x).if_positive(V::of(f64::NAN), x - infinity))
}

#[inline(always)]
pub(super) fn ln<V: Parts>(x: V) -> V {
    // A subnormal number has no mantissa to take out, 2^24 times it has.
    let (scaled, none) = (V::of(24.0), V::of(0.0));
    let subnormal = V::of(f32::MIN_POSITIVE.into()) - x;
    let (m, n) = subnormal.if_positive(x * V::of(16_777_216.0), x).mantissa();
    with_edges(x, ln_reduced(m - V::of(1.0), n + subnormal.if_positive(scaled, none)))
}

/// `ln(1 + x)`, accurate near 0.
#[inline(always)]
pub(super) fn ln_1p<V: Parts>(x: V) -> V {
    let (one, far) = (V::of(1.0), 30.0);
    let sum = one + x;
    let (m, n) = sum.mantissa();
    // What the sum has lost is back in f = 2^n (1 + x) - 1, which rounds once: 2^n - 1 is exact for n of -24 and above,
    // and below that what is lost doesn't matter. Written such that at x = -0 every zero is a negative one.
    let scale = n.clamp(-far, far).exp2_integer();
    let f = (-n - V::of(far.into())).if_positive(m - one, x.mul_add(scale, -(one - scale)));
    with_edges(sum, ln_reduced(f, n))
}
