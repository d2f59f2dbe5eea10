//! How much work the runs of a table do.

use clap::ValueEnum;

/// How much work a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// A few minutes: small counts, few seeds
    Quick,
    /// The paper's protocol: all images, 100 epochs, all seeds
    Paper,
}

impl Preset {
    /// What the preset takes of two values.
    pub fn pick<T>(self, quick: T, paper: T) -> T {
        if self == Preset::Quick { quick } else { paper }
    }

    /// Name in the CSV.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Quick => "quick",
            Preset::Paper => "paper",
        }
    }
}
