//! CIFAR-10 and CIFAR-100 (Krizhevsky 2009, <https://www.cs.toronto.edu/~kriz/cifar.html>) as they are published and
//! kept.

mod archive;
mod binary;
mod form;
mod layout;
mod locate;
mod python;
mod records;

use std::path::{Path, PathBuf};

use self::layout::{CifarLayout, Place, Version};
use self::locate::locate;
use self::records::Records;
use super::files::{Found, file_name, inspect};
use super::{DataError, Dataset, KnownSet, SHAPE, npz};

/// CIFAR-10: ten classes of objects, see [`Dataset::open_cifar10`].
pub static CIFAR10: KnownSet = known(
    &layout::CIFAR10,
    "CIFAR-10: the binary or the Python version, unpacked or not, a file of NumPy, or Parquet files",
    |path| open(path, &CIFAR10, &layout::CIFAR10),
);

/// CIFAR-100: a hundred classes, see [`Dataset::open_cifar100`].
pub static CIFAR100: KnownSet =
    known(&layout::CIFAR100, "CIFAR-100, in the same forms", |path| open(path, &CIFAR100, &layout::CIFAR100));

const fn known(layout: &CifarLayout, about: &'static str, open: fn(&Path) -> Result<Dataset, DataError>) -> KnownSet {
    let CifarLayout { name, title, class_names, official, .. } = *layout;
    KnownSet { name, title, about, class_names, shape: SHAPE, official, open, required: 2, may_be_in: |_| Ok(true) }
}

impl Dataset {
    /// Reads CIFAR-10 from a file or a folder, in the first of these forms that is there:
    ///
    /// | form | files |
    /// |---|---|
    /// | binary version | `data_batch_1.bin` to `data_batch_5.bin`, `test_batch.bin` |
    /// | Python version, which torchvision and Keras download | `data_batch_1` to `data_batch_5`, `test_batch` |
    /// | an archive of either | `cifar-10-binary.tar.gz`, `cifar-10-python.tar.gz` |
    /// | a file of NumPy | `cifar10.npz` with `x_train`, `y_train`, `x_test`, `y_test` |
    /// | Parquet files of Hugging Face | `train-00000-of-00001.parquet`, `test-00000-of-00001.parquet` |
    ///
    /// `path` is the file, the folder of the files, or a folder that holds that folder under any name, as the root that
    /// torchvision is given and `~/.keras/datasets` do. Of the training files the first has to be there; those that are
    /// there are joined in their order, which is torchvision's. ciFAIR-10 (Barz and Denzler 2020) has the files of the
    /// Python version. A set that is not the official one, by the number of its images or as ciFAIR, is read and gets a
    /// line in [`warnings`](Self::warnings).
    ///
    /// Reading takes memory for the pixels twice at most, and for one file of the set.
    ///
    /// # Errors
    ///
    /// Every [`DataError`] of a file: a missing or ambiguous folder, a missing file, another set, an empty, cut or
    /// damaged file, images of another size, a label out of range, a failed read.
    pub fn open_cifar10(path: impl AsRef<Path>) -> Result<Self, DataError> {
        CIFAR10.open(path)
    }

    /// Reads CIFAR-100, in the forms of [`open_cifar10`](Self::open_cifar10): `train.bin` and `test.bin` in the binary
    /// version, `train` and `test` in the Python version. The labels are the 100 fine ones; the 20 coarse ones are kept
    /// beside them, but from Parquet files and files of NumPy. `path`, warnings and errors are as there.
    ///
    /// # Errors
    ///
    /// As for [`open_cifar10`](Self::open_cifar10).
    pub fn open_cifar100(path: impl AsRef<Path>) -> Result<Self, DataError> {
        CIFAR100.open(path)
    }
}

fn open(path: &Path, known: &KnownSet, layout: &'static CifarLayout) -> Result<Dataset, DataError> {
    match locate(path, layout)? {
        Place::Folder(folder, version) => read_folder(&folder, version, known, layout),
        Place::Archive(file) => {
            let archive::Unpacked { version, train, test } = archive::read(&file, layout)?;
            dataset(known, format!("{}, in an archive", version.title()), train, test, vec![file])
        }
        Place::Arrays(file) => {
            let set = npz::open(&file, Some((layout.classes(), SHAPE)))?;
            let warnings = known.unofficial([set.train.len(), set.test.len()]);
            Ok(Dataset { name: known.name, classes: layout.classes(), warnings, ..set })
        }
    }
}

/// Reads the files of a folder in one version.
fn read_folder(
    folder: &Path,
    version: Version,
    known: &KnownSet,
    layout: &'static CifarLayout,
) -> Result<Dataset, DataError> {
    let read = |records: &mut Records, path: &Path| match version {
        Version::Binary => binary::read_file(records, path),
        Version::Python => python::read_file(records, path),
    };
    let mut files = Vec::new();
    let mut train = Records::new(layout);
    for name in layout.train {
        let path = folder.join(version.name(name));
        // The folder was accepted because its required files are there; the other training files may be missing.
        if inspect(&path)? != Found::Nothing {
            read(&mut train, &path)?;
            files.push(path);
        }
    }
    let mut test = Records::new(layout);
    let path = folder.join(version.name(layout.test));
    read(&mut test, &path)?;
    files.push(path);
    let mut set = dataset(known, version.title().to_owned(), train, test, files)?;
    if file_name(folder).to_lowercase().starts_with("cifair") {
        set.warnings.push(format!("{}: ciFAIR, whose test images are not those of the official set", layout.name));
    }
    Ok(set)
}

fn dataset(
    known: &KnownSet,
    form: String,
    train: Records,
    test: Records,
    files: Vec<PathBuf>,
) -> Result<Dataset, DataError> {
    let (train, test) = (train.finish()?, test.finish()?);
    let warnings = known.unofficial([train.len(), test.len()]);
    let (name, classes, class_names) = (known.name, known.class_names.len(), Vec::new());
    Ok(Dataset { name, form, classes, train, test, warnings, class_names, files })
}

#[cfg(test)]
mod tests;
