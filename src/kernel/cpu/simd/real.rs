//! The two traits of a register: formulas are written in [`Real`], kernels in [`Lane`].

use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::kernel::Element;
use crate::kernel::element::Sealed;

/// A real number, or a register full of them, in which a formula is written once.
///
/// Every operation is elementwise, and its result the same to the last bit in every register: on any processor,
/// with any other elements. (A NaN is any NaN.) Every function propagates NaN. The trait is sealed: kernels choose the
/// type.
pub trait Real:
    Sealed
    + Copy
    + Debug
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    /// The same constant everywhere, rounded once.
    fn of(value: f64) -> Self;
    /// `self * a + b`, rounded once.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// `if self > 0 { positive } else { other }`; a NaN takes `other`.
    fn if_positive(self, positive: Self, other: Self) -> Self;
    /// Sine and cosine together. In `f32` at most 2 ulp off the true value for |x| up to 1e4, correctly reduced (and
    /// slower) beyond, and in `f64` at most 1 ulp; NaN for an infinite x.
    fn sin_cos(self) -> (Self, Self);
    /// The exponential function `e^x`.
    fn exp(self) -> Self;
    /// `e^x - 1`, accurate near 0.
    fn exp_m1(self) -> Self;
    /// The natural logarithm: minus infinity at zeros of either sign, NaN below. At most 2 ulp off the true value in
    /// `f32`, and at most 1 ulp in `f64`; so are `ln_1p` and `erf`.
    fn ln(self) -> Self;
    /// `ln(1 + x)`, accurate near 0: minus infinity at -1, NaN below.
    fn ln_1p(self) -> Self;
    /// The square root, correctly rounded: minus zero at minus zero, NaN below.
    fn sqrt(self) -> Self;
    /// The hyperbolic tangent. In `f32` at most 2 ulp off the true value, in `f64` at most 3 ulp.
    fn tanh(self) -> Self;
    /// The error function, the integral of `2 / sqrt(pi) e^(-t^2)` over t from 0 to x.
    fn erf(self) -> Self;
    /// The standard normal distribution: its distribution function, `(1 + erf(x / sqrt(2))) / 2`, which keeps its
    /// digits where it is small, and its density. In `f32` at most 6 ulp and 3 ulp off the true values; in `f64` at
    /// most 3 ulp near 0, and more the further away: at x they lose what rounding x^2 does.
    fn normal(self) -> (Self, Self);
    /// The magnitude: no sign, of zero neither.
    fn abs(self) -> Self;
    /// The larger one: NaN if either is NaN, and of zeros of different sign plus zero.
    fn max(self, other: Self) -> Self;
    /// The smaller one: NaN if either is NaN, and of zeros of different sign minus zero.
    fn min(self, other: Self) -> Self;

    /// `max(0, x)`; NaN stays NaN, and minus zero becomes zero, so that adding a zero of either sign changes no bit.
    #[inline(always)]
    fn relu(self) -> Self {
        let zero = Self::of(0.0);
        self.if_positive(self, (-self).if_positive(zero, self + zero))
    }
    /// The unit step: 1 for x > 0, 0 for x <= 0 (plus zero, also at minus zero); NaN stays NaN.
    #[inline(always)]
    fn step(self) -> Self {
        let zero = Self::of(0.0);
        self.if_positive(Self::of(1.0), (-self).if_positive(zero, self + zero))
    }
    /// The sine, as [`sin_cos`](Self::sin_cos) computes it.
    #[inline(always)]
    fn sin(self) -> Self {
        self.sin_cos().0
    }
    /// The cosine, as [`sin_cos`](Self::sin_cos) computes it.
    #[inline(always)]
    fn cos(self) -> Self {
        self.sin_cos().1
    }
    /// The logistic function `1 / (1 + e^-x)`.
    #[inline(always)]
    fn sigmoid(self) -> Self {
        Self::of(1.0) / (Self::of(1.0) + (-self).exp())
    }
}

/// A register of [`Element`]s that kernels load, store and reduce.
pub trait Lane: Real {
    /// Type of the register's elements.
    type Elem: Element;
    /// Elements in the register.
    const WIDTH: usize;

    /// The same element everywhere.
    fn splat(value: Self::Elem) -> Self;
    /// The first `WIDTH` elements of `source`; panics if there are fewer.
    fn load(source: &[Self::Elem]) -> Self;
    /// Writes the first `WIDTH` elements of `target`; panics if there are fewer.
    fn store(self, target: &mut [Self::Elem]);

    /// Swaps the axes of the square of the first `WIDTH` registers.
    #[inline(always)]
    fn transpose(square: &mut [Self; MAX_WIDTH]) {
        let mut elements = [[Self::Elem::default(); MAX_WIDTH]; MAX_WIDTH];
        for (line, register) in elements.iter_mut().zip(&*square).take(Self::WIDTH) {
            register.store(line);
        }
        for (j, register) in square.iter_mut().enumerate().take(Self::WIDTH) {
            let mut line = [Self::Elem::default(); MAX_WIDTH];
            for (to, from) in line.iter_mut().zip(&elements).take(Self::WIDTH) {
                *to = from[j];
            }
            *register = Self::load(&line);
        }
    }

    /// Up to `WIDTH` elements, the rest filled with zero.
    #[inline(always)]
    fn load_partial(source: &[Self::Elem]) -> Self {
        let mut full = [Self::Elem::default(); MAX_WIDTH];
        full[..source.len()].copy_from_slice(source);
        Self::load(&full)
    }
    /// Writes the first `target.len()` elements, at most `WIDTH`.
    #[inline(always)]
    fn store_partial(self, target: &mut [Self::Elem]) {
        let mut full = [Self::Elem::default(); MAX_WIDTH];
        self.store(&mut full);
        target.copy_from_slice(&full[..target.len()]);
    }
}

/// Elements of `f32` in the widest register, and so the most of any type in any register.
pub const MAX_WIDTH: usize = 16;

/// Elements in the widest register. The order of a sum, or the choice of a method, that goes by the width of registers
/// goes by this one at every instruction set.
pub const fn widest<E>() -> usize {
    MAX_WIDTH * size_of::<f32>() / size_of::<E>()
}
