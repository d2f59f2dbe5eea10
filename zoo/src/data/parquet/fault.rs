//! Errors in a Parquet file, before it is known which file and which part of it they are in.

use std::io::{self, ErrorKind};

/// Reason for which a file, or a column of it, is not read.
#[derive(Debug)]
pub(super) enum Fault {
    /// The file could not be read.
    Io(io::Error),
    /// Description of what was found in place of whole pages.
    Damaged(String),
    /// A column is compressed in a way that is not read.
    Codec { column: String, codec: &'static str },
    /// There are no columns of images and labels, but those of these names.
    Columns(Vec<String>),
}

impl Fault {
    pub(super) fn damaged(found: impl Into<String>) -> Self {
        Self::Damaged(found.into())
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof => Self::damaged("its end too early"),
            _ => Self::Io(error),
        }
    }
}
