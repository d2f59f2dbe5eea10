//! Sizes of images and numbers of classes that models take.

use std::fmt;

use crate::image::MAX_INPUT;

/// Numbers of classes that a model takes.
pub const CLASSES: std::ops::RangeInclusive<usize> = 2..=65_536;

/// Image sides that a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    /// Any height and width of at least `least` and at most [`MAX_INPUT`] pixels.
    Any {
        /// Smallest height and width, in pixels.
        least: usize,
        /// Height and width of the original's images.
        default: usize,
    },
    /// Squares of these sides alone. The first is that of the original's images.
    Square(&'static [usize]),
}

impl fmt::Display for Sides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sides::Any { least, .. } => write!(f, "any size from {least}x{least} to {MAX_INPUT}x{MAX_INPUT}"),
            Sides::Square(sides) => {
                let sides: Vec<String> = sides.iter().map(|side| format!("{side}x{side}")).collect();
                f.write_str(&sides.join(" and "))
            }
        }
    }
}

impl Sides {
    /// Sides that ResNets for ImageNet take: their trunk divides a side by 32.
    pub const IMAGENET: Self = Sides::Any { least: 32, default: 224 };

    /// One side for each head that the model has: all sides that it takes if they are listed, else the original's.
    pub fn of_heads(self) -> Vec<usize> {
        match self {
            Sides::Any { default, .. } => vec![default],
            Sides::Square(sides) => sides.to_vec(),
        }
    }

    pub(super) const fn first(self) -> usize {
        match self {
            Sides::Any { default, .. } => default,
            Sides::Square(sides) => sides[0],
        }
    }
}
