//! Presets of the amount of work in the runs of a table.

use clap::ValueEnum;

/// A preset of the amount of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// A few minutes: small counts, few seeds
    Quick,
    /// The paper's protocol: all images, 100 epochs, all seeds; of another protocol the whole one
    #[value(alias = "full")]
    Paper,
}

impl Preset {
    /// The preset's choice between two values.
    pub fn pick<T>(self, quick: T, paper: T) -> T {
        if self == Preset::Quick { quick } else { paper }
    }

    /// Name of the preset in CSV files, where `is_own` says that the protocol is not the paper's.
    pub fn name(self, is_own: bool) -> &'static str {
        match self {
            Preset::Quick => "quick",
            Preset::Paper if is_own => "full",
            Preset::Paper => "paper",
        }
    }
}
