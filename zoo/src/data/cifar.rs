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

use self::layout::{CIFAR10, CIFAR100, CifarLayout, Place, Version};
use self::locate::locate;
use self::records::Records;
use super::files::{Found, file_name, inspect};
use super::{DataError, Dataset, npz};

impl Dataset {
    /// Reads CIFAR-10 from a file or a folder, in the first of these forms that is there:
    ///
    /// | form | files |
    /// |---|---|
    /// | binary version | `data_batch_1.bin` to `data_batch_5.bin`, `test_batch.bin` |
    /// | Python version, which torchvision and Keras download | `data_batch_1` to `data_batch_5`, `test_batch` |
    /// | an archive of either | `cifar-10-binary.tar.gz`, `cifar-10-python.tar.gz` |
    /// | a file of NumPy | `cifar10.npz` with `x_train`, `y_train`, `x_test`, `y_test` |
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
        open(path.as_ref(), &CIFAR10)
    }

    /// Reads CIFAR-100, in the forms of [`open_cifar10`](Self::open_cifar10): `train.bin` and `test.bin` in the binary
    /// version, `train` and `test` in the Python version. The labels are the 100 fine ones; the 20 coarse ones are kept
    /// beside them where the form has them. `path`, warnings and errors are as there.
    ///
    /// # Errors
    ///
    /// As for [`open_cifar10`](Self::open_cifar10).
    pub fn open_cifar100(path: impl AsRef<Path>) -> Result<Self, DataError> {
        open(path.as_ref(), &CIFAR100)
    }
}

fn open(path: &Path, layout: &'static CifarLayout) -> Result<Dataset, DataError> {
    match locate(path, layout)? {
        Place::Folder(folder, version) => read_folder(&folder, version, layout),
        Place::Archive(file) => {
            let archive::Unpacked { version, train, test } = archive::read(&file, layout)?;
            dataset(layout, format!("{}, in an archive", version.title()), train, test, vec![file])
        }
        Place::Arrays(file) => {
            let set = npz::open(&file, Some((layout.classes, crate::data::SHAPE)))?;
            let warnings = unofficial(layout, [set.train.len(), set.test.len()]);
            Ok(Dataset { name: layout.name, classes: layout.classes, warnings, ..set })
        }
    }
}

/// Reads the files of a folder in one version.
fn read_folder(folder: &Path, version: Version, layout: &'static CifarLayout) -> Result<Dataset, DataError> {
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
    let mut set = dataset(layout, version.title().to_owned(), train, test, files)?;
    if file_name(folder).to_lowercase().starts_with("cifair") {
        set.warnings.push(format!("{}: ciFAIR, whose test images are not those of the official set", layout.name));
    }
    Ok(set)
}

fn dataset(
    layout: &CifarLayout,
    form: String,
    train: Records,
    test: Records,
    files: Vec<PathBuf>,
) -> Result<Dataset, DataError> {
    let (train, test) = (train.finish()?, test.finish()?);
    let warnings = unofficial(layout, [train.len(), test.len()]);
    let (name, classes, class_names) = (layout.name, layout.classes, Vec::new());
    Ok(Dataset { name, form, classes, train, test, warnings, class_names, files })
}

/// A warning for each part that has another number of images than that of the official set.
fn unofficial(layout: &CifarLayout, images: [usize; 2]) -> Vec<String> {
    let parts = ["train", "test"].into_iter().zip(images).zip(layout.official);
    parts
        .filter(|((_, images), official)| images != official)
        .map(|((part, images), official)| {
            format!("{} {part}: {images} images, the official set has {official}", layout.name)
        })
        .collect()
}

#[cfg(test)]
mod tests;
