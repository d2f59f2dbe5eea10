//! Settings of a preprocessing, and the errors of settings that are invalid.

use crate::text::{quoted, shown};

/// Method by which an image gets the size of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Both sides are resized, whatever the proportions, as Keras' `load_img` does.
    Squash,
    /// The shorter side is resized to this many pixels and the longer one in proportion, rounded down; then the center
    /// is cut out. As torchvision's `Resize` and `CenterCrop` do, and timm's in its mode `center`.
    Crop {
        /// Length of the shorter side in pixels, not less than the longer side of the input.
        shorter: usize,
    },
}

/// Error of a preprocessing with invalid settings, or of a text that does not describe a preprocessing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PreprocessingError {
    /// A part of the text is no `key=value` with a known key.
    #[error(
        "preprocessing: expected one of {}, found {}",
        KEYS.map(|key| format!("{key}=...")).join(" "), quoted(found)
    )]
    Key {
        /// Part of the text that was not understood.
        found: String,
    },
    /// A key occurs twice.
    #[error("preprocessing: {key} occurs twice")]
    Twice {
        /// Key that occurs more than once.
        key: &'static str,
    },
    /// A key does not occur.
    #[error("preprocessing: no {key}")]
    Missing {
        /// Key that does not occur.
        key: &'static str,
    },
    /// A value is not what its key takes.
    #[error("preprocessing: {key}: expected {expected}, found {}", shown(found))]
    Value {
        /// Key whose value is not accepted.
        key: &'static str,
        /// Description of the accepted values.
        expected: &'static str,
        /// Value that was given, as text.
        found: String,
    },
}

/// All keys of the text, in the order in which it is written.
pub(super) const KEYS: [&str; 7] = ["input", "fit", "interpolation", "channels", "divisor", "mean", "std"];
