//! Faults of a file of torch, before its path is known.

use std::io;
use std::path::Path;

use super::super::WeightsError;
use crate::pickle::PickleError;

/// A fault of a file.
#[derive(Debug)]
pub(in crate::weights) enum Problem {
    Io(io::Error),
    /// Torch wrote the file, but not for its weights alone: a description with advice.
    Refused(String),
    Structure {
        what: String,
        expected: String,
        found: String,
    },
}

impl Problem {
    pub(in crate::weights) fn new(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Structure { what: what.into(), expected: expected.into(), found: found.into() }
    }

    pub(in crate::weights) fn of(self, path: &Path) -> WeightsError {
        let path = path.to_owned();
        match self {
            Self::Io(source) => WeightsError::Io { path, source },
            Self::Refused(found) => WeightsError::Format { path, found },
            Self::Structure { what, expected, found } => WeightsError::Structure { path, what, expected, found },
        }
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<PickleError> for Problem {
    fn from(error: PickleError) -> Self {
        let PickleError { position, operation, expected, found, .. } = error;
        Self::Structure { what: format!("byte {position} of its pickle, {operation}"), expected, found }
    }
}
