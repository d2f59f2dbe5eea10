//! Errors from opening a data set to making a batch.

use std::io;
use std::path::{Path, PathBuf};

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
        /// Description of the entry at the path, e.g. `a file`.
        found: &'static str,
    },
    /// The set is there in a form that is not read here.
    #[error("{}: {found}", text::path(path))]
    OtherForm {
        /// Path of the folder or file in the other form.
        path: PathBuf,
        /// Name of the form that was recognized, and what to do with it.
        found: String,
    },
    /// A file of the set is missing.
    #[error("{}: missing {}, found {}", text::path(folder), list(looked_for), list(found))]
    MissingFile {
        /// Folder in which the files were looked for.
        folder: PathBuf,
        /// Names of the required files that are missing.
        looked_for: Vec<String>,
        /// Names that the folder holds instead, sorted, at most [`DataError::LISTED`].
        found: Vec<String>,
    },
    /// A regular file was expected, something else has its name.
    #[error("{}: expected a file, found {found}", text::path(path))]
    NotAFile {
        /// Path of the entry that is no regular file.
        path: PathBuf,
        /// Description of the entry at the path, e.g. `a folder`.
        found: &'static str,
    },
    /// Several folders one level down hold the set.
    #[error("{}: several folders hold {set}, give one of them: {}", text::path(path), list(candidates))]
    Ambiguous {
        /// The folder that was given.
        path: PathBuf,
        /// Title of the wanted set: `CIFAR-10` or `CIFAR-100`.
        set: &'static str,
        /// Names of the folders in it that hold the set, sorted.
        candidates: Vec<String>,
    },
    /// The files belong to another data set.
    #[error("{}: expected {wanted}, found {found}: {evidence}", text::path(path))]
    WrongSet {
        /// Path of the folder or file of the other set.
        path: PathBuf,
        /// Title of the wanted set: `CIFAR-10` or `CIFAR-100`.
        wanted: &'static str,
        /// Title of the set that was recognized.
        found: &'static str,
        /// Evidence for the recognized set: the names of its files, or a length that is a whole number of its records.
        evidence: String,
    },
    /// The file holds no record.
    #[error("{}: expected records of {record} bytes, found an empty file", text::path(path))]
    EmptyFile {
        /// Path of the empty file.
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
        /// Path of the file that ends inside a record.
        path: PathBuf,
        /// Bytes in the file.
        len: u64,
        /// Bytes in a record.
        record: u64,
        /// Byte where the incomplete record starts.
        cut: u64,
    },
    /// The file or folder holds more images than this module accepts.
    #[error("{what}: expected at most {limit} images, found {images}")]
    TooMany {
        /// Path of the file or folder that holds the images.
        what: String,
        /// Number of images that were found.
        images: u64,
        /// Maximum number of images that is accepted.
        limit: u64,
    },
    /// Memory for the images was refused.
    #[error("{what}: no memory for {images} images of {} bytes", super::IMAGE_LEN)]
    OutOfMemory {
        /// Path of the file or folder that holds the images, or the name of the split to be drawn.
        what: String,
        /// Number of images asked for.
        images: u64,
    },
    /// A label in a file is not below the number of classes.
    #[error("{}: record {record}: expected a {kind} below {limit}, found {label}", text::path(path))]
    LabelInFile {
        /// Path of the file that holds the label.
        path: PathBuf,
        /// Index of the record, from 0.
        record: u64,
        /// Kind of the label: `label`, `fine label` or `coarse label`.
        kind: &'static str,
        /// Value of the label that was found.
        label: i64,
        /// Number of classes of that kind; a valid label is below it.
        limit: usize,
    },
    /// Something in a file is not as it is in the files of a data set.
    #[error("{}: {}: expected {expected}, found {}", text::path(path), text::shown(key), text::message(found))]
    Contents {
        /// Path of the file; of one in an archive, its name after that of the archive.
        path: PathBuf,
        /// Name of the part that is wrong, e.g. `x_train` or `data`.
        key: String,
        /// Description of what is accepted there, and what to do.
        expected: String,
        /// Description of what was found.
        found: String,
    },
    /// A file or folder could not be read.
    #[error("{}: {}", text::path(path), text::system(source))]
    Io {
        /// Path of the file or folder that could not be read.
        path: PathBuf,
        /// Error that the system reported.
        source: io::Error,
    },
    /// A folder of images, or of classes, holds none.
    #[error("{}: expected {expected}, found nothing", text::path(path))]
    EmptyFolder {
        /// Path of the empty folder.
        path: PathBuf,
        /// Description of the contents that are missing, e.g. `images`.
        expected: &'static str,
    },
    /// Something lies where it does not belong in a folder of images.
    #[error("{}: does not belong here: expected {expected}", text::path(path))]
    StrayFile {
        /// Path of the file or folder that does not belong there.
        path: PathBuf,
        /// Description of the contents that are accepted there.
        expected: &'static str,
    },
    /// Two folders are the same part of a data set.
    #[error("{}: two folders for the same part of the data: {}: keep one of them here", text::path(path), list(found))]
    TwoParts {
        /// Path of the folder that holds both.
        path: PathBuf,
        /// Names of the two folders.
        found: Vec<String>,
    },
    /// A folder of images holds files that are not read here: images of other formats, links that lead nowhere, or no
    /// file that is an image by its name.
    #[error("{}: {found}", text::path(path))]
    Unreadable {
        /// Path of the folder that holds the files.
        path: PathBuf,
        /// Description of the files that were found, with what to do with them if they are images.
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
        /// Path of the folder whose classes differ.
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
        /// Part whose length is wrong, e.g. `bytes of pixels`.
        what: &'static str,
        /// Length that follows from the other parts.
        expected: usize,
        /// Length of the part that was given.
        found: usize,
    },
    /// A label given to [`Split::new`](super::Split::new) is not below the number of classes.
    #[error("image {image}: expected a {kind} below {limit}, found {label}")]
    Label {
        /// Index of the image.
        image: usize,
        /// Kind of the label: always `label`, since coarse labels are not checked.
        kind: &'static str,
        /// Value of the label that was given.
        label: usize,
        /// Number of classes; a valid label is below it.
        limit: usize,
    },
    /// An index is not below the number of images.
    #[error("expected an index below {len}, the number of images, found {index}")]
    Index {
        /// Index that was asked for.
        index: usize,
        /// Number of images in the split.
        len: usize,
    },
    /// The split holds no image where at least one is needed.
    #[error("{what}: expected at least one image, found none")]
    NoImages {
        /// Operation that needs an image, e.g. `measuring the normalization`.
        what: &'static str,
    },
    /// A setting is outside its range.
    #[error("{name}: expected {expected}, found {found}")]
    Setting {
        /// Name of the setting, e.g. `batch size`.
        name: &'static str,
        /// Description of the accepted values.
        expected: &'static str,
        /// Value that was given, as text.
        found: String,
    },
}

impl DataError {
    /// Maximum number of names that an error lists.
    pub const LISTED: usize = 20;

    /// Message about a URL that was given as a folder.
    pub(super) const URL: &str = "expected a folder, found an address in the web: download the data first";

    pub(super) fn contents(path: &Path, key: &str, expected: impl ToString, found: impl ToString) -> Self {
        let (key, expected, found) = (key.to_owned(), expected.to_string(), found.to_string());
        Self::Contents { path: path.to_owned(), key, expected, found }
    }

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
