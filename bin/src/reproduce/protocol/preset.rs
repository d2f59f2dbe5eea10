//! Presets of the amount of work in the runs of a table.

use clap::ValueEnum;

/// A preset of the amount of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// A few minutes: small counts, few seeds
    Quick,
    /// The paper's protocol: all images, 100 epochs, all seeds
    Paper,
}

impl Preset {
    /// The preset's choice between two values.
    pub fn pick<T>(self, quick: T, paper: T) -> T {
        if self == Preset::Quick { quick } else { paper }
    }

    /// Name of the preset in CSV files.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Quick => "quick",
            Preset::Paper => "paper",
        }
    }
}
