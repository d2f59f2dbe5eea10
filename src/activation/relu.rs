//! ReLU, the rectified linear unit.
//!
//! ```text
//! f(x)  = max(0, x)
//! f'(x) = H(x)
//! ```
//!
//! H is the unit step, 0 at 0. Source: Nair and Hinton, Rectified linear units improve restricted Boltzmann machines,
//! 2010.

use std::fmt::Debug;

use super::{Activation, Formula, Param, Real, compiled_here};

/// max(0, x); no parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relu;

impl Formula for Relu {
    type Params<T: Clone + Debug + Send + Sync> = [T; 0];

    #[inline(always)]
    fn value<R: Real>(x: R, []: [R; 0]) -> R {
        x.relu()
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, []: [R; 0]) -> (R, [R; 0]) {
        (x.step(), [])
    }
}

impl Activation for Relu {
    const NAME: &'static str = "relu";
    const PARAMS: [Param; 0] = [];

    compiled_here!();
}
