//! Swish with a trained beta for each channel: [`Swish`], whose beta is fixed, is its start.
//!
//! ```text
//! s        = 1 / (1 + e^(-beta x))
//! f(x)     = x s
//! df/dx    = s + beta x s (1 - s)
//! df/dbeta = x^2 s (1 - s)
//! ```
//!
//! beta starts at 1. Source: Ramachandran, Zoph and Le, Searching for activation functions, 2017.
//!
//! Infinities give what they give in [`Swish`].

use super::{Activation, Param, Real, Swish, compiled_here};

/// x sigmoid(beta x), with a trained beta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SwishBeta;

impl Activation for SwishBeta {
    const NAME: &'static str = "swish_beta";
    type Params<T: Copy> = [T; 1];
    const PARAMS: [Param; 1] = [Param::trained("beta", 1.0)];

    #[inline(always)]
    fn value<R: Real>(x: R, beta: [R; 1]) -> R {
        Swish::value(x, beta)
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, beta: [R; 1]) -> (R, [R; 1]) {
        Swish::derivatives(x, beta)
    }

    compiled_here!(cuda: Swish);
}
