//! Registers of one element, for machines without the vector instructions that we know.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::functions::transcendental;
use super::parts::{Parts, ROOT_HALF};
use super::real::{Lane, Real};
use super::{erf, logarithm, normal, sine, tanh};
use crate::kernel::Element;
use crate::kernel::element::Sealed;

/// A register of one element; for `FMA` see [`Portable`](super::Portable).
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Scalar<E, const FMA: bool>(pub E);

impl<E, const FMA: bool> Sealed for Scalar<E, FMA> {}

macro_rules! operator {
    ($trait:ident, $method:ident) => {
        impl<E: Element, const FMA: bool> $trait for Scalar<E, FMA> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Scalar(self.0.$method(other.0))
            }
        }
    };
}
operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);

impl<E: Element, const FMA: bool> Neg for Scalar<E, FMA> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Scalar(-self.0)
    }
}

macro_rules! real {
    ($elem:ident, $fma:path) => {
        impl<const FMA: bool> Real for Scalar<$elem, FMA> {
            #[inline(always)]
            fn of(value: f64) -> Self {
                Scalar(<$elem as Element>::of(value))
            }
            /// The instruction, or a slow function of `libm`: that of the system's library need not round once.
            #[inline(always)]
            #[allow(clippy::disallowed_methods)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                Scalar(if FMA { self.0.mul_add(a.0, b.0) } else { $fma(self.0, a.0, b.0) })
            }
            #[inline(always)]
            fn if_positive(self, positive: Self, other: Self) -> Self {
                if self.0 > 0.0 { positive } else { other }
            }
            #[inline(always)]
            fn abs(self) -> Self {
                Scalar(self.0.abs())
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Scalar(self.0.sqrt())
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                if self.0 > other.0 {
                    self
                } else if self.0 < other.0 {
                    other
                } else if self.0 == other.0 {
                    Scalar($elem::from_bits(self.0.to_bits() & other.0.to_bits()))
                } else {
                    self + other
                }
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                if self.0 < other.0 {
                    self
                } else if self.0 > other.0 {
                    other
                } else if self.0 == other.0 {
                    Scalar($elem::from_bits(self.0.to_bits() | other.0.to_bits()))
                } else {
                    self + other
                }
            }
            transcendental!($elem);
        }

        impl<const FMA: bool> Lane for Scalar<$elem, FMA> {
            type Elem = $elem;
            const WIDTH: usize = 1;

            #[inline(always)]
            fn splat(value: $elem) -> Self {
                Scalar(value)
            }
            #[inline(always)]
            fn load(source: &[$elem]) -> Self {
                Scalar(source[0])
            }
            #[inline(always)]
            fn store(self, target: &mut [$elem]) {
                target[0] = self.0;
            }
        }
    };
}

real!(f32, libm::fmaf);
real!(f64, libm::fma);

impl<const FMA: bool> Parts for Scalar<f32, FMA> {
    #[inline(always)]
    fn round(self) -> Self {
        Scalar(self.0.round_ties_even())
    }
    #[inline(always)]
    fn clamp(self, low: f32, high: f32) -> Self {
        // A NaN fails both comparisons and stays.
        if self.0 < low {
            Scalar(low)
        } else if self.0 > high {
            Scalar(high)
        } else {
            self
        }
    }
    #[inline(always)]
    fn all_within(self, bound: f32) -> bool {
        self.0.abs() <= bound
    }
    #[inline(always)]
    fn rotate(quadrant: Self, sin: Self, cos: Self) -> (Self, Self) {
        let k = quadrant.0 as i32;
        let (s, c) = if k & 1 == 0 { (sin.0, cos.0) } else { (cos.0, sin.0) };
        (Scalar(if k & 2 == 0 { s } else { -s }), Scalar(if k.wrapping_add(1) & 2 == 0 { c } else { -c }))
    }
    #[inline(always)]
    fn exp2_integer(self) -> Self {
        Scalar(f32::from_bits(((self.0 as i32 + 127) << 23) as u32))
    }
    #[inline(always)]
    fn mantissa(self) -> (Self, Self) {
        let bits = self.0.to_bits() as i32;
        let k = bits.wrapping_sub(ROOT_HALF) >> 23;
        (Scalar(f32::from_bits(bits.wrapping_sub(k << 23) as u32)), Scalar(-k as f32))
    }
    #[inline(always)]
    fn with_sign_of(self, sign: Self) -> Self {
        Scalar(self.0.copysign(sign.0))
    }
}
