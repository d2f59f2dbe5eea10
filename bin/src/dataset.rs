//! Which images a table is run on.

use std::path::{Path, PathBuf};

use pvlu_zoo::data::Dataset;

use crate::args::{Preset, TableArgs};
use crate::error::CliError;
use crate::table::{PAPER_TEST, PAPER_TRAIN, PROCEDURAL_SEED, quick};

/// Environment variable with the folder of the CIFAR files.
pub const DATA_VARIABLE: &str = "PVLU_ZOO_DATA";

/// Images, and how they were chosen.
#[derive(Debug)]
pub struct Chosen {
    /// The images.
    pub dataset: Dataset,
    /// The preset in force: `paper` on CIFAR images and `quick` on procedural ones, unless the user said otherwise.
    pub preset: Preset,
    /// What to tell the user about the choice.
    pub note: String,
}

/// CIFAR-100 from `--data`, `$PVLU_ZOO_DATA` or `./data`, else the procedural images.
///
/// A folder that was asked for must have the files; `./data` may be anything else that the user keeps there, and is
/// taken only if it has them.
pub fn choose(args: &TableArgs) -> Result<Chosen, CliError> {
    let asked = args.data.clone().or_else(|| std::env::var_os(DATA_VARIABLE).map(PathBuf::from));
    if let Some(folder) = asked {
        return cifar(&folder, args.preset);
    }
    let here = Path::new("data");
    if here.is_dir()
        && let Ok(chosen) = cifar(here, args.preset)
    {
        return Ok(chosen);
    }
    procedural(args.preset.unwrap_or(Preset::Quick))
}

fn cifar(folder: &Path, preset: Option<Preset>) -> Result<Chosen, CliError> {
    let dataset = Dataset::open_cifar100(folder)?;
    let note = format!("data: CIFAR-100 from {}", folder.display());
    Ok(Chosen { dataset, preset: preset.unwrap_or(Preset::Paper), note })
}

fn procedural(preset: Preset) -> Result<Chosen, CliError> {
    let (classes, train, test) = match preset {
        Preset::Quick => (quick::CLASSES, quick::TRAIN, quick::TEST),
        Preset::Paper => (100, PAPER_TRAIN, PAPER_TEST),
    };
    let note = format!(
        "data: no CIFAR-100 given (--data, ${DATA_VARIABLE} or ./data), so the built-in procedural images are used: \
         {classes} classes, {train} for training, {test} for testing. Numbers say nothing about CIFAR"
    );
    Ok(Chosen { dataset: Dataset::procedural(classes, train, test, PROCEDURAL_SEED)?, preset, note })
}
