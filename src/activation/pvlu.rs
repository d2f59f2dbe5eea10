//! PVLU, the parametric variational linear unit: [`Vlu`] with a trained pair alpha, beta for each channel.
//!
//! ```text
//! f(x)      = max(0, x) + alpha sin(beta x)
//! df/dx     = H(x) + alpha beta cos(beta x)
//! df/dalpha = sin(beta x)
//! df/dbeta  = alpha x cos(beta x)
//! ```
//!
//! H is the unit step, 0 at 0. From scratch alpha starts at 0.5 and beta at 1. After a swap for ReLU alpha starts at
//! 0, which changes no output (nor a bit of one, for finite x and beta x), and beta at 1: with beta = 0 alpha would get
//! no gradient. Source: Parametric Variational Linear Units (PVLUs) in Deep Convolutional Networks, sections 3 and 3.1.
//!
//! The value at both infinities is NaN: the sine has none.

use super::{Activation, Param, Real, Vlu, compiled_here};

/// max(0, x) + alpha sin(beta x), with trained alpha and beta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pvlu;

impl Activation for Pvlu {
    const NAME: &'static str = "pvlu";
    type Params<T: Copy> = [T; 2];
    const PARAMS: [Param; 2] = [Param::trained("alpha", 0.5).swapped(0.0), Param::trained("beta", 1.0)];

    #[inline(always)]
    fn value<R: Real>(x: R, [alpha, beta]: [R; 2]) -> R {
        Vlu::value(x, [alpha, beta])
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, [alpha, beta]: [R; 2]) -> (R, [R; 2]) {
        Vlu::derivatives(x, [alpha, beta])
    }

    compiled_here!(cuda: Vlu);
}
