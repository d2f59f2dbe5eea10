//! The data sets of the paper.

/// A data set of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// CIFAR-10.
    Cifar10,
    /// CIFAR-100.
    Cifar100,
}

impl Set {
    /// For a person.
    pub fn title(self) -> &'static str {
        match self {
            Set::Cifar10 => "CIFAR-10",
            Set::Cifar100 => "CIFAR-100",
        }
    }

    /// In names of files.
    pub fn name(self) -> &'static str {
        match self {
            Set::Cifar10 => "cifar10",
            Set::Cifar100 => "cifar100",
        }
    }
}
