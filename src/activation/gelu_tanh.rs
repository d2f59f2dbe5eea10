//! The approximation of [`Gelu`](super::Gelu) by the hyperbolic tangent.
//!
//! ```text
//! u     = sqrt(2 / pi) (x + 0.044715 x^3)
//! f(x)  = x (1 + tanh u) / 2 = x s          with s = 1 / (1 + e^(-2 u))
//! df/dx = s + 2 x s (1 - s) du/dx,          du/dx = sqrt(2 / pi) (1 + 0.134145 x^2)
//! ```
//!
//! It is computed from s, which keeps the digits that the sum of 1 and the tangent loses for negative x. Source:
//! Hendrycks and Gimpel, Gaussian error linear units (GELUs), 2016.
//!
//! At plus infinity the value is infinity and the derivative 1, at minus infinity both are 0.

use super::vanishing::{logistic, times};
use super::{Activation, Param, Real, compiled_here};
use crate::kernel::cuda_source;

/// x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GeluTanh;

/// 2 sqrt(2 / pi).
const LINEAR: f64 = 1.595_769_121_605_731;
const CUBIC: f64 = 0.044_715 * LINEAR;

impl Activation for GeluTanh {
    const NAME: &'static str = "gelu_tanh";
    type Params<T: Copy> = [T; 0];
    const PARAMS: [Param; 0] = [];

    #[inline(always)]
    fn value<R: Real>(x: R, []: [R; 0]) -> R {
        let twice_u = x * R::of(CUBIC).mul_add(x * x, R::of(LINEAR));
        times(x, logistic(twice_u).0)
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, []: [R; 0]) -> (R, [R; 0]) {
        let square = x * x;
        let (s, rest) = logistic(x * R::of(CUBIC).mul_add(square, R::of(LINEAR)));
        let slope = x * R::of(3.0 * CUBIC).mul_add(square, R::of(LINEAR));
        (s + times(slope, s * rest), [])
    }

    compiled_here!();
}

cuda_source! {r#"
struct Formula {
    static constexpr int PARAMS = 0;
    // 2 sqrt(2 / pi), and 0.044715 of it.
    static constexpr double LINEAR = 1.5957691216057307, CUBIC = 0.044715 * LINEAR;
    template <typename T>
    DEVICE T value(T x, Params<T>) { return times(x, logistic(x * (T(CUBIC) * (x * x) + T(LINEAR))).s); }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T>) {
        const T square = x * x;
        const auto weight = logistic(x * (T(CUBIC) * square + T(LINEAR)));
        const T slope = x * (T(3 * CUBIC) * square + T(LINEAR));
        return {weight.s + times(slope, weight.s * weight.rest), 0, 0};
    }
};
"#}
