//! Everything that does not fit between a file and a model, in one list.

use std::fmt;

use super::Dtype;
use super::name::{shape, shown};

/// The tensors of a file that are not those of the model, all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Mismatch {
    /// Problems, one for each tensor that does not fit: the model's in its order, then the others of the file, by name.
    pub problems: Vec<Problem>,
}

/// A tensor that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The model has the tensor, the file does not.
    Missing {
        /// Name that it would have in the file.
        key: String,
        /// Shape that it would have in the file.
        shape: Vec<usize>,
        /// A similar name that the file has and the model does not.
        close: Option<String>,
    },
    /// The file has the tensor, the model does not.
    Unexpected {
        /// Name of the tensor in the file.
        key: String,
        /// Type of the tensor in the file.
        dtype: Dtype,
        /// Shape of the tensor in the file.
        shape: Vec<usize>,
        /// A similar name that the model has and the file does not.
        close: Option<String>,
    },
    /// The shape of the tensor in the file is not that of the model.
    Shape {
        /// Name of the tensor in the file.
        key: String,
        /// Shape that the model takes.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
        /// Set if it belongs to the last layer of the head, and only the number of classes differs.
        classes: bool,
    },
    /// The type of the tensor in the file is one that no model takes.
    Dtype {
        /// Name of the tensor in the file.
        key: String,
        /// Names of the types that are accepted.
        expected: &'static str,
        /// Type in the file.
        found: Dtype,
    },
}

impl Problem {
    /// Name of the tensor in the file.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Missing { key, .. }
            | Self::Unexpected { key, .. }
            | Self::Shape { key, .. }
            | Self::Dtype { key, .. } => key,
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(
            f,
            "{count} tensor{} that do not fit the model, nothing was loaded:",
            if count == 1 { "" } else { "s" }
        )?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { key, shape: dims, close } => {
                write!(f, "{}: expected {}, found none", shown(key), shape(dims))?;
                close.iter().try_for_each(|close| write!(f, "; the file has {}", shown(close)))
            }
            Self::Unexpected { key, dtype, shape: dims, close } => {
                write!(f, "{}: expected none, found {dtype} of {}", shown(key), shape(dims))?;
                close.iter().try_for_each(|close| write!(f, "; the model has {}", shown(close)))
            }
            Self::Shape { key, expected, found, classes } => {
                write!(f, "{}: expected {}, found {}", shown(key), shape(expected), shape(found))?;
                f.write_str(if *classes { "; another number of classes: only a fresh head fits" } else { "" })
            }
            Self::Dtype { key, expected, found } => write!(f, "{}: expected {expected}, found {found}", shown(key)),
        }
    }
}
