//! Leaky ReLU.
//!
//! ```text
//! f(x)      = x                for x > 0, else slope x
//! df/dx     = 1                for x > 0, else slope
//! df/dslope = 0                for x > 0, else x
//! ```
//!
//! The slope, 0.01, is a hyperparameter. Source: Maas, Hannun and Ng, Rectifier nonlinearities improve neural network
//! acoustic models, 2013.

use super::{Activation, Param, Real, compiled_here};
use crate::kernel::cuda_source;

/// x for x > 0, else slope x, with slope = 0.01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeakyRelu;

impl Activation for LeakyRelu {
    const NAME: &'static str = "leaky_relu";
    type Params<T: Copy> = [T; 1];
    const PARAMS: [Param; 1] = [Param::fixed("slope", 0.01)];

    #[inline(always)]
    fn value<R: Real>(x: R, [slope]: [R; 1]) -> R {
        x.if_positive(x, slope * x)
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, [slope]: [R; 1]) -> (R, [R; 1]) {
        let zero = R::of(0.0);
        (x.if_positive(R::of(1.0), slope), [x.if_positive(zero, x)])
    }

    compiled_here!();
}

cuda_source! {r#"
struct Formula {
    static constexpr int PARAMS = 1;
    template <typename T>
    DEVICE T value(T x, Params<T> p) { return x > 0 ? x : p.a * x; }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T> p) { return {x > 0 ? T(1) : p.a, x > 0 ? T(0) : x, 0}; }
};
"#}
