//! File names, record layout and official sizes of CIFAR-10 and CIFAR-100.

use crate::data::IMAGE_LEN;

/// Files and record layout of CIFAR-10 or CIFAR-100.
pub(super) struct CifarLayout {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// Name of the archive that its publisher distributes these files in.
    pub(super) archive: &'static str,
    /// Names of the training files, of which the first one is required.
    pub(super) train: &'static [&'static str],
    pub(super) test: &'static str,
    pub(super) classes: usize,
    /// Number of superclasses. If there are any, their label comes first in a record.
    pub(super) coarse: Option<usize>,
    /// Images in the official set, training and test.
    pub(super) official: [usize; 2],
}

pub(super) static CIFAR10: CifarLayout = CifarLayout {
    name: "cifar10",
    title: "CIFAR-10",
    archive: "cifar-10-binary.tar.gz",
    train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
    test: "test_batch.bin",
    classes: 10,
    coarse: None,
    official: [50_000, 10_000],
};

pub(super) static CIFAR100: CifarLayout = CifarLayout {
    name: "cifar100",
    title: "CIFAR-100",
    archive: "cifar-100-binary.tar.gz",
    train: &["train.bin"],
    test: "test.bin",
    classes: 100,
    coarse: Some(20),
    official: [50_000, 10_000],
};

impl CifarLayout {
    pub(super) fn label_bytes(&self) -> usize {
        if self.coarse.is_some() { 2 } else { 1 }
    }

    pub(super) fn record(&self) -> usize {
        self.label_bytes() + IMAGE_LEN
    }

    pub(super) fn other(&self) -> &'static Self {
        if self.coarse.is_some() { &CIFAR10 } else { &CIFAR100 }
    }

    /// Names of the files without which the set is not read: the first training file and the test file.
    pub(super) fn required(&self) -> [&'static str; 2] {
        [self.train[0], self.test]
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.train.iter().copied().chain([self.test])
    }
}
