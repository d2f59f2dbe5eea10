//! Activations: the formula, the name and the parameters of each.
//!
//! A new one is a unit struct with one `impl`; it gets the fused kernels for free. ISRU (Carlile 2017),
//! x / sqrt(1 + a x^2) with a trained a for each channel:
//!
//! ```
//! use pvlu::activation::{Activation, Param, Real};
//!
//! #[derive(Clone, Copy, Debug, Default)]
//! struct Isru;
//!
//! impl Activation for Isru {
//!     const NAME: &'static str = "isru";
//!     type Params<T: Copy> = [T; 1];
//!     const PARAMS: [Param; 1] = [Param::trained("a", 1.0)];
//!
//!     #[inline(always)]
//!     fn value<R: Real>(x: R, [a]: [R; 1]) -> R {
//!         x / (a * x).mul_add(x, R::of(1.0)).sqrt()
//!     }
//!     #[inline(always)]
//!     fn derivatives<R: Real>(x: R, [a]: [R; 1]) -> (R, [R; 1]) {
//!         let reciprocal = R::of(1.0) / (a * x).mul_add(x, R::of(1.0)).sqrt();
//!         let cube = reciprocal * reciprocal * reciprocal;
//!         (cube, [R::of(-0.5) * x * x * x * cube])
//!     }
//! }
//!
//! use dfdx::prelude::*;
//! use pvlu::layer::builder::Act;
//!
//! let dev = Cpu::default();
//! let layer = dev.build_module::<Act<Isru, 2>, f32>();
//! let y = layer.forward(dev.tensor([[0.0, 1.0]]));
//! assert_eq!(y.array()[0][0], 0.0);
//! ```

mod chosen;
mod definition;
mod find;
mod param;
mod vanishing;
pub mod written;

pub use chosen::Chosen;
pub use definition::{Definition, ParamList};
pub use find::{FindError, find, find_among};
pub use param::{MAX_PARAMS, Param};
pub use written::{Written, WrittenError};

/// The activations of this crate, each a file and a type: from this list all others are made.
macro_rules! built_in {
    ($($module:ident: $activation:ident),+ $(,)?) => {
        $(
            mod $module;
            pub use $module::$activation;
        )+

        /// Every activation of this crate but [`Chosen`], which is any of them: in the order of the paper's first
        /// table, then the others. What lists activations lists these.
        pub static BUILT_IN: &[&Definition] = &[$(Definition::typed::<$activation>()),+];
    };
}
built_in! {
    relu: Relu,
    leaky_relu: LeakyRelu,
    elu: Elu,
    prelu: PRelu,
    sine_relu: SineRelu,
    swish: Swish,
    vlu: Vlu,
    pvlu: Pvlu,
    gelu: Gelu,
    gelu_tanh: GeluTanh,
    mish: Mish,
    softplus: Softplus,
    tanh: Tanh,
    snake: Snake,
    sinlu: SinLu,
    swish_beta: SwishBeta,
    acon_c: AconC,
    prelu_element: PReluElement,
}

pub use crate::kernel::ParamArray;
pub use crate::kernel::cpu::activation::{Computation, Kernels};
pub use crate::kernel::cpu::simd::Real;

use std::any::TypeId;
use std::fmt::Debug;

use definition::{Params, Source};

use crate::kernel::{Element, Formula};

