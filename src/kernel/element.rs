//! The scalar types that the kernels compute in.

use num_traits::{Float, FromPrimitive, ToPrimitive};

use super::cpu::simd::{Lane, Simd};

mod sealed {
    /// A trait that only this crate implements: kernels rely on the types being those known here.
    pub trait Sealed {}
}
pub(crate) use sealed::Sealed;

impl Sealed for f32 {}
impl Sealed for f64 {}

/// A floating-point element of a tensor: `f32` or `f64`. Sealed.
pub trait Element:
    Sealed + Float + FromPrimitive + ToPrimitive + Default + Send + Sync + std::fmt::Debug + std::iter::Sum + 'static
{
    /// The vector register of these elements at instruction set `S`.
    type Lane<S: Simd>: Lane<Elem = Self>;

    /// Rounds an `f64` once to this type.
    fn of(value: f64) -> Self;
    /// Widens (exactly) to `f64`.
    fn wide(self) -> f64;
}

impl Element for f32 {
    type Lane<S: Simd> = S::F32;

    #[inline(always)]
    fn of(value: f64) -> Self {
        value as f32
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Element for f64 {
    type Lane<S: Simd> = S::F64;

    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
}
