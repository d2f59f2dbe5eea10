//! Vector registers behind one trait, chosen at run time.
//!
//! A kernel body is written once against [`Lane`] (or as plain loops) in [`Kernel::run`] and compiled for each
//! [`Level`]; [`dispatch`] picks the level of this machine. `PVLU_SIMD=portable`, `avx2` or `avx512` asks for another one,
//! for measuring and testing: results are the same bits at every level. What cannot be had is an error of
//! [`Level::requested`], which programs ask, and otherwise as if nothing was asked for.
//!
//! Closures do not inherit the instruction set of the function that they are written in, so parallel kernels split the
//! work first and call [`dispatch`] within each task.

mod level;
mod portable;
mod real;
mod sine;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod x86;

pub use level::{Level, LevelError};
pub use real::{Lane, MAX_WIDTH, Real};

use std::fmt::Debug;

use crate::kernel::element::{Element, Sealed};

/// One instruction set: the registers that hold `f32` and `f64` elements.
pub trait Simd: Sealed + Copy + Debug + Send + Sync + 'static {
    /// Register of `f32`.
    type F32: Lane<Elem = f32>;
    /// Register of `f64`.
    type F64: Lane<Elem = f64>;

    /// Asks for elements that will be read soon to be brought into the second cache level, while others are worked on.
    #[inline(always)]
    fn prefetch<E: Element>(_elements: &[E]) {}
}

/// No vector instructions beyond what the compiler's baseline gives: a register is one element.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

impl Sealed for Portable {}

impl Simd for Portable {
    type F32 = portable::Scalar<f32>;
    type F64 = portable::Scalar<f64>;
}

/// A kernel body, compiled once for each [`Level`].
pub trait Kernel {
    /// What the kernel returns.
    type Output;
    /// The body. Implementations carry `#[inline(always)]`: only what is inlined is compiled for the level.
    fn run<S: Simd>(self) -> Self::Output;
}

/// Runs a kernel at the level of this process.
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    dispatch_at(Level::current(), kernel)
}

/// Runs a kernel at a given level, or at the fastest available one if the machine does not have it.
#[inline]
pub fn dispatch_at<K: Kernel>(level: Level, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        x86::dispatch_at(level, kernel)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = level;
        kernel.run::<Portable>()
    }
}

#[cfg(test)]
mod tests;
