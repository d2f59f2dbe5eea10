//! What a preprocessing is given by, and what can be wrong with it.

use crate::text::{quoted, shown};

/// How an image gets the size of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Both sides are resized, whatever the proportions, as Keras' `load_img` does.
    Squash,
    /// The shorter side is resized to this many pixels and the longer one in proportion, rounded down; then the center
    /// is cut out. As torchvision's `Resize` and `CenterCrop` do, and timm's in its mode `center`.
    Crop {
        /// Pixels, not less than the longer side of the input.
        shorter: usize,
    },
}

/// A preprocessing that makes no sense, or a text that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PreprocessingError {
    /// A part of the text is no `key=value` with a known key.
    #[error(
        "preprocessing: expected one of {}, found {}",
        KEYS.map(|key| format!("{key}=...")).join(" "), quoted(found)
    )]
    Key {
        /// The part.
        found: String,
    },
    /// A key occurs twice.
    #[error("preprocessing: {key} occurs twice")]
    Twice {
        /// The key.
        key: &'static str,
    },
    /// A key does not occur.
    #[error("preprocessing: no {key}")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A value is not what its key takes.
    #[error("preprocessing: {key}: expected {expected}, found {}", shown(found))]
    Value {
        /// The key.
        key: &'static str,
        /// What it takes.
        expected: &'static str,
        /// The value, as text.
        found: String,
    },
}

/// The keys of the text.
pub(super) const KEYS: [&str; 7] = ["input", "fit", "interpolation", "channels", "divisor", "mean", "std"];
