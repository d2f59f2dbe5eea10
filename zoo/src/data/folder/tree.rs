//! Folders as the listing of class folders sees them: on a disk, or in an archive.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::place::ImageFile;
use crate::data::DataError;
use crate::data::files::{Found, inspect};

/// A tree of folders.
pub(crate) trait Tree {
    /// Paths of the entries of a folder that are not hidden, sorted by name, byte by byte.
    fn entries(&self, dir: &Path) -> Result<Vec<PathBuf>, DataError>;
    /// The kind of what a path leads to, with links followed; [`Found::Nothing`] for a link that leads nowhere.
    fn inspect(&self, path: &Path) -> Result<Found, DataError>;
    /// Description of a link that leads nowhere, as far as links are followed.
    fn nowhere(&self) -> &'static str;
    /// The image that is a file of the tree.
    fn file(&self, path: PathBuf) -> ImageFile;

    /// Returns `true` for a folder; what cannot be looked at is none.
    fn is_folder(&self, path: &Path) -> bool {
        matches!(self.inspect(path), Ok(Found::Folder))
    }
}

/// Folders on a disk.
pub(crate) struct Disk;

impl Tree for Disk {
    fn entries(&self, dir: &Path) -> Result<Vec<PathBuf>, DataError> {
        let error = |source: std::io::Error| match source.kind() {
            ErrorKind::NotFound => DataError::MissingFolder { path: dir.to_owned() },
            ErrorKind::NotADirectory => DataError::NotAFolder { path: dir.to_owned(), found: "a file" },
            _ => DataError::Io { path: dir.to_owned(), source },
        };
        let mut paths = Vec::new();
        for entry in fs::read_dir(dir).map_err(error)? {
            let entry = entry.map_err(error)?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                paths.push(entry.path());
            }
        }
        paths.sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
        Ok(paths)
    }

    fn inspect(&self, path: &Path) -> Result<Found, DataError> {
        inspect(path)
    }

    fn nowhere(&self) -> &'static str {
        "a link that leads nowhere"
    }

    fn file(&self, path: PathBuf) -> ImageFile {
        path.into()
    }
}
