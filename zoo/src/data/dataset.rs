//! A data set, divided into training and test images.

use std::path::PathBuf;

use super::split::Split;

/// A training and a test set over the same classes.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// That of a [`KnownSet`](super::KnownSet), `procedural`, `folder`, or `npz` for any other set in a file of NumPy.
    pub name: &'static str,
    /// The form that the set was found in, e.g. `Python version, in an archive`.
    pub form: String,
    /// Number of classes; every label is below it.
    pub classes: usize,
    /// Images to learn from.
    pub train: Split,
    /// Images to measure with.
    pub test: Split,
    /// Caveats to know before quoting a result, one line each, e.g. that the set is not the official one.
    pub warnings: Vec<String>,
    /// Names of the class folders, in label order; empty for any other set, whose names are known or not in its files.
    pub class_names: Vec<String>,
    /// Paths of the files that were read; empty for the procedural set.
    pub files: Vec<PathBuf>,
}
