//! The precision of products.

use std::fmt;
use std::str::FromStr;

/// Precision of the factors of convolutions and linear layers, forward and in both gradients.
///
/// Sums, biases, weights between steps, and all other layers stay in `f32`, in which the network is written. What a
/// reduced precision computes is defined to the last bit, in `docs/precision.md`, and is the same on every processor;
/// how fast that is differs: processors with AMX compute it by tile instructions, and others mostly take longer than in
/// `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// That of the network's element type.
    #[default]
    F32,
    /// Each factor is the sum of two numbers of bf16, and a product three of theirs: relative errors of about `5e-6`.
    Bf16x3,
    /// Each factor is rounded to bf16, with eight significant bits: relative errors of about `2e-3`.
    Bf16,
}

impl Precision {
    /// All precisions, the most exact one first.
    pub const ALL: [Precision; 3] = [Precision::F32, Precision::Bf16x3, Precision::Bf16];

    /// The name by which programs take it: `f32`, `bf16x3` or `bf16`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16x3 => "bf16x3",
            Precision::Bf16 => "bf16",
        }
    }

    /// True if factors are rounded.
    pub fn is_reduced(self) -> bool {
        self != Precision::F32
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The error of a name that no precision has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPrecision(String);

impl fmt::Display for UnknownPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Precision::ALL.map(Precision::name).join(", ");
        write!(f, "no precision is named {:?}: expected one of {names}", self.0)
    }
}

impl std::error::Error for UnknownPrecision {}

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, UnknownPrecision> {
        Precision::ALL
            .into_iter()
            .find(|precision| precision.name() == name)
            .ok_or_else(|| UnknownPrecision(name.into()))
    }
}
