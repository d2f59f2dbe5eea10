//! The formula of an activation, which is all that a fused kernel needs to know of it.

use std::fmt::Debug;

use super::cpu::simd::Real;

/// A fixed number of values of one type, one for each parameter: an array of at most four.
pub trait ParamArray<T>: Sized {
    /// Number of parameters, at most four.
    const LEN: usize;
    /// The value for parameter `i` is `value(i)`; called in order.
    fn from_fn(value: impl FnMut(usize) -> T) -> Self;
    /// The values, in the order of the parameters.
    fn as_slice(&self) -> &[T];
    /// The values for writing, in the order of the parameters.
    fn as_mut_slice(&mut self) -> &mut [T];
}

/// Each length by itself: `std::array::from_fn`, which takes any, guards against a panic half way, by code that would
/// be compiled into every kernel.
macro_rules! param_arrays {
    ($($length:literal [$($at:literal),*];)*) => {$(
        impl<T> ParamArray<T> for [T; $length] {
            const LEN: usize = $length;

            #[inline(always)]
            #[allow(unused_mut, unused_variables)]
            fn from_fn(mut value: impl FnMut(usize) -> T) -> Self {
                [$(value($at)),*]
            }
            #[inline(always)]
            fn as_slice(&self) -> &[T] {
                self
            }
            #[inline(always)]
            fn as_mut_slice(&mut self) -> &mut [T] {
                self
            }
        }
    )*};
}
param_arrays! {
    0 [];
    1 [0];
    2 [0, 1];
    3 [0, 1, 2];
    4 [0, 1, 2, 3];
}

/// An elementwise function of x with a few parameters that are shared within a channel, and its derivatives, as fused
/// kernels compute them. Every [`Activation`](crate::activation::Activation) is one.
pub trait Formula: Copy + Default + Debug + Send + Sync + 'static {
    /// One `T` for each parameter: `[T; 2]` for PVLU, `[T; 0]` for ReLU.
    type Params<T: Copy>: ParamArray<T> + Copy;

    /// Number of parameters, from the length of [`Self::Params`].
    const PARAM_COUNT: usize = <Self::Params<()> as ParamArray<()>>::LEN;

    /// True if it is computed on rows of very many features, as with a parameter for each element of an image: kernels
    /// for those are then compiled, too.
    const LONG_ROWS: bool = false;

    /// The function's value f(x).
    fn f<R: Real>(x: R, params: Self::Params<R>) -> R;

    /// The derivatives df/dx, and df/dparameter for each parameter. The unit step is 0 at 0.
    fn df<R: Real>(x: R, params: Self::Params<R>) -> (R, Self::Params<R>);
}
