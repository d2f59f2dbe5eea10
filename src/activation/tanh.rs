//! The hyperbolic tangent.
//!
//! ```text
//! f(x)  = tanh x
//! df/dx = 1 - tanh^2 x = 4 e^-2|x| / (1 + e^-2|x|)^2
//! ```
//!
//! The second form of the derivative is computed: the difference loses its digits where the tangent is near 1. Source:
//! LeCun, Bottou, Orr and Müller, Efficient BackProp, 1998.
//!
//! At plus and minus infinity the value is 1 and -1, and the derivative 0.

use super::{Activation, Param, Real, compiled_here};
use crate::kernel::cuda_source;

/// The activation tanh x.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tanh;

impl Activation for Tanh {
    const NAME: &'static str = "tanh";
    type Params<T: Copy> = [T; 0];
    const PARAMS: [Param; 0] = [];

    #[inline(always)]
    fn value<R: Real>(x: R, []: [R; 0]) -> R {
        x.tanh()
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, []: [R; 0]) -> (R, [R; 0]) {
        let e = (R::of(-2.0) * x.abs()).exp();
        let sum = R::of(1.0) + e;
        (R::of(4.0) * e / (sum * sum), [])
    }

    compiled_here!();
}

cuda_source! {r#"
struct Formula {
    static constexpr int PARAMS = 0;
    template <typename T>
    DEVICE T value(T x, Params<T>) { return tanh(x); }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T>) {
        const T e = exp(x > 0 ? -2 * x : 2 * x), sum = 1 + e;
        return {4 * e / (sum * sum), 0, 0};
    }
};
"#}
