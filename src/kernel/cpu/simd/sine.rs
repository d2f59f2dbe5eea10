//! Sine, cosine and exponential, written once for every register, such that an element's result depends on that element
//! alone: neither on the width of the register nor on its other elements.
//!
//! `f32`. Polynomials: Cephes `sinf`, `cosf` and `expf` (S. L. Moshier, Methods and Programs for Mathematical
//! Functions). Argument reduction: Cody and Waite, with pi/2 cut into pieces such that what a difference loses is known
//! exactly.
//!
//! `f64`: element by element from the crate `libm`. The system's library has other last bits on other systems.

use super::parts::Parts;
use super::real::{Lane, MAX_WIDTH};

/// The largest magnitude for the fast reduction: its quadrant has 13 bits.
const FAST: f32 = 1.0e4;

/// pi/2 in pieces for a fused multiply-add: bits 2^0 to 2^-23, and two rests rounded to 24 bits.
const HALF_PI: [f64; 3] = [1.570_796_251_296_997, 7.549_790_126_404_332e-8, -1.715_124_510_005_881_9e-15];

#[inline(always)]
pub(super) fn sin_cos<V: Parts>(x: V) -> (V, V) {
    if x.all_within(FAST) { sin_cos_fast(x) } else { replace_large(x, sin_cos_fast(x)) }
}

#[inline(always)]
fn sin_cos_fast<V: Parts>(x: V) -> (V, V) {
    let quadrant = (x * V::of(std::f64::consts::FRAC_2_PI)).round();
    let r = reduce(x, quadrant);
    let z = r * r;
    let p = V::of(-1.951_529_589_1e-4).mul_add(z, V::of(8.332_160_873_6e-3)).mul_add(z, V::of(-1.666_665_461_1e-1));
    let sin = (p * z).mul_add(r, r);
    let p = V::of(2.443_315_711_809_948e-5)
        .mul_add(z, V::of(-1.388_731_625_493_765e-3))
        .mul_add(z, V::of(4.166_664_568_298_827e-2));
    let cos = (p * z).mul_add(z, V::of(-0.5).mul_add(z, V::of(1.0)));
    V::rotate(quadrant, sin, cos)
}

/// `x - n pi / 2` for an integer n below 2^13, with a relative error below the last place.
#[inline(always)]
fn reduce<V: Parts>(x: V, n: V) -> V {
    let n = -n;
    let [first, second, third] = HALF_PI.map(V::of);
    // The first difference is exact: a multiple of 2^-23 (or of the last place of x, if that is less) and at most pi/4.
    // The second rounds once. The third matters only where the result is small.
    n.mul_add(third, n.mul_add(second, n.mul_add(first, x)))
}

/// The elements beyond the fast reduction one by one in `f64`, whose reduction is exact for any argument; an infinity
/// gives NaN. The other elements stay as they are.
#[cold]
#[inline(never)]
fn replace_large<V: Parts>(x: V, (sin, cos): (V, V)) -> (V, V) {
    let [mut xs, mut sines, mut cosines] = [[0.0; MAX_WIDTH]; 3];
    x.store(&mut xs);
    sin.store(&mut sines);
    cos.store(&mut cosines);
    for ((x, sin), cos) in xs.into_iter().zip(&mut sines).zip(&mut cosines) {
        // A NaN has given NaN already.
        if x.abs() > FAST {
            let (exact_sin, exact_cos) = libm::sincos(f64::from(x));
            (*sin, *cos) = (exact_sin as f32, exact_cos as f32);
        }
    }
    (V::load(&sines), V::load(&cosines))
}

/// Both from `libm`, whose error is below one ulp.
#[inline(always)]
pub(super) fn sin_cos_f64<V: Lane<Elem = f64>>(x: V) -> (V, V) {
    let [mut sines, mut cosines] = [[0.0; MAX_WIDTH]; 2];
    x.store(&mut sines);
    for (sin, cos) in sines.iter_mut().zip(&mut cosines).take(V::WIDTH) {
        (*sin, *cos) = libm::sincos(*sin);
    }
    (V::load(&sines), V::load(&cosines))
}

/// A function of `libm`, element by element.
#[inline(always)]
pub(super) fn each_f64<V: Lane<Elem = f64>>(x: V, function: impl Fn(f64) -> f64) -> V {
    let mut values = [0.0; MAX_WIDTH];
    x.store(&mut values);
    for value in values.iter_mut().take(V::WIDTH) {
        *value = function(*value);
    }
    V::load(&values)
}

/// `n` and `e^r - 1` where `x = n ln 2 + r`, |r| <= ln 2 / 2.
#[inline(always)]
fn reduced_exp_m1<V: Parts>(x: V) -> (V, V) {
    let n = (x * V::of(std::f64::consts::LOG2_E)).round();
    let r = (-n).mul_add(V::of(-2.121_944_400_546_905_8e-4), (-n).mul_add(V::of(0.693_359_375), x));
    let mut p = V::of(1.987_569_15e-4);
    for coefficient in
        [1.398_199_950_7e-3, 8.333_451_907_3e-3, 4.166_579_589_4e-2, 1.666_666_545_9e-1, 5.000_000_120_1e-1]
    {
        p = p.mul_add(r, V::of(coefficient));
    }
    (n, (p * r).mul_add(r, r))
}

/// `e^x`: infinity above 88.73, subnormal and then zero below -87.34.
#[inline(always)]
pub(super) fn exp<V: Parts>(x: V) -> V {
    let (n, p) = reduced_exp_m1(x.clamp(-104.0, 89.0));
    // In two factors, because 2^n itself can be out of range where the result is not.
    let half = (n * V::of(0.5)).round();
    (V::of(1.0) + p) * half.exp2_integer() * (n - half).exp2_integer()
}

/// `e^x - 1`, accurate near 0.
#[inline(always)]
pub(super) fn exp_m1<V: Parts>(x: V) -> V {
    // Below -80 the result is -1 to the last bit.
    let (n, p) = reduced_exp_m1(x.clamp(-80.0, 89.0));
    // Half of 2^n, because 2^128 is out of range where the result is not.
    let scale = (n - V::of(1.0)).exp2_integer();
    V::of(2.0) * scale.mul_add(p, scale - V::of(0.5))
}
