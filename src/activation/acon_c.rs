//! ACON-C, of the family "activate or not".
//!
//! ```text
//! d        = p1 - p2,   z = beta d x,   s = 1 / (1 + e^-z)
//! f(x)     = d x s + p2 x = x (p1 s + p2 (1 - s))
//! df/dx    = p1 s + p2 (1 - s) + d z s (1 - s)
//! df/dp1   = x (s + z s (1 - s))
//! df/dp2   = x (1 - s - z s (1 - s))
//! df/dbeta = (d x)^2 s (1 - s)
//! ```
//!
//! p1, p2 and beta are trained. p1 starts at 1, p2 at 0 and beta at 1, which is Swish: a departure from the authors,
//! who draw p1 and p2 at random. Source: Ma, Zhang, Liu and Sun, Activate or not: learning customized activation, 2021.
//!
//! Infinities give the limits, for beta d > 0 those of p1 x at plus infinity and of p2 x at minus infinity, where a p2
//! of 0 gives 0. For d = 0 or beta = 0 there is NaN.

use super::vanishing::{logistic, times};
use super::{Activation, Param, Real, compiled_here};

/// (p1 - p2) x sigmoid(beta (p1 - p2) x) + p2 x, with trained p1, p2 and beta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AconC;

impl Activation for AconC {
    const NAME: &'static str = "acon_c";
    type Params<T: Copy> = [T; 3];
    const PARAMS: [Param; 3] = [Param::trained("p1", 1.0), Param::trained("p2", 0.0), Param::trained("beta", 1.0)];

    #[inline(always)]
    fn value<R: Real>(x: R, [p1, p2, beta]: [R; 3]) -> R {
        let (s, rest) = logistic(beta * ((p1 - p2) * x));
        times(x, p1.mul_add(s, p2 * rest))
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, [p1, p2, beta]: [R; 3]) -> (R, [R; 3]) {
        let d = p1 - p2;
        let scaled = d * x;
        let z = beta * scaled;
        let (s, rest) = logistic(z);
        let bump = s * rest;
        let turn = times(z, bump);
        let dx = d.mul_add(turn, p1.mul_add(s, p2 * rest));
        (dx, [times(x, s + turn), times(x, rest - turn), times(scaled, times(scaled, bump))])
    }

    compiled_here!(cpu);
}
