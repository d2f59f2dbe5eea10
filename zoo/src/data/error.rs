//! Everything that can go wrong between a folder and a batch.

use std::io;
use std::path::PathBuf;

use crate::text;

/// Error of the data module. A message names the file, what was expected and what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The folder does not exist.
    #[error("{}: {}", text::path(path), if text::is_url(path) { DataError::URL } else { "no such folder" })]
    MissingFolder {
        /// The folder that was given.
        path: PathBuf,
    },
    /// A folder was expected, something else is there.
    #[error("{}: expected a folder, found {found}", text::path(path))]
    NotAFolder {
        /// The path that was given.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// The set is there in a form that is not read here.
    #[error("{}: {found}", text::path(path))]
    OtherForm {
        /// The folder or file.
        path: PathBuf,
        /// What it is, and what to do with it.
        found: String,
    },
    /// A file of the set is missing.
    #[error("{}: missing {}, found {}", text::path(folder), list(looked_for), list(found))]
    MissingFile {
        /// Where it was looked for.
        folder: PathBuf,
        /// The names looked for.
        looked_for: Vec<String>,
        /// What the folder holds instead, sorted, at most [`DataError::LISTED`] names.
        found: Vec<String>,
    },
    /// A regular file was expected, something else has its name.
    #[error("{}: expected a file, found {found}", text::path(path))]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// Several folders one level down hold the set.
    #[error("{}: several folders hold {set}, give one of them: {}", text::path(path), list(candidates))]
    Ambiguous {
        /// The folder that was given.
        path: PathBuf,
        /// The wanted set.
        set: &'static str,
        /// Names of the folders in it that hold the set, sorted.
        candidates: Vec<String>,
    },
    /// The files belong to another data set.
    #[error("{}: expected {wanted}, found {found}: {evidence}", text::path(path))]
    WrongSet {
        /// The folder or file.
        path: PathBuf,
        /// The wanted set.
        wanted: &'static str,
        /// The set that is there.
        found: &'static str,
        /// How it was recognized.
        evidence: String,
    },
    /// The file holds no record.
    #[error("{}: expected records of {record} bytes, found an empty file", text::path(path))]
    EmptyFile {
        /// The file.
        path: PathBuf,
        /// Bytes in a record.
        record: u64,
    },
    /// The file ends inside a record.
    #[error(
        "{}: expected a whole number of records of {record} bytes, found {len} bytes: record {} is cut, it starts \
         at byte {cut} and has {} bytes", text::path(path), cut / record, len - cut
    )]
    PartialRecord {
        /// The file.
        path: PathBuf,
        /// Bytes in the file.
        len: u64,
        /// Bytes in a record.
        record: u64,
        /// Byte where the incomplete record starts.
        cut: u64,
    },
    /// More images than this module accepts, or than memory holds.
    #[error("{what}: expected at most {limit} images, found {images}")]
    TooMany {
        /// The file or split.
        what: String,
        /// Number of images.
        images: u64,
        /// Number accepted.
        limit: u64,
    },
    /// Memory for the images was refused.
    #[error("{what}: no memory for {images} images of {} bytes", super::IMAGE_LEN)]
    OutOfMemory {
        /// The file or split.
        what: String,
        /// Number of images asked for.
        images: u64,
    },
    /// A label in a file is not below the number of classes.
    #[error("{}: record {record}: expected a {kind} below {limit}, found {label}", text::path(path))]
    LabelInFile {
        /// The file.
        path: PathBuf,
        /// Index of the record, from 0.
        record: u64,
        /// `label`, `fine label` or `coarse label`.
        kind: &'static str,
        /// The value.
        label: u8,
        /// Number of classes.
        limit: usize,
    },
    /// Reading failed.
    #[error("{}: {}", text::path(path), text::system(source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder of images, or of classes, holds none.
    #[error("{}: expected {expected}, found nothing", text::path(path))]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
        /// What should be there.
        expected: &'static str,
    },
    /// Something lies where it does not belong in a folder of images.
    #[error("{}: does not belong here: expected {expected}", text::path(path))]
    StrayFile {
        /// The file or folder.
        path: PathBuf,
        /// What belongs there.
        expected: &'static str,
    },
    /// Two folders are the same part of a data set.
    #[error("{}: two folders for the same part of the data: {}: keep one of them here", text::path(path), list(found))]
    TwoParts {
        /// The folder that holds them.
        path: PathBuf,
        /// Their names.
        found: Vec<String>,
    },
    /// Files that are images by name, and none that are read here: of other formats, or links that lead nowhere.
    #[error("{}: {found}", text::path(path))]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Which files, and what to do with them.
        found: String,
    },
    /// The class folders are not the expected ones.
    #[error(
        "{}: other classes than expected: missing {}; unexpected {}",
        text::path(path),
        list(missing),
        list(unexpected)
    )]
    Classes {
        /// The folder.
        path: PathBuf,
        /// Classes without a folder, sorted, at most [`DataError::LISTED`] names.
        missing: Vec<String>,
        /// Folders that are no class, sorted, at most [`DataError::LISTED`] names.
        unexpected: Vec<String>,
    },
    /// An image file cannot be read.
    #[error(transparent)]
    Image(#[from] crate::image::ImageError),
    /// Parts given to [`Split::new`](super::Split::new) do not fit together.
    #[error("{what}: expected {expected}, found {found}")]
    Length {
        /// Which part.
        what: &'static str,
        /// Its length by the other parts.
        expected: usize,
        /// Its length.
        found: usize,
    },
    /// A label given to [`Split::new`](super::Split::new) is not below the number of classes.
    #[error("image {image}: expected a {kind} below {limit}, found {label}")]
    Label {
        /// Index of the image.
        image: usize,
        /// `label` or `coarse label`.
        kind: &'static str,
        /// The value.
        label: usize,
        /// Number of classes.
        limit: usize,
    },
    /// An index is not below the number of images.
    #[error("expected an index below {len}, the number of images, found {index}")]
    Index {
        /// The index.
        index: usize,
        /// Number of images.
        len: usize,
    },
    /// The split holds no image where at least one is needed.
    #[error("{what}: expected at least one image, found none")]
    NoImages {
        /// What needs one.
        what: &'static str,
    },
    /// A setting is outside its range.
    #[error("{name}: expected {expected}, found {found}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// The accepted values.
        expected: &'static str,
        /// The value, as text.
        found: String,
    },
}

impl DataError {
    /// How many names an error lists at most.
    pub const LISTED: usize = 20;

    /// Said of an address in the web.
    pub(super) const URL: &str = "expected a folder, found an address in the web: download the data first";

    pub(crate) fn setting(name: &'static str, expected: &'static str, found: impl ToString) -> Self {
        Self::Setting { name, expected, found: found.to_string() }
    }
}

/// At most [`DataError::LISTED`] names, the last one `...` if there are more.
pub(super) fn shortened(mut names: Vec<String>) -> Vec<String> {
    if names.len() > DataError::LISTED {
        names.truncate(DataError::LISTED - 1);
        names.push("...".to_owned());
    }
    names
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    text::listed(names.iter().map(|name| text::shown(name)), DataError::LISTED)
}
