//! SinLU, the sinu-sigmoidal linear unit.
//!
//! ```text
//! s     = 1 / (1 + e^-x)
//! f(x)  = (x + a sin(b x)) s
//! df/dx = (1 + a b cos(b x)) s + (x + a sin(b x)) s (1 - s)
//! df/da = sin(b x) s
//! df/db = a x cos(b x) s
//! ```
//!
//! a and b are trained and start at 1. Source: Paul, Bandyopadhyay, Yoon, Geem and Sarkar, SinLU: sinu-sigmoidal linear
//! unit, 2022.
//!
//! The value and the derivatives at both infinities are NaN: the sine has none.

use super::vanishing::logistic;
use super::{Activation, Param, Real, compiled_here};
use crate::kernel::cuda_source;

/// (x + a sin(b x)) sigmoid(x), with trained a and b.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinLu;

impl Activation for SinLu {
    const NAME: &'static str = "sinlu";
    type Params<T: Copy> = [T; 2];
    const PARAMS: [Param; 2] = [Param::trained("a", 1.0), Param::trained("b", 1.0)];

    #[inline(always)]
    fn value<R: Real>(x: R, [a, b]: [R; 2]) -> R {
        a.mul_add((b * x).sin(), x) * logistic(x).0
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, [a, b]: [R; 2]) -> (R, [R; 2]) {
        let (sin, cos) = (b * x).sin_cos();
        let (s, rest) = logistic(x);
        let wave = a.mul_add(sin, x);
        let dx = s * wave.mul_add(rest, (a * b).mul_add(cos, R::of(1.0)));
        (dx, [sin * s, a * x * cos * s])
    }

    compiled_here!();
}

cuda_source! {r#"
struct Formula {
    static constexpr int PARAMS = 2;
    template <typename T>
    DEVICE T value(T x, Params<T> p) { return (p.a * math::sine(p.b * x) + x) * logistic(x).s; }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T> p) {
        T sine, cosine;
        math::sin_cos(p.b * x, sine, cosine);
        const auto weight = logistic(x);
        const T wave = p.a * sine + x;
        return {weight.s * (wave * weight.rest + (p.a * p.b * cosine + 1)), sine * weight.s,
                p.a * x * cosine * weight.s};
    }
};
"#}
