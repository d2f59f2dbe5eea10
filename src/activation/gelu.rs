//! GELU, the Gaussian error linear unit.
//!
//! ```text
//! P(x)  = (1 + erf(x / sqrt(2))) / 2        the distribution function of the standard normal distribution
//! p(x)  = e^(-x^2 / 2) / sqrt(2 pi)         its density
//! f(x)  = x P(x)
//! df/dx = P(x) + x p(x)
//! ```
//!
//! P is not taken from erf, whose sum with 1 loses all digits for negative x. Source: Hendrycks and Gimpel, Gaussian
//! error linear units (GELUs), 2016.
//!
//! At plus infinity the value is infinity and the derivative 1, at minus infinity both are 0.

use super::vanishing::times;
use super::{Activation, Param, Real, compiled_here};
use crate::kernel::cuda_source;

/// x P(x), with the distribution function P of the standard normal distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gelu;

impl Activation for Gelu {
    const NAME: &'static str = "gelu";
    type Params<T: Copy> = [T; 0];
    const PARAMS: [Param; 0] = [];

    #[inline(always)]
    fn value<R: Real>(x: R, []: [R; 0]) -> R {
        times(x, x.normal().0)
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, []: [R; 0]) -> (R, [R; 0]) {
        let (distribution, density) = x.normal();
        (distribution + times(x, density), [])
    }

    compiled_here!();
}

cuda_source! {r#"
struct Formula {
    static constexpr int PARAMS = 0;
    // The distribution function of the standard normal distribution. Where it is small, rounding its argument costs it
    // digits, about x^2 in the last place, which the CPU's keeps.
    template <typename T>
    DEVICE T distribution(T x) { return T(0.5) * erfc(T(-0.70710678118654752) * x); }
    template <typename T>
    DEVICE T value(T x, Params<T>) { return times(x, distribution(x)); }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T>) {
        const T density = T(0.39894228040143268) * exp(T(-0.5) * x * x);
        return {distribution(x) + times(x, density), 0, 0};
    }
};
"#}
