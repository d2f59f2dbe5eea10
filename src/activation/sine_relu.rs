//! SineReLU.
//!
//! ```text
//! f(x)        = x                for x > 0, else epsilon (sin x - cos x)
//! df/dx       = 1                for x > 0, else epsilon (cos x + sin x)
//! df/depsilon = 0                for x > 0, else sin x - cos x
//! ```
//!
//! epsilon, 0.0025, is a hyperparameter. f jumps at 0 from -epsilon to 0. Source: SineReLU in keras-contrib.
//!
//! At minus infinity the value is NaN.

use super::{Activation, Param, Real, compiled_here};
use crate::kernel::cuda_source;

/// x for x > 0, else epsilon (sin x - cos x), with epsilon = 0.0025.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SineRelu;

impl Activation for SineRelu {
    const NAME: &'static str = "sine_relu";
    type Params<T: Copy> = [T; 1];
    const PARAMS: [Param; 1] = [Param::fixed("epsilon", 0.0025)];

    #[inline(always)]
    fn value<R: Real>(x: R, [epsilon]: [R; 1]) -> R {
        let (sin, cos) = x.sin_cos();
        x.if_positive(x, epsilon * (sin - cos))
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, [epsilon]: [R; 1]) -> (R, [R; 1]) {
        let (sin, cos) = x.sin_cos();
        let dx = x.if_positive(R::of(1.0), epsilon * (cos + sin));
        (dx, [x.if_positive(R::of(0.0), sin - cos)])
    }

    compiled_here!();
}

cuda_source! {r#"
struct Formula {
    static constexpr int PARAMS = 1;
    template <typename T>
    DEVICE T value(T x, Params<T> p) {
        T sine, cosine;
        math::sin_cos(x, sine, cosine);
        return x > 0 ? x : p.a * (sine - cosine);
    }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T> p) {
        T sine, cosine;
        math::sin_cos(x, sine, cosine);
        return {x > 0 ? T(1) : p.a * (cosine + sine), x > 0 ? T(0) : sine - cosine, 0};
    }
};
"#}
