//! What a table of networks trained from scratch says. "paper" marks what the text says, "chosen" what the project
//! decided where the text is silent; the values that are the same for all are in
//! [`table`](crate::reproduce::protocol::budget).

use crate::reproduce::protocol::set::Set;

/// A table of networks trained from scratch: protocol and published numbers.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// Name of the subcommand and of the files.
    pub name: &'static str,
    /// What the table shows.
    pub title: &'static str,
    /// The same for a person who has to choose one.
    pub about: &'static str,
    /// The paper's figure of the test accuracy by epoch, if it has one.
    pub curves: Option<&'static Numbered>,
    /// The data set. Paper.
    pub set: Set,
    /// Model in the registry. Paper: six convolutions; chosen: their widths.
    pub model: &'static str,
    /// Activations that the table compares. Paper; chosen: ELU, which the paper names among the rivals, and the fixed
    /// VLU.
    pub activations: &'static [&'static str],
    /// Seeds. Paper.
    pub seeds: &'static [u64],
    /// Whether images are flipped and shifted. Paper: "data augmentation"; chosen: which.
    pub augmented: bool,
    /// Published top-1 by activation, a fraction for each seed.
    pub published: &'static [Published],
}

/// What the paper prints of one activation.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// The activation.
    pub activation: &'static str,
    /// Peak test accuracy by seed.
    pub by_seed: &'static [f64],
    /// Mean as printed, without the runs that died.
    pub mean: f64,
    /// Standard error as printed.
    pub standard_error: f64,
    /// Relative error decrease against ReLU that the abstract states.
    pub rel_error_decrease: Option<f64>,
}

impl Protocol {
    /// What the paper prints of an activation.
    pub fn published(&self, activation: &str) -> Option<&'static Published> {
        self.published.iter().find(|published| published.activation == activation)
    }
}

/// A figure that the paper numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Name of the subcommand and of the files.
    pub name: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// The same for a person who has to choose one.
    pub about: &'static str,
}
