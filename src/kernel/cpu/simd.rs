//! Vector registers behind one trait, chosen at run time.
//!
//! A kernel body is written once against [`Lane`] (or as plain loops) in [`Kernel::run`] and compiled for each
//! [`Level`]; [`dispatch`] picks the level of this machine. `PVLU_SIMD=portable`, `avx2`, `avx512` or `amx` asks for
//! another one, for measuring and testing: results are the same bits at every level. A level that is unknown or missing
//! is an error of [`Level::requested`], which programs call; kernels then run as if none was asked for.
//!
//! Closures do not inherit the instruction set of the function that they are written in, so parallel kernels split the
//! work first and call [`dispatch`] within each task.

mod erf;
mod functions;
mod level;
mod logarithm;
mod normal;
mod parts;
mod portable;
mod real;
mod sine;
mod tanh;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod tiles;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod x86;

pub use level::{Level, LevelError};
pub use real::{Lane, MAX_WIDTH, Real, widest};
#[cfg(target_arch = "x86_64")]
pub use tiles::may_use_tiles;

use std::fmt::Debug;

use crate::kernel::element::{Element, Sealed};

/// One instruction set: the registers that hold `f32` and `f64` elements.
pub trait Simd: Sealed + Copy + Debug + Send + Sync + 'static {
    /// Register of `f32` elements.
    type F32: Lane<Elem = f32>;
    /// Register of `f64` elements.
    type F64: Lane<Elem = f64>;

    /// Asks for elements that will be read soon to be brought into the second cache level, while others are worked on.
    #[inline(always)]
    fn prefetch<E: Element>(_elements: &[E]) {}

    /// `a b + c` of single elements, rounded once: by the instruction, which every set of vector instructions comes
    /// with.
    #[inline(always)]
    #[allow(clippy::disallowed_methods)]
    fn mul_add<E: Element>(a: E, b: E, c: E) -> E {
        a.mul_add(b, c)
    }
}

/// No vector instructions beyond what the compiler's baseline gives: a register is one element. `FMA` says whether
/// kernels are compiled for a processor with a fused multiply-add.
#[derive(Clone, Copy, Debug)]
pub struct Portable<const FMA: bool>;

impl<const FMA: bool> Sealed for Portable<FMA> {}

impl<const FMA: bool> Simd for Portable<FMA> {
    type F32 = portable::Scalar<f32, FMA>;
    type F64 = portable::Scalar<f64, FMA>;

    #[inline(always)]
    fn mul_add<E: Element>(a: E, b: E, c: E) -> E {
        let [a, b, c] = [a, b, c].map(E::Lane::<Self>::splat);
        let mut sum = [E::default()];
        a.mul_add(b, c).store(&mut sum);
        sum[0]
    }
}

/// A kernel body, compiled once for each [`Level`].
pub trait Kernel {
    /// Type of the kernel's result.
    type Output;
    /// The body. Implementations carry `#[inline(always)]`: only what is inlined is compiled for the level.
    fn run<S: Simd>(self) -> Self::Output;
}

/// Runs a kernel at the level of this process.
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    dispatch_at(Level::current(), kernel)
}

/// Runs a kernel at a given level, or at the portable one if the machine does not have it.
#[inline]
pub fn dispatch_at<K: Kernel>(level: Level, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        x86::dispatch_at(level, kernel)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = level;
        // Every AArch64 has a fused multiply-add. What other processors have is not known here.
        kernel.run::<Portable<{ cfg!(target_arch = "aarch64") }>>()
    }
}

#[cfg(test)]
mod tests;
