//! File names, record layout, versions and official sizes of CIFAR-10 and CIFAR-100.

use std::path::PathBuf;

use crate::data::{IMAGE_LEN, labels};

/// Files and record layout of CIFAR-10 or CIFAR-100.
pub(super) struct CifarLayout {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) class_names: &'static [&'static str],
    /// Names of the archives that its publisher and Keras keep these files in, in the order in which they are looked
    /// for.
    pub(super) archives: &'static [&'static str],
    /// Names that files of NumPy have, in the same order.
    pub(super) arrays: [&'static str; 2],
    /// Names of the training files of the binary version, of which the first one is required.
    pub(super) train: &'static [&'static str],
    pub(super) test: &'static str,
    /// Number of superclasses. If there are any, their label comes first in a record.
    pub(super) coarse: Option<usize>,
    /// Images in the official set, training and test.
    pub(super) official: [usize; 2],
    /// Images in the largest official file.
    pub(super) largest: u64,
}

/// A version that the set is published in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Records of bytes, in files whose names end in `.bin`.
    Binary,
    /// Pickles of Python, in files of the same names without `.bin`.
    Python,
}

impl Version {
    pub(super) const ALL: [Self; 2] = [Self::Binary, Self::Python];

    /// Name of a file in this version, of its name in the binary one.
    pub(super) fn name(self, binary: &'static str) -> &'static str {
        match self {
            Self::Binary => binary,
            Self::Python => binary.strip_suffix(".bin").unwrap_or(binary),
        }
    }

    /// Name of the version in messages.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Binary => "binary version",
            Self::Python => "Python version",
        }
    }
}

pub(super) static CIFAR10: CifarLayout = CifarLayout {
    name: "cifar10",
    title: "CIFAR-10",
    class_names: &labels::CIFAR10,
    archives: &[
        "cifar-10-binary.tar.gz",
        "cifar-10-python.tar.gz",
        "cifar-10-batches-py.tar.gz",
        "cifar-10-batches-py-target_archive",
    ],
    arrays: ["cifar10.npz", "cifar-10.npz"],
    train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
    test: "test_batch.bin",
    coarse: None,
    official: [50_000, 10_000],
    largest: 10_000,
};

pub(super) static CIFAR100: CifarLayout = CifarLayout {
    name: "cifar100",
    title: "CIFAR-100",
    class_names: &labels::CIFAR100_FINE,
    archives: &["cifar-100-binary.tar.gz", "cifar-100-python.tar.gz", "cifar-100-python-target_archive"],
    arrays: ["cifar100.npz", "cifar-100.npz"],
    train: &["train.bin"],
    test: "test.bin",
    coarse: Some(20),
    official: [50_000, 10_000],
    largest: 50_000,
};

impl CifarLayout {
    /// Number of classes; every label is below it.
    pub(super) fn classes(&self) -> usize {
        self.class_names.len()
    }

    /// Returns true for the name of a file of the set, in either version.
    pub(super) fn has_file(&self, name: &str) -> bool {
        Version::ALL.into_iter().any(|version| self.files(version).any(|file| file == name))
    }

    pub(super) fn label_bytes(&self) -> usize {
        if self.coarse.is_some() { 2 } else { 1 }
    }

    pub(super) fn record(&self) -> usize {
        self.label_bytes() + IMAGE_LEN
    }

    pub(super) fn other(&self) -> &'static Self {
        if self.coarse.is_some() { &CIFAR10 } else { &CIFAR100 }
    }

    /// Bytes that a file in an archive may have at most: those of the largest official file, as either version has
    /// them.
    pub(super) fn most_bytes(&self) -> u64 {
        self.largest * OF_AN_IMAGE
    }

    /// Names of the files without which the set is not read: the first training file and the test file.
    pub(super) fn required(&self, version: Version) -> [&'static str; 2] {
        [self.train[0], self.test].map(|name| version.name(name))
    }

    /// Names of the training files, then that of the test file.
    pub(super) fn files(&self, version: Version) -> impl Iterator<Item = &'static str> + use<> {
        self.train.iter().copied().chain([self.test]).map(move |name| version.name(name))
    }
}

/// Place that a set was found in.
pub(super) enum Place {
    /// The folder of the files of one version.
    Folder(PathBuf, Version),
    /// An archive of them.
    Archive(PathBuf),
    /// A file of NumPy.
    Arrays(PathBuf),
}

/// Bytes of an image in a file at most: labels, a name, and the values, which Python 3 pickles as text for readers of
/// Python 2, so that those above 127 take two bytes.
pub(super) const OF_AN_IMAGE: u64 = 2 * IMAGE_LEN as u64 + 256;
