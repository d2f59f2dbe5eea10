//! Types of the numbers in a file, and their conversion from and to those of a model.

use std::fmt;

use half::{bf16, f16};
use pvlu::kernel::Element;

/// Type of a tensor in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dtype {
    /// IEEE 754 binary16, half precision.
    F16,
    /// The upper half of a binary32.
    BF16,
    /// IEEE 754 binary32, single precision.
    F32,
    /// IEEE 754 binary64, double precision.
    F64,
    /// Signed 64-bit integer, the type of torch's counters of batches.
    I64,
    /// Any other type, by the name that its format gives it. No model takes it.
    Other(String),
}

impl Dtype {
    /// Types that a tensor of a model may be stored as, for messages.
    pub const FLOATS: &str = "F16, BF16, F32 or F64";

    /// The type of `E` itself: `F32` or `F64`.
    #[must_use]
    pub fn of<E: Element>() -> Self {
        if size_of::<E>() == size_of::<f32>() { Self::F32 } else { Self::F64 }
    }

    /// This type as [`Float`]; `None` if no model takes it.
    pub(super) fn float(&self) -> Option<Float> {
        match self {
            Self::F16 => Some(Float::F16),
            Self::BF16 => Some(Float::BF16),
            Self::F32 => Some(Float::F32),
            Self::F64 => Some(Float::F64),
            Self::I64 | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::F32 => "F32",
            Self::F64 => "F64",
            Self::I64 => "I64",
            Self::Other(name) => name,
        })
    }
}

/// A [`Dtype`] that a model can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Float {
    F16,
    BF16,
    F32,
    F64,
}

/// Order of the bytes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endian {
    Little,
    Big,
}

/// A finite number that is infinite in the type it goes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Overflow {
    /// Position among the values converted.
    pub index: usize,
    /// Number before the conversion.
    pub value: f64,
}

impl Float {
    /// Size of a number in bytes.
    pub(super) const fn size(self) -> usize {
        match self {
            Self::F16 | Self::BF16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Name of the type, as in [`Dtype`].
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::F32 => "F32",
            Self::F64 => "F64",
        }
    }

    /// Converts `values.len()` numbers, rounding to nearest. `bytes` holds exactly as many.
    pub(super) fn decode<E: Element>(self, endian: Endian, bytes: &[u8], values: &mut [E]) -> Result<(), Overflow> {
        debug_assert_eq!(bytes.len(), values.len() * self.size());
        match self {
            Self::F16 => each(bytes, values, |raw| E::of(f16::from_le_bytes(endian.little(raw)).to_f64())),
            Self::BF16 => each(bytes, values, |raw| E::of(bf16::from_le_bytes(endian.little(raw)).to_f64())),
            Self::F32 => each(bytes, values, |raw| E::of(f64::from(f32::from_le_bytes(endian.little(raw))))),
            // Only this type can be wider than the model's own.
            Self::F64 => {
                for (index, (raw, value)) in bytes.as_chunks().0.iter().zip(values).enumerate() {
                    let wide = f64::from_le_bytes(endian.little(*raw));
                    *value = E::of(wide);
                    if value.is_infinite() && wide.is_finite() {
                        return Err(Overflow { index, value: wide });
                    }
                }
            }
        }
        Ok(())
    }

    /// Converts `values` to little-endian bytes at the end of `bytes`, rounding to nearest.
    pub(super) fn encode<E: Element>(self, values: &[E], bytes: &mut Vec<u8>) -> Result<(), Overflow> {
        match self {
            Self::F16 => checked(values, bytes, f16::from_f64, |y| y.is_infinite(), f16::to_le_bytes),
            Self::BF16 => checked(values, bytes, bf16::from_f64, |y| y.is_infinite(), bf16::to_le_bytes),
            Self::F32 => checked(values, bytes, |x| x as f32, |y| y.is_infinite(), f32::to_le_bytes),
            Self::F64 => checked(values, bytes, |x| x, |_| false, f64::to_le_bytes),
        }
    }
}

impl Endian {
    /// Turns the bytes of a number into little-endian order.
    fn little<const N: usize>(self, mut raw: [u8; N]) -> [u8; N] {
        if self == Self::Big {
            raw.reverse();
        }
        raw
    }
}

fn each<E, const N: usize>(bytes: &[u8], values: &mut [E], convert: impl Fn([u8; N]) -> E) {
    for (raw, value) in bytes.as_chunks().0.iter().zip(values) {
        *value = convert(*raw);
    }
}

fn checked<E: Element, T: Copy, const N: usize>(
    values: &[E],
    bytes: &mut Vec<u8>,
    round: impl Fn(f64) -> T,
    infinite: impl Fn(T) -> bool,
    raw: impl Fn(T) -> [u8; N],
) -> Result<(), Overflow> {
    bytes.reserve(values.len() * N);
    for (index, value) in values.iter().enumerate() {
        let rounded = round(value.wide());
        if infinite(rounded) && value.is_finite() {
            return Err(Overflow { index, value: value.wide() });
        }
        bytes.extend_from_slice(&raw(rounded));
    }
    Ok(())
}
