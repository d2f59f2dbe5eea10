//! The data sets of the paper.

/// A data set of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// CIFAR-10, with 10 classes.
    Cifar10,
    /// CIFAR-100, with 100 classes.
    Cifar100,
}

impl Set {
    /// Name of the set in messages.
    pub fn title(self) -> &'static str {
        match self {
            Set::Cifar10 => "CIFAR-10",
            Set::Cifar100 => "CIFAR-100",
        }
    }

    /// Name of the set in files and configurations.
    pub fn name(self) -> &'static str {
        match self {
            Set::Cifar10 => "cifar10",
            Set::Cifar100 => "cifar100",
        }
    }
}
