//! Vector registers behind one trait, chosen at run time.
//!
//! A kernel body is written once against [`Lane`] (or as plain loops) in [`Kernel::run`] and compiled for each
//! [`Level`]; [`dispatch`] picks the level of this machine. `PVLU_SIMD=portable`, `avx2` or `avx512` lowers the choice;
//! a level that the machine does not have, or a name that is none of these, is ignored.
//!
//! Closures do not inherit the instruction set of the function that they are written in, so parallel kernels split the
//! work first and call [`dispatch`] within each task.

mod portable;
mod real;
mod sine;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod x86;

pub use real::{Lane, MAX_WIDTH, Real};

use std::fmt::Debug;
use std::sync::OnceLock;

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

/// An instruction set that kernels are compiled for, from the slowest to the fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The compiler's baseline.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, DQ, BW and VL.
    Avx512,
}

impl Level {
    /// The levels that this machine can run, slowest first.
    pub fn available() -> Vec<Level> {
        [Level::Portable, Level::Avx2, Level::Avx512].into_iter().filter(|level| level.is_available()).collect()
    }

    fn is_available(self) -> bool {
        match self {
            Level::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => {
                Level::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The level that kernels use in this process: the fastest available, or what `PVLU_SIMD` asks for.
    pub fn current() -> Level {
        #[cfg(test)]
        if let Some(level) = crate::kernel::cpu::testing::forced_level() {
            return level;
        }
        static CURRENT: OnceLock<Level> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let wanted = match std::env::var("PVLU_SIMD").as_deref() {
                Ok("portable") => Some(Level::Portable),
                Ok("avx2") => Some(Level::Avx2),
                Ok("avx512") => Some(Level::Avx512),
                _ => None,
            };
            let available = Level::available();
            wanted.filter(|level| available.contains(level)).unwrap_or(available[available.len() - 1])
        })
    }
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
