//! Protocols of tables of networks trained from scratch. "Paper" marks values of the text, "chosen" those that the
//! project decided where the text is silent; the values that all tables share are in
//! [`budget`](crate::reproduce::protocol::budget).

use pvlu_zoo::data::KnownSet;

/// A table of networks trained from scratch: protocol and published numbers.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// Name of the subcommand and of the files.
    pub name: &'static str,
    /// Title of the table in files and reports.
    pub title: &'static str,
    /// Description of the table in the list of commands.
    pub about: &'static str,
    /// The paper's figure of the test accuracy by epoch, if it has one.
    pub curves: Option<&'static Numbered>,
    /// The data set. Paper.
    pub set: &'static KnownSet,
    /// Model in the registry. Paper: six convolutions; chosen: their widths.
    pub model: &'static str,
    /// Activations that the table compares. Paper; chosen: ELU, which the paper names among the rivals, and the fixed
    /// VLU.
    pub activations: &'static [&'static str],
    /// Seeds of each activation's runs. Paper.
    pub seeds: &'static [u64],
    /// True if training images are flipped and shifted. Paper: "data augmentation"; chosen: these two kinds.
    pub augmented: bool,
    /// Published top-1 by activation, a fraction for each seed.
    pub published: &'static [Published],
}

/// The numbers that the paper prints of one activation.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// Name of the activation.
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
    /// The numbers that the paper prints of an activation, if there are any.
    pub fn published(&self, activation: &str) -> Option<&'static Published> {
        self.published.iter().find(|published| published.activation == activation)
    }
}

/// A figure that the paper numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Name of the subcommand and of the files.
    pub name: &'static str,
    /// Title above the figure.
    pub title: &'static str,
    /// Description of the figure in the list of commands.
    pub about: &'static str,
}
