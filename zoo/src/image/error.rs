//! Everything that can go wrong between a file and an image.

use std::io;
use std::path::PathBuf;

/// Error of an image file. A message names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Opening or reading failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A regular file was expected, something else has its name.
    #[error("{}: expected an image file, found {found}", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// The first bytes are those of no format that is read here.
    #[error("{}: expected a PNG, JPEG or WebP image, found {found}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        found: &'static str,
    },
    /// The file, or the image in it, is larger than accepted.
    #[error("{}: expected at most {limit} {unit}, found {found}", path.display())]
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
    #[error("{}: the {format} image is cut short after {len} bytes", path.display())]
    Cut {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: &'static str,
        /// Bytes in the file.
        len: usize,
    },
    /// The file is damaged, or uses a part of its format that is not read here.
    #[error("{}: no {format} image that can be read: {reason}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: &'static str,
        /// What the decoder said.
        reason: String,
    },
}
