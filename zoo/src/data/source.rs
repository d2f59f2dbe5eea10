//! Recognition of the data sets that a path holds.

use std::path::Path;

use super::files::{Found, file_name, inspect};
use super::{DataError, Dataset, FolderParts, SETS, npz, shards};

/// A data set, in any of the forms that are read here.
#[derive(Clone, Debug)]
pub enum Recognized {
    /// Images in memory: CIFAR, MNIST, or those of a file of NumPy.
    Set(Dataset),
    /// Image files, in class folders, archives or Parquet files.
    Folder(FolderParts),
}

/// Message about a path that holds nothing that is read, with what would be.
const READ: &str = "no data set that is read here: expected CIFAR-10 or CIFAR-100 (the binary or the Python version, \
                    unpacked or not), MNIST or Fashion-MNIST (IDX files), a file of NumPy (.npz), Parquet files \
                    of images, or a folder of images with a folder for each class, packed by tar or not";

impl Recognized {
    /// Reads all sets that `path` holds: of the published [`SETS`] those that are there; else the images of
    /// [`FolderParts::open`], which are not decoded, unless they are a published set in Parquet files. Of a file of
    /// NumPy that is given itself the classes are as many as its labels say, since it does not name its set.
    ///
    /// # Errors
    ///
    /// [`DataError`] of a set that is there and cannot be read; [`DataError::OtherForm`] or another error that says
    /// what there is instead if `path` holds no set.
    pub fn all(path: impl AsRef<Path>) -> Result<Vec<Self>, DataError> {
        let path = path.as_ref();
        let kind = inspect(path)?;
        if kind == Found::Nothing {
            return Err(DataError::MissingFolder { path: path.to_owned() });
        }
        if kind == Found::File && file_name(path).to_lowercase().ends_with(".npz") {
            return Ok(vec![Self::Set(npz::open(path, None)?)]);
        }
        // An archive of images is not looked through for each of the sets.
        if kind == Found::File
            && let Some(found) = shards::known::recognized(path)?
        {
            return Ok(vec![found]);
        }
        let (mut sets, mut instead) = (Vec::new(), None);
        for set in SETS {
            if !(set.may_be_in)(path)? {
                continue;
            }
            match (set.open)(path) {
                Ok(set) => sets.push(Self::Set(set)),
                Err(error) if set.is_elsewhere(&error) => instead = instead.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        if !sets.is_empty() {
            return Ok(sets);
        }
        if let Some(found) = shards::known::recognized(path)? {
            return Ok(vec![found]);
        }
        if kind == Found::Folder
            && let Ok(parts) = FolderParts::open(path)
        {
            return Ok(vec![Self::Folder(parts)]);
        }
        let said =
            instead.filter(|error| !matches!(error, DataError::MissingFile { .. } | DataError::NotAFolder { .. }));
        Err(said.unwrap_or_else(|| DataError::OtherForm { path: path.to_owned(), found: READ.to_owned() }))
    }
}

#[cfg(test)]
mod tests;
