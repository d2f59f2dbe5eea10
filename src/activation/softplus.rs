//! Softplus.
//!
//! ```text
//! f(x)  = ln(1 + e^x) = max(0, x) + ln(1 + e^-|x|)
//! df/dx = 1 / (1 + e^-x)
//! ```
//!
//! The second form is computed: nothing overflows, and no digits are lost for negative x. Source: Dugas, Bengio,
//! Bélisle, Nadeau and Garcia, Incorporating second-order functional knowledge for better option pricing, 2001.
//!
//! At plus infinity the value is infinity and the derivative 1, at minus infinity both are 0.

use super::vanishing::logistic;
use super::{Activation, Param, Real, compiled_here};
use crate::kernel::cuda_source;

/// The activation ln(1 + e^x).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Softplus;

impl Activation for Softplus {
    const NAME: &'static str = "softplus";
    type Params<T: Copy> = [T; 0];
    const PARAMS: [Param; 0] = [];

    #[inline(always)]
    fn value<R: Real>(x: R, []: [R; 0]) -> R {
        x.relu() + (-x.abs()).exp().ln_1p()
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, []: [R; 0]) -> (R, [R; 0]) {
        (logistic(x).0, [])
    }

    compiled_here!();
}

cuda_source! {r#"
struct Formula {
    static constexpr int PARAMS = 0;
    template <typename T>
    DEVICE T value(T x, Params<T>) { return positive_part(x) + log1p(exp(x > 0 ? -x : x)); }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T>) { return {logistic(x).s, 0, 0}; }
};
"#}
