//! PReLU, the parametric ReLU.
//!
//! ```text
//! f(x)      = x                for x > 0, else alpha x
//! df/dx     = 1                for x > 0, else alpha
//! df/dalpha = 0                for x > 0, else x
//! ```
//!
//! alpha is trained, one for each channel, from 0.25; after a swap for ReLU it starts at 0, which changes no output.
//! Source: He, Zhang, Ren and Sun, Delving deep into rectifiers, 2015.
//!
//! At minus infinity alpha = 0 gives NaN.

use super::{Activation, LeakyRelu, Param, Real, compiled_here};

/// x for x > 0, else alpha x, with a trained alpha.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PRelu;

impl Activation for PRelu {
    const NAME: &'static str = "prelu";
    type Params<T: Copy> = [T; 1];
    const PARAMS: [Param; 1] = [Param::trained("alpha", 0.25).swapped(0.0)];

    #[inline(always)]
    fn value<R: Real>(x: R, [alpha]: [R; 1]) -> R {
        LeakyRelu::value(x, [alpha])
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, [alpha]: [R; 1]) -> (R, [R; 1]) {
        LeakyRelu::derivatives(x, [alpha])
    }

    compiled_here!(cuda: LeakyRelu);
}
