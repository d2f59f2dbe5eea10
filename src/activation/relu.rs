//! ReLU, the rectified linear unit.
//!
//! ```text
//! f(x)  = max(0, x)
//! f'(x) = H(x)
//! ```
//!
//! H is the unit step, 0 at 0. Source: Nair and Hinton, Rectified linear units improve restricted Boltzmann machines,
//! 2010.

use super::{Activation, Param, Real, compiled_here};
use crate::kernel::cuda_source;

/// max(0, x); no parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relu;

impl Activation for Relu {
    const NAME: &'static str = "relu";
    type Params<T: Copy> = [T; 0];
    const PARAMS: [Param; 0] = [];
    const DIFFERENTIATES_FROM_OUTPUT: bool = true;

    #[inline(always)]
    fn value<R: Real>(x: R, []: [R; 0]) -> R {
        x.relu()
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, []: [R; 0]) -> (R, [R; 0]) {
        (x.step(), [])
    }

    compiled_here!();
}

cuda_source! {r#"
struct Formula {
    static constexpr int PARAMS = 0;
    template <typename T>
    DEVICE T value(T x, Params<T>) { return positive_part(x); }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T>) { return {step(x), 0, 0}; }
};
"#}