/// An activation that layers can be built with: an elementwise function of x with a few parameters, which are shared
/// within a channel unless it says otherwise, and its derivatives.
///
/// The formula is written once against [`Real`] and compiled for every element type and instruction set. `value` and
/// `derivatives` carry `#[inline(always)]`: only what is inlined into a kernel uses its vector instructions. What a
/// kernel does not use of the derivatives costs nothing: the compiler drops it.
///
/// NaN propagates through the value of every built-in activation.
pub trait Activation: Copy + Default + Debug + Send + Sync + 'static {
    /// Name on the command line, in files and in tables: "pvlu".
    const NAME: &'static str;

    /// One `T` for each parameter: `[T; 2]` for PVLU, `[T; 0]` for ReLU. At most [`MAX_PARAMS`].
    type Params<T: Copy>: ParamArray<T> + Copy;

    /// Names, start values and kinds of the parameters, in the order of [`Activation::Params`].
    const PARAMS: Self::Params<Param>;

    /// True if the derivatives at f(x) are those at x, as for ReLU, where both depend on the sign alone. A layer then
    /// keeps its output for the backward pass instead of its input, and one buffer serves it and the layer after it.
    const DIFFERENTIATES_FROM_OUTPUT: bool = false;

    /// True if each parameter has a value for every element of a map, channels by rows by columns, and not for every
    /// channel. A network then takes images of one size, which [`choose_activation`](crate::layer::choose_activation)
    /// tells its layers.
    const PER_ELEMENT: bool = false;

    /// The name under which the formula is compiled into this crate's CUDA kernels, where it is, which activations of
    /// one formula share; another activation runs on the CPU alone.
    const CUDA: Option<&'static str> = None;

    /// The activation's value, f(x).
    fn value<R: Real>(x: R, params: Self::Params<R>) -> R;

    /// df/dx, and df/dparameter for each parameter. The unit step is 0 at 0.
    fn derivatives<R: Real>(x: R, params: Self::Params<R>) -> (R, Self::Params<R>);

    /// The activation as a value. Not meant to be overridden outside this crate.
    fn definition() -> &'static Definition {
        Definition::typed::<Self>()
    }

    /// The fused kernels in `f32`. Not meant to be overridden outside this crate.
    fn kernels_f32() -> Kernels<f32> {
        Kernels::of::<Self>()
    }

    /// The fused kernels in `f64`. Not meant to be overridden outside this crate.
    fn kernels_f64() -> Kernels<f64> {
        Kernels::of::<Self>()
    }
}

/// The definition of a type, as a constant.
struct Typed<A>(A);

impl<A: Activation> Typed<A> {
    const DEFINITION: &'static Definition = &Definition {
        name: A::NAME,
        text: A::NAME,
        params: Params::Typed(|| ParamList::of(A::PARAMS.as_slice())),
        differentiates_from_output: A::DIFFERENTIATES_FROM_OUTPUT,
        per_element: A::PER_ELEMENT && <A::Params<()> as ParamArray<()>>::LEN > 0,
        cuda: A::CUDA,
        kernels: Source::Compiled { activation: TypeId::of::<A>, f32: A::kernels_f32, f64: A::kernels_f64 },
    };
}

impl Definition {
    /// The definition of an activation type; of [`Chosen`] that of ReLU, which it is until another one is chosen.
    pub fn of<A: Activation>() -> &'static Self {
        A::definition()
    }

    /// The definition of a type, from its constants.
    const fn typed<A: Activation>() -> &'static Self {
        Typed::<A>::DEFINITION
    }
}

impl<A: Activation> Formula for A {
    type Params<T: Copy> = A::Params<T>;
    const LONG_ROWS: bool = A::PER_ELEMENT;

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

    /// The fused kernels of an activation that is a value, wherever they run.
    fn fused(activation: &Definition) -> Fused<Self>;
}

impl FusedElement for f32 {
    fn kernels<A: Activation>() -> Kernels<f32> {
        A::kernels_f32()
    }
    fn fused(activation: &Definition) -> Fused<f32> {
        Fused { cpu: activation.computation_f32(), cuda: activation.cuda() }
    }
}

impl FusedElement for f64 {
    fn kernels<A: Activation>() -> Kernels<f64> {
        A::kernels_f64()
    }
    fn fused(activation: &Definition) -> Fused<f64> {
        Fused { cpu: activation.computation_f64(), cuda: activation.cuda() }
    }
}

/// The kernels of an activation in one element type, wherever they run.
#[derive(Clone, Copy, Debug)]
pub struct Fused<E: 'static> {
    /// The kernels of the CPU.
    pub cpu: Computation<E>,
    /// The name of the kernels on CUDA devices; see [`Activation::CUDA`].
    pub cuda: Option<&'static str>,
}

/// Overrides the provided methods by themselves, and says that the file has a `cuda_source!` with the formula; with
/// `cuda: Other` that the formula on CUDA is that of another activation, and with `cpu` that there is none.
///
/// A method of a concrete type is compiled here, once; a provided one would be instantiated, and its kernels with it,
/// in every crate that uses it. `inline(never)` keeps it so: a body that could be inlined elsewhere would name the
/// kernels there.
macro_rules! compiled_here {
    () => {
        const CUDA: Option<&'static str> = Some(<Self as $crate::activation::Activation>::NAME);

        $crate::activation::compiled_here!(cpu);
    };
    (cuda: $other:ident) => {
        const CUDA: Option<&'static str> = <$other as $crate::activation::Activation>::CUDA;

        $crate::activation::compiled_here!(cpu);
    };
    (cpu) => {
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
