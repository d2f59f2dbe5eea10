//! Swish, with beta = 1 also called SiLU.
//!
//! ```text
//! s        = 1 / (1 + e^(-beta x))
//! f(x)     = x s
//! df/dx    = s + beta x s (1 - s)
//! df/dbeta = x^2 s (1 - s)
//! ```
//!
//! beta, 1, is a hyperparameter. Source: Ramachandran, Zoph and Le, Searching for activation functions, 2017.
//!
//! The value at minus infinity is NaN (infinity times zero), and so are the derivatives at both infinities.

use super::{Activation, Param, Real, compiled_here};
use crate::kernel::cuda_source;

/// x sigmoid(beta x), with beta = 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swish;

impl Activation for Swish {
    const NAME: &'static str = "swish";
    type Params<T: Copy> = [T; 1];
    const PARAMS: [Param; 1] = [Param::fixed("beta", 1.0)];

    #[inline(always)]
    fn value<R: Real>(x: R, [beta]: [R; 1]) -> R {
        x * (beta * x).sigmoid()
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, [beta]: [R; 1]) -> (R, [R; 1]) {
        // From e^-|beta x|, which cannot overflow, so that neither s nor 1 - s loses digits.
        let z = beta * x;
        let e = z.if_positive(-z, z).exp();
        let larger = R::of(1.0) / (R::of(1.0) + e);
        let smaller = e * larger;
        let s = z.if_positive(larger, smaller);
        let x_slope = x * (larger * smaller);
        (beta.mul_add(x_slope, s), [x * x_slope])
    }

    compiled_here!();
}

cuda_source! {r#"
struct Formula {
    static constexpr int PARAMS = 1;
    template <typename T>
    DEVICE T value(T x, Params<T> p) { return x * (T(1) / (T(1) + exp(-(p.a * x)))); }
    // From e^-|beta x|, which cannot overflow, so that neither s nor 1 - s loses digits.
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T> p) {
        const T z = p.a * x, e = exp(z > 0 ? -z : z);
        const T larger = T(1) / (T(1) + e), smaller = e * larger;
        const T x_slope = x * (larger * smaller);
        return {p.a * x_slope + (z > 0 ? larger : smaller), x * x_slope, 0};
    }
};
"#}
