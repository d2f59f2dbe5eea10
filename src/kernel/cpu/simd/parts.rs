//! Operations that the functions of `f32` are made of, beyond arithmetic.

use super::real::Lane;

/// A register of `f32` with the operations beyond [`Lane`] that the functions need.
pub(super) trait Parts: Lane<Elem = f32> {
    /// Rounded to the nearest integer, ties to even.
    fn round(self) -> Self;
    /// Clamped to `[low, high]`; NaN stays NaN.
    fn clamp(self, low: f32, high: f32) -> Self;
    /// Returns whether every |x| is at most `bound` (false for a NaN).
    fn all_within(self, bound: f32) -> bool;
    /// Turns the sine and cosine of the reduced angle into those of the angle in the given quadrant (an integer).
    fn rotate(quadrant: Self, sin: Self, cos: Self) -> (Self, Self);
    /// `2^x` for an integer x in `[-126, 127]`.
    fn exp2_integer(self) -> Self;
    /// A positive normal `x` as `(m, n)` with `m = x 2^n`, m in `[sqrt(1/2), sqrt(2))` and n an integer; infinity
    /// counts as 2^128, and of any other x the result is of no use.
    fn mantissa(self) -> (Self, Self);
    /// The magnitude of `self` with the sign of another one.
    fn with_sign_of(self, sign: Self) -> Self;
}

/// The bits of the smallest mantissa, sqrt(1/2): bits above these begin a new exponent.
pub(super) const ROOT_HALF: i32 = 0x3f35_04f3;
