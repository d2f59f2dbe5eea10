//! Errors from opening an image file to decoding it.

use std::io;
use std::path::{Path, PathBuf};

use crate::text;

/// Error of an image file. A message names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Opening or reading failed.
    #[error("{}: {}", text::path(path), unread(path, source))]
    Io {
        /// Path of the file that could not be opened or read.
        path: PathBuf,
        /// Error that the system reported.
        source: io::Error,
    },
    /// A regular file was expected, something else has its name.
    #[error("{}: expected an image file, found {found}", text::path(path))]
    NotAFile {
        /// Path of the entry that is no regular file.
        path: PathBuf,
        /// Description of the entry at the path, e.g. `a folder`.
        found: &'static str,
    },
    /// The first bytes are those of no format that is read here.
    #[error("{}: expected a {} image, found {found}", text::path(path), super::FORMATS)]
    Format {
        /// Path of the file in another format.
        path: PathBuf,
        /// Description of the file by its first bytes, e.g. `a GIF`.
        found: &'static str,
    },
    /// The file, or the image in it, is larger than accepted.
    #[error("{}: expected at most {limit} {unit}, found {found}", text::path(path))]
    TooLarge {
        /// Path of the file that is too large, or whose image is.
        path: PathBuf,
        /// Unit of the limit: `bytes`, `pixels` or `pixels along a side`.
        unit: &'static str,
        /// Largest number that is accepted, in that unit.
        limit: u64,
        /// Size that was found: width and height as in `640x480`, or `more` for bytes.
        found: String,
    },
    /// The file ends inside the image.
    #[error("{}: the {format} image is cut short after {len} bytes", text::path(path))]
    Cut {
        /// Path of the file that is cut short.
        path: PathBuf,
        /// Name of the image's format, e.g. `PNG`.
        format: &'static str,
        /// Bytes in the file.
        len: usize,
    },
    /// The file is damaged, or uses a part of its format that is not read here.
    #[error("{}: no {format} image that can be read: {}", text::path(path), text::message(reason))]
    Decode {
        /// Path of the file that cannot be decoded.
        path: PathBuf,
        /// Name of the image's format, e.g. `PNG`.
        format: &'static str,
        /// Reason that the decoder gave, on one line.
        reason: String,
    },
}

/// Reason for which a decoder refuses a file, whose path and format it does not know.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The file ends inside the image.
    Cut,
    /// The image is larger than accepted, as for [`ImageError::TooLarge`].
    TooLarge { unit: &'static str, limit: u64, found: String },
    /// The file is damaged, or uses a part of its format that is not read here.
    Because(String),
}

impl Refusal {
    /// The error about this file of `len` bytes.
    pub(super) fn of(self, path: &Path, format: &'static str, len: usize) -> ImageError {
        let path = path.to_owned();
        match self {
            Self::Cut => ImageError::Cut { path, format, len },
            Self::TooLarge { unit, limit, found } => ImageError::TooLarge { path, unit, limit, found },
            Self::Because(reason) => {
                // On one line, and not endless.
                let line = reason.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
                ImageError::Decode { path, format, reason: line }
            }
        }
    }
}

/// Description of a failed read, with advice for a URL.
fn unread(path: &Path, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound if text::is_url(path) => {
            "expected an image file, found an address in the web: download the image first".to_owned()
        }
        io::ErrorKind::NotFound => "expected an image file, found nothing".to_owned(),
        _ => format!("expected an image file that can be read: {}", text::system(source)),
    }
}
