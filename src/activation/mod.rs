//! Activations: the formula, the name and the parameters of each.
//!
//! A new one is a unit struct with one `impl`; it gets the fused kernels for free. Snake (Ziyin 2020),
//! x + sin^2(a x) / a with a trained frequency a for each channel:
//!
//! ```
//! use pvlu::activation::{Activation, Param, Real};
//!
//! #[derive(Clone, Copy, Debug, Default)]
//! struct Snake;
//!
//! impl Activation for Snake {
//!     const NAME: &'static str = "snake";
//!     type Params<T: Copy> = [T; 1];
//!     const PARAMS: [Param; 1] = [Param::trained("a", 1.0)];
//!
//!     #[inline(always)]
//!     fn value<R: Real>(x: R, [a]: [R; 1]) -> R {
//!         let sin = (a * x).sin();
//!         x + sin * sin / a
//!     }
//!     #[inline(always)]
//!     fn derivatives<R: Real>(x: R, [a]: [R; 1]) -> (R, [R; 1]) {
//!         let (sin, cos) = (a * x).sin_cos();
//!         let sin_twice = (sin + sin) * cos;
//!         (R::of(1.0) + sin_twice, [(x * sin_twice - sin * sin / a) / a])
//!     }
//! }
//!
//! use dfdx::prelude::*;
//! use pvlu::layer::builder::Act;
//!
//! let dev = Cpu::default();
//! let layer = dev.build_module::<Act<Snake, 2>, f32>();
//! let y = layer.forward(dev.tensor([[0.0, 1.0]]));
//! assert_eq!(y.array()[0][0], 0.0);
//! ```

mod elu;
mod leaky_relu;
mod prelu;
mod pvlu;
mod relu;
mod sine_relu;
mod swish;
mod vlu;
pub mod written;

pub use elu::Elu;
pub use leaky_relu::LeakyRelu;
pub use prelu::PRelu;
pub use pvlu::Pvlu;
pub use relu::Relu;
pub use sine_relu::SineRelu;
pub use swish::Swish;
pub use vlu::Vlu;
pub use written::{Written, WrittenError};

pub use crate::kernel::ParamArray;
pub use crate::kernel::cpu::activation::Kernels;
pub use crate::kernel::cpu::simd::Real;

use std::fmt::Debug;

use crate::kernel::{Element, Formula};

/// A parameter of an activation: one value for each channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Param {
    /// Name, as in the formula: "alpha".
    pub name: &'static str,
    /// Value at the start of training from scratch.
    pub start: f64,
    /// Value where the activation replaces another one in a trained network.
    pub swapped: f64,
    /// Whether it is trained; otherwise it is a hyperparameter, saved with the network but never changed.
    pub trained: bool,
}

impl Param {
    /// A trained parameter with one start value, from scratch and after a swap.
    pub const fn trained(name: &'static str, start: f64) -> Self {
        Param { name, start, swapped: start, trained: true }
    }

    /// A hyperparameter.
    pub const fn fixed(name: &'static str, value: f64) -> Self {
        Param { name, start: value, swapped: value, trained: false }
    }

    /// The same parameter with another value after a swap.
    pub const fn swapped(self, value: f64) -> Self {
        Param { swapped: value, ..self }
    }
}

/// An activation that layers can be built with: an elementwise function of x with a few parameters that are shared within
/// a channel, and its derivatives.
///
/// The formula is written once against [`Real`] and compiled for every element type and instruction set. `value` and
/// `derivatives` carry `#[inline(always)]`: only what is inlined into a kernel uses its vector instructions. What a kernel
/// does not use of the derivatives costs nothing: the compiler drops it.
///
/// NaN propagates through the value of every built-in activation.
pub trait Activation: Copy + Default + Debug + Send + Sync + 'static {
    /// Name on the command line, in files and in tables: "pvlu".
    const NAME: &'static str;

    /// One `T` for each parameter: `[T; 2]` for PVLU, `[T; 0]` for ReLU. At most 4.
    type Params<T: Copy>: ParamArray<T> + Copy;

    /// Names, start values and kinds of the parameters, in the order of [`Activation::Params`].
    const PARAMS: Self::Params<Param>;

    /// Whether the derivatives at f(x) are those at x, as for ReLU, where both depend on the sign alone. A layer then keeps its
    /// output for the backward pass in the place of its input, and one buffer serves it and the layer after it.
    const DIFFERENTIATES_FROM_OUTPUT: bool = false;

    /// The name under which the formula is compiled into this crate's CUDA kernels, where it is: those of this crate are, another
    /// activation runs on the CPU alone.
    const CUDA: Option<&'static str> = None;

    /// f(x).
    fn value<R: Real>(x: R, params: Self::Params<R>) -> R;

    /// df/dx, and df/dparameter for each parameter. The unit step is 0 at 0.
    fn derivatives<R: Real>(x: R, params: Self::Params<R>) -> (R, Self::Params<R>);

    /// The fused kernels in `f32`. Not meant to be overridden outside this crate.
    fn kernels_f32() -> Kernels<f32> {
        Kernels::of::<Self>()
    }

    /// The fused kernels in `f64`. Not meant to be overridden outside this crate.
    fn kernels_f64() -> Kernels<f64> {
        Kernels::of::<Self>()
    }
}

impl<A: Activation> Formula for A {
    type Params<T: Copy> = A::Params<T>;

    #[inline(always)]
    fn f<R: Real>(x: R, params: A::Params<R>) -> R {
        A::value(x, params)
    }
    #[inline(always)]
    fn df<R: Real>(x: R, params: A::Params<R>) -> (R, A::Params<R>) {
        A::derivatives(x, params)
    }
}

/// The element types that activations have kernels for.
pub trait FusedElement: Element {
    /// The fused kernels of an activation.
    fn kernels<A: Activation>() -> Kernels<Self>;
}

impl FusedElement for f32 {
    fn kernels<A: Activation>() -> Kernels<f32> {
        A::kernels_f32()
    }
}

impl FusedElement for f64 {
    fn kernels<A: Activation>() -> Kernels<f64> {
        A::kernels_f64()
    }
}

/// The kernels of an activation in one element type, wherever they run.
#[derive(Clone, Copy, Debug)]
pub struct Fused<E: 'static> {
    /// Those of the CPU.
    pub cpu: Kernels<E>,
    /// [`Activation::CUDA`].
    pub cuda: Option<&'static str>,
}

impl<E: FusedElement> Fused<E> {
    /// The kernels of an activation.
    pub fn of<A: Activation>() -> Self {
        Self { cpu: E::kernels::<A>(), cuda: A::CUDA }
    }
}

/// Overrides the provided methods by themselves, and says that `kernel/cuda/activation.cu` has the formula too. A method of a concrete type is compiled here, once; a provided one
/// would be instantiated, and its kernels with it, in every crate that uses it. `inline(never)` keeps it so: a body
/// that could be inlined elsewhere would name the kernels there.
macro_rules! compiled_here {
    () => {
        const CUDA: Option<&'static str> = Some(<Self as $crate::activation::Activation>::NAME);

        #[inline(never)]
        fn kernels_f32() -> $crate::activation::Kernels<f32> {
            $crate::activation::Kernels::of::<Self>()
        }
        #[inline(never)]
        fn kernels_f64() -> $crate::activation::Kernels<f64> {
            $crate::activation::Kernels::of::<Self>()
        }
    };
}
use compiled_here;

#[cfg(test)]
mod tests;
