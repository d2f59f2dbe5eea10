//! VLU, the variational linear unit.
//!
//! ```text
//! f(x)  = max(0, x) + a sin(b x)
//! df/dx = H(x) + a b cos(b x)
//! df/da = sin(b x)
//! df/db = a x cos(b x)
//! ```
//!
//! H is the unit step, 0 at 0. a, 0.5, and b, 1, are hyperparameters; a = 0 or b = 0 gives ReLU. Source: Parametric
//! Variational Linear Units (PVLUs) in Deep Convolutional Networks, section 2.
//!
//! The value at both infinities is NaN: the sine has none.

use super::{Activation, Param, Real, compiled_here};
use crate::kernel::cuda_source;

/// max(0, x) + a sin(b x), with a = 0.5 and b = 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vlu;

impl Activation for Vlu {
    const NAME: &'static str = "vlu";
    type Params<T: Copy> = [T; 2];
    const PARAMS: [Param; 2] = [Param::fixed("a", 0.5), Param::fixed("b", 1.0)];

    #[inline(always)]
    fn value<R: Real>(x: R, [a, b]: [R; 2]) -> R {
        a.mul_add((b * x).sin(), x.relu())
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, [a, b]: [R; 2]) -> (R, [R; 2]) {
        let (sin, cos) = (b * x).sin_cos();
        ((a * b).mul_add(cos, x.step()), [sin, a * x * cos])
    }

    compiled_here!();
}

cuda_source! {r#"
struct Formula {
    static constexpr int PARAMS = 2;
    template <typename T>
    DEVICE T value(T x, Params<T> p) { return p.a * math::sine(p.b * x) + positive_part(x); }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T> p) {
        T sine, cosine;
        math::sin_cos(p.b * x, sine, cosine);
        return {p.a * p.b * cosine + step(x), sine, p.a * x * cosine};
    }
};
"#}
