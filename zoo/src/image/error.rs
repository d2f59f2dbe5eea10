//! Everything that can go wrong between a file and an image.

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
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A regular file was expected, something else has its name.
    #[error("{}: expected an image file, found {found}", text::path(path))]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// The first bytes are those of no format that is read here.
    #[error("{}: expected a PNG, JPEG or WebP image, found {found}", text::path(path))]
    Format {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        found: &'static str,
    },
    /// The file, or the image in it, is larger than accepted.
    #[error("{}: expected at most {limit} {unit}, found {found}", text::path(path))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// `bytes`, `pixels` or `pixels along a side`.
        unit: &'static str,
        /// Number accepted.
        limit: u64,
        /// Number found.
        found: String,
    },
    /// The file ends inside the image.
    #[error("{}: the {format} image is cut short after {len} bytes", text::path(path))]
    Cut {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: &'static str,
        /// Bytes in the file.
        len: usize,
    },
    /// The file is damaged, or uses a part of its format that is not read here.
    #[error("{}: no {format} image that can be read: {}", text::path(path), text::message(reason))]
    Decode {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: &'static str,
        /// What the decoder said.
        reason: String,
    },
}

/// Why a file is not read, said by a decoder, which knows neither its name nor what the format is called.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It ends inside the image.
    Cut,
    /// As [`ImageError::TooLarge`].
    TooLarge { unit: &'static str, limit: u64, found: String },
    /// It is damaged, or not to be read here.
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

/// Why a file could not be read.
fn unread(path: &Path, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound if text::is_url(path) => {
            "expected an image file, found an address in the web: download the image first".to_owned()
        }
        io::ErrorKind::NotFound => "expected an image file, found nothing".to_owned(),
        _ => format!("expected an image file that can be read: {}", text::system(source)),
    }
}
