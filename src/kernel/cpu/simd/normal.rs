//! The standard normal distribution, written once for every register.
//!
//! `f32`. The density is `e^(-x^2 / 2) / sqrt(2 pi)`, where what rounding takes from the square is given back. The
//! distribution function at the negative t of a magnitude is the density times Mills' ratio, which is, but for a
//! constant, `P(u) / (t + 2.75)` with `u = (t - 2.75) / (t + 2.75)`: no digits are lost in the tail. P is the
//! polynomial of least largest relative error for t up to 14.5, where the result is below every `f32`.
//!
//! `f64`: element by element from `libm`.

use super::parts::Parts;
use super::real::{Lane, MAX_WIDTH};
use super::sine::exp;

/// 1 / sqrt(2 pi).
const PEAK: f64 = 0.398_942_280_401_432_7;

/// The distribution function and the density.
#[inline(always)]
pub(super) fn normal<V: Parts>(x: V) -> (V, V) {
    // Beyond 40 both results are those at 40.
    let t = x.abs().clamp(0.0, 40.0);
    let square = t * t;
    let lost = t.mul_add(t, -square);
    let bell = exp(V::of(-0.5) * square);
    let bell = (V::of(-0.5) * bell).mul_add(lost, bell);

    let reciprocal = V::of(1.0) / (t + V::of(2.75));
    let u = (t - V::of(2.75)) * reciprocal;
    let mut p = V::of(-7.152_882e-5);
    for coefficient in [
        -4.124_341_6e-4,
        -2.480_583_5e-4,
        2.486_845_2e-3,
        3.189_530_7e-3,
        -1.644_203_3e-2,
        -1.656_314e-2,
        1.823_341_5e-1,
        -4.743_542e-1,
        7.189_860_3e-1,
    ] {
        p = p.mul_add(u, V::of(coefficient));
    }
    let tail = bell * (p * reciprocal);
    (x.if_positive(V::of(1.0) - tail, tail), V::of(PEAK) * bell)
}

/// The distribution function and the density, from `libm`.
#[inline(always)]
pub(super) fn normal_f64<V: Lane<Elem = f64>>(x: V) -> (V, V) {
    let [mut distribution, mut density] = [[0.0; MAX_WIDTH]; 2];
    x.store(&mut distribution);
    for (distribution, density) in distribution.iter_mut().zip(&mut density).take(V::WIDTH) {
        let x = *distribution;
        *distribution = 0.5 * libm::erfc(-std::f64::consts::FRAC_1_SQRT_2 * x);
        *density = PEAK * libm::exp(-0.5 * x * x);
    }
    (V::load(&distribution), V::load(&density))
}
