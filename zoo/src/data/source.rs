//! Recognition of the data sets that a path holds.

use std::path::Path;

use super::files::{Found, file_name, inspect};
use super::mnist::{self, Mnist};
use super::{DataError, Dataset, FolderParts, npz};

/// A data set, in any of the forms that are read here.
#[derive(Clone, Debug)]
pub enum Recognized {
    /// Images in memory: CIFAR, MNIST, or those of a file of NumPy.
    Set(Dataset),
    /// Image files in class folders.
    Folder(FolderParts),
}

/// Message about a path that holds nothing that is read, with what would be.
const READ: &str = "no data set that is read here: expected CIFAR-10 or CIFAR-100 (the binary or the Python version, \
                    unpacked or not), MNIST or Fashion-MNIST (IDX files), a file of NumPy (.npz), or a folder of \
                    images with a folder for each class";

/// Reads one kind of set from a path.
type Open = fn(&Path) -> Result<Dataset, DataError>;

impl Recognized {
    /// Reads all sets that `path` holds: of [`Dataset::open_cifar10`], [`Dataset::open_cifar100`],
    /// [`Dataset::open_mnist`] and [`Dataset::open_fashion_mnist`] those that are there; else the images of the class
    /// folders of [`FolderParts::open`], of which only the names are read. Of a file of NumPy that is given itself the
    /// classes are as many as its labels say, since it does not name its set.
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
        let (mut sets, mut instead) = (Vec::new(), None);
        let mut readers: Vec<Open> = vec![|path| Dataset::open_cifar10(path), |path| Dataset::open_cifar100(path)];
        if kind == Found::Folder {
            readers.extend(mnist::recognized(path).into_iter().map(|set| match set {
                Mnist::Digits => |path: &Path| Dataset::open_mnist(path),
                Mnist::Fashion => |path: &Path| Dataset::open_fashion_mnist(path),
            }));
        }
        for read in readers {
            match read(path) {
                Ok(set) => sets.push(Self::Set(set)),
                Err(error) if is_elsewhere(&error) => instead = instead.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        if !sets.is_empty() {
            return Ok(sets);
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

/// Returns true for an error that says that the set is not there, as long as none of its files is.
fn is_elsewhere(error: &DataError) -> bool {
    match error {
        DataError::MissingFile { looked_for, .. } => looked_for.len() > 1,
        DataError::WrongSet { .. } | DataError::OtherForm { .. } | DataError::NotAFolder { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
