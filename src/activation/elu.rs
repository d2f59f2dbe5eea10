//! ELU, the exponential linear unit.
//!
//! ```text
//! f(x)      = x                for x > 0, else alpha (e^x - 1)
//! df/dx     = 1                for x > 0, else alpha e^x
//! df/dalpha = 0                for x > 0, else e^x - 1
//! ```
//!
//! alpha, 1, is a hyperparameter. Source: Clevert, Unterthiner and Hochreiter, Fast and accurate deep network learning
//! by exponential linear units, 2016.

use super::{Activation, Param, Real, compiled_here};
use crate::kernel::cuda_source;

/// x for x > 0, else alpha (e^x - 1), with alpha = 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Elu;

impl Activation for Elu {
    const NAME: &'static str = "elu";
    type Params<T: Copy> = [T; 1];
    const PARAMS: [Param; 1] = [Param::fixed("alpha", 1.0)];

    #[inline(always)]
    fn value<R: Real>(x: R, [alpha]: [R; 1]) -> R {
        x.if_positive(x, alpha * x.exp_m1())
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, [alpha]: [R; 1]) -> (R, [R; 1]) {
        let dx = x.if_positive(R::of(1.0), alpha * x.exp());
        // Not taken from dx: e^x - 1 loses digits near 0. It costs nothing where alpha has no gradient.
        (dx, [x.if_positive(R::of(0.0), x.exp_m1())])
    }

    compiled_here!();
}

cuda_source! {r#"
struct Formula {
    static constexpr int PARAMS = 1;
    template <typename T>
    DEVICE T value(T x, Params<T> p) { return x > 0 ? x : p.a * expm1(x); }
    // The second is not taken from the first: e^x - 1 loses digits near 0.
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T> p) {
        return {x > 0 ? T(1) : p.a * exp(x), x > 0 ? T(0) : expm1(x), 0};
    }
};
"#}
