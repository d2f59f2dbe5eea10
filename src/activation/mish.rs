//! Mish.
//!
//! ```text
//! f(x)  = x tanh(ln(1 + e^x)) = x w         with w = (e^2x + 2 e^x) / (e^2x + 2 e^x + 2)
//! df/dx = w + x dw/dx,                      dw/dx = 4 e^x (1 + e^x) / (e^2x + 2 e^x + 2)^2
//! ```
//!
//! For positive x both fractions are extended by powers of `e^-x`, so that nothing overflows. Source: Misra, Mish: a
//! self regularized non-monotonic activation function, 2020.
//!
//! At plus infinity the value is infinity and the derivative 1, at minus infinity both are 0.

use super::vanishing::times;
use super::{Activation, Param, Real, compiled_here};
use crate::kernel::cuda_source;

/// The activation x tanh(softplus(x)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mish;

/// The factor w and its derivative dw/dx, in the notation of the module.
#[inline(always)]
fn weight<R: Real>(x: R) -> (R, R) {
    let (one, two) = (R::of(1.0), R::of(2.0));
    let e = (-x.abs()).exp();
    let square = e * e;
    let positive = two.mul_add(e, one);
    let negative = two.mul_add(e, square);
    let numerator = x.if_positive(positive, negative);
    let denominator = numerator + x.if_positive(square + square, two);
    let rise = R::of(4.0) * x.if_positive(square, e) * (one + e);
    (numerator / denominator, rise / (denominator * denominator))
}

impl Activation for Mish {
    const NAME: &'static str = "mish";
    type Params<T: Copy> = [T; 0];
    const PARAMS: [Param; 0] = [];

    #[inline(always)]
    fn value<R: Real>(x: R, []: [R; 0]) -> R {
        times(x, weight(x).0)
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, []: [R; 0]) -> (R, [R; 0]) {
        let (w, slope) = weight(x);
        (w + times(x, slope), [])
    }

    compiled_here!();
}

cuda_source! {r#"
struct Formula {
    static constexpr int PARAMS = 0;
    // w and dw/dx.
    template <typename T>
    DEVICE Derivatives<T> weight(T x) {
        const T e = exp(x > 0 ? -x : x), square = e * e;
        const T numerator = x > 0 ? 2 * e + 1 : 2 * e + square;
        const T denominator = numerator + (x > 0 ? 2 * square : T(2));
        const T rise = 4 * (x > 0 ? square : e) * (1 + e);
        return {rise / (denominator * denominator), numerator / denominator, 0};
    }
    template <typename T>
    DEVICE T value(T x, Params<T>) { return times(x, weight(x).a); }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T>) {
        const auto w = weight(x);
        return {w.a + times(x, w.x), 0, 0};
    }
};
"#}
