//! Class names in label order.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::LazyLock;

use crate::data::labels::{CIFAR10, CIFAR100_FINE};

/// A set of classes that networks distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LabelSet {
    /// The 1000 classes of ILSVRC 2012 in the order of their WordNet ids, that of torchvision, timm and Keras; the
    /// names are torchvision's, which are all different (`torchvision.models._meta._IMAGENET_CATEGORIES`).
    ImageNet,
    /// The ten classes of CIFAR-10, in the order of [`CIFAR10`].
    Cifar10,
    /// The 100 fine classes of CIFAR-100, in the order of [`CIFAR100_FINE`].
    Cifar100,
}

const SETS: [LabelSet; 3] = [LabelSet::Cifar10, LabelSet::Cifar100, LabelSet::ImageNet];

/// WordNet ids and names of ImageNet's classes; a line of the file has one of each.
static IMAGENET: LazyLock<[Vec<&'static str>; 2]> = LazyLock::new(|| {
    let (ids, names) = include_str!("labels/imagenet.txt").lines().filter_map(|line| line.split_once(' ')).unzip();
    [ids, names]
});

/// The names of a set's classes, in label order.
#[must_use]
pub fn of(set: LabelSet) -> &'static [&'static str] {
    match set {
        LabelSet::ImageNet => &IMAGENET[1],
        LabelSet::Cifar10 => &CIFAR10,
        LabelSet::Cifar100 => &CIFAR100_FINE,
    }
}

impl LabelSet {
    /// The set that has these names of classes, in this order; `None` if there is none.
    #[must_use]
    pub fn of_names(class_names: &[&str]) -> Option<Self> {
        SETS.into_iter().find(|set| of(*set) == class_names)
    }

    /// The set that a network with this many classes usually distinguishes; `None` for any other number of classes.
    #[must_use]
    pub fn usual(classes: usize) -> Option<Self> {
        SETS.into_iter().find(|set| of(*set).len() == classes)
    }

    /// The WordNet ids of ImageNet's classes, by which its folders are named: `n01440764` is the tench.
    #[must_use]
    pub fn imagenet_ids() -> &'static [&'static str] {
        &IMAGENET[0]
    }
}

impl fmt::Display for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ImageNet => "ImageNet",
            Self::Cifar10 => "CIFAR-10",
            Self::Cifar100 => "CIFAR-100",
        })
    }
}
