//! Snake.
//!
//! ```text
//! f(x)  = x + sin^2(a x) / a
//! df/dx = 1 + 2 sin(a x) cos(a x)
//! df/da = q (2 x cos(a x) - q)              with q = sin(a x) / a
//! ```
//!
//! a, the frequency, is trained and starts at 1. At a = 0 all are their limits, with q = x: f(x) = x, df/dx = 1 and
//! df/da = x^2, so that a leaves 0 again. Source: Ziyin, Hartwig and Ueda, Neural networks fail to learn periodic
//! functions and how to fix it, 2020.
//!
//! The value and the derivatives at both infinities are NaN: the sine has none.

use super::{Activation, Param, Real, compiled_here};
use crate::kernel::cuda_source;

/// x + sin^2(a x) / a, with a trained a.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snake;

/// sin(a x) / a, at a = 0 its limit.
#[inline(always)]
fn quotient<R: Real>(x: R, a: R, sin: R) -> R {
    a.abs().if_positive(sin / a, x)
}

impl Activation for Snake {
    const NAME: &'static str = "snake";
    type Params<T: Copy> = [T; 1];
    const PARAMS: [Param; 1] = [Param::trained("a", 1.0)];

    #[inline(always)]
    fn value<R: Real>(x: R, [a]: [R; 1]) -> R {
        let sin = (a * x).sin();
        sin.mul_add(quotient(x, a, sin), x)
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, [a]: [R; 1]) -> (R, [R; 1]) {
        let (sin, cos) = (a * x).sin_cos();
        let q = quotient(x, a, sin);
        ((sin + sin).mul_add(cos, R::of(1.0)), [q * ((x + x) * cos - q)])
    }

    compiled_here!();
}

cuda_source! {r#"
struct Formula {
    static constexpr int PARAMS = 1;
    // sin(a x) / a, at a = 0 its limit.
    template <typename T>
    DEVICE T quotient(T x, T a, T sine) { return a != 0 ? sine / a : x; }
    template <typename T>
    DEVICE T value(T x, Params<T> p) {
        const T sine = math::sine(p.a * x);
        return sine * quotient(x, p.a, sine) + x;
    }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T> p) {
        T sine, cosine;
        math::sin_cos(p.a * x, sine, cosine);
        const T q = quotient(x, p.a, sine);
        return {2 * sine * cosine + 1, q * (2 * x * cosine - q), 0};
    }
};
"#}
