//! Rounding of factors to bf16.

use crate::kernel::precision::Precision;

/// Bits of a number of bf16: the upper half of those of an `f32`.
pub type Bf16 = u16;

/// `x` rounded to the nearest number of bf16, of two as near to the one whose last bit is zero. A denormal becomes a
/// zero of its sign, NaN stays NaN.
#[inline(always)]
pub fn round(x: f32) -> Bf16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
    let magnitude = bits & 0x7fff_ffff;
    let kept = if magnitude < 0x0080_0000 {
        bits & 0x8000_0000
    } else if magnitude > 0x7f80_0000 {
        bits | 0x0040_0000
    } else {
        rounded
    };
    (kept >> 16) as Bf16
}

/// The number that bits of bf16 stand for.
#[inline(always)]
pub fn widen(x: Bf16) -> f32 {
    f32::from_bits(u32::from(x) << 16)
}

/// The rest that rounding has left of `x`, rounded itself; zero where `x` or what it was rounded to is not finite.
#[inline(always)]
pub fn rest(x: f32, rounded: Bf16) -> Bf16 {
    let near = widen(rounded);
    round(if near.is_finite() { x - near } else { 0.0 })
}

/// The parts of two factors whose products make up the product of the factors, in the order of their sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The factor, rounded to bf16.
    High,
    /// The rest of it, rounded.
    Low,
}

impl Part {
    /// This part of a factor.
    #[inline(always)]
    pub fn of(self, x: f32) -> Bf16 {
        let high = round(x);
        match self {
            Part::High => high,
            Part::Low => rest(x, high),
        }
    }
}

/// The products of parts that a product of two factors is the sum of, in this order.
pub const fn terms(precision: Precision) -> &'static [[Part; 2]] {
    use Part::{High, Low};
    match precision {
        Precision::Bf16x3 => &[[High, Low], [Low, High], [High, High]],
        _ => &[[High, High]],
    }
}
