//! Kinds and names of the entries of a folder.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::DataError;

/// The kind of file that a path leads to, with symbolic links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    File,
    Folder,
    Other,
}

impl Found {
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::File => "a file",
            Self::Folder => "a folder",
            Self::Other => "a pipe, a device or the like",
        }
    }
}

pub(super) fn inspect(path: &Path) -> Result<Found, DataError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Found::File),
        Ok(metadata) if metadata.is_dir() => Ok(Found::Folder),
        Ok(_) => Ok(Found::Other),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Found::Nothing),
        Err(source) => Err(DataError::Io { path: path.to_owned(), source }),
    }
}

pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>, DataError> {
    let read = || fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = read().map_err(|source| DataError::Io { path: dir.to_owned(), source })?;
    paths.sort();
    Ok(paths)
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
