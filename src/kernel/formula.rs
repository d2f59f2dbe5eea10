//! What a fused kernel needs to know of an activation: its formula.

use std::fmt::Debug;

use super::cpu::simd::Real;

/// A fixed number of values of one type, one for each parameter: an array.
pub trait ParamArray<T>: Sized {
    /// Number of parameters.
    const LEN: usize;
    /// The value for parameter `i` is `value(i)`; called in order.
    fn from_fn(value: impl FnMut(usize) -> T) -> Self;
    /// In the order of the parameters.
    fn as_slice(&self) -> &[T];
    /// In the order of the parameters.
    fn as_mut_slice(&mut self) -> &mut [T];
    /// In the order of the parameters.
    fn into_vec(self) -> Vec<T>;
}

impl<T, const N: usize> ParamArray<T> for [T; N] {
    const LEN: usize = N;

    #[inline(always)]
    fn from_fn(value: impl FnMut(usize) -> T) -> Self {
        std::array::from_fn(value)
    }
    #[inline(always)]
    fn as_slice(&self) -> &[T] {
        self
    }
    #[inline(always)]
    fn as_mut_slice(&mut self) -> &mut [T] {
        self
    }
    fn into_vec(self) -> Vec<T> {
        self.into()
    }
}

/// An elementwise function of x with a few parameters that are shared within a channel, and its derivatives.
///
/// Written once against [`Real`], compiled for every element type and instruction set. Implementations carry
/// `#[inline(always)]` on both functions: only what is inlined into a kernel uses its vector instructions. What a caller
/// does not use of the derivatives costs nothing: the compiler drops it.
pub trait Formula: Copy + Default + Debug + Send + Sync + 'static {
    /// One `T` for each parameter: `[T; 2]` for PVLU, `[T; 0]` for ReLU.
    type Params<T: Clone + Debug + Send + Sync>: ParamArray<T> + Clone + Debug + Send + Sync;

    /// Number of parameters.
    const PARAM_COUNT: usize = <Self::Params<()> as ParamArray<()>>::LEN;

    /// f(x).
    fn value<R: Real>(x: R, params: Self::Params<R>) -> R;

    /// df/dx, and df/dparameter for each parameter. The unit step is 0 at 0.
    fn derivatives<R: Real>(x: R, params: Self::Params<R>) -> (R, Self::Params<R>);
}
