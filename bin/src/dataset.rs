//! Which images a table is run on.

use std::path::{Path, PathBuf};

use pvlu_zoo::data::{DataError, Dataset};

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
/// taken only if it has them. If it has them and they are damaged, that is an error too: numbers of the procedural images
/// in the place of CIFAR's are not what the user waits for.
pub fn choose(args: &TableArgs) -> Result<Chosen, CliError> {
    // An empty variable counts as none, as in a shell's `PVLU_ZOO_DATA= reproduce table1`.
    let variable = || std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = args.data.clone().or_else(variable) {
        return Ok(cifar(&folder, args.preset)?);
    }
    let here = Path::new("data");
    if here.is_dir() {
        match cifar(here, args.preset) {
            Ok(chosen) => return Ok(chosen),
            Err(DataError::MissingFile { .. }) => {}
            // The folder of another set; a file of another set has the name of one that is wanted.
            Err(DataError::WrongSet { path, .. }) if path.is_dir() => {}
            Err(error) => return Err(error.into()),
        }
    }
    procedural(args)
}

fn cifar(folder: &Path, preset: Option<Preset>) -> Result<Chosen, DataError> {
    let dataset = Dataset::open_cifar100(folder)?;
    let note = format!("data: CIFAR-100 from {}", folder.display());
    Ok(Chosen { dataset, preset: preset.unwrap_or(Preset::Paper), note })
}

fn procedural(args: &TableArgs) -> Result<Chosen, CliError> {
    let preset = args.preset.unwrap_or(Preset::Quick);
    let (classes, train, test) = match preset {
        Preset::Quick => (quick::CLASSES, quick::TRAIN, quick::TEST),
        Preset::Paper => (100, PAPER_TRAIN, PAPER_TEST),
    };
    // A smaller set is the beginning of the larger one, so images beyond a limit need not be drawn.
    let train = args.limit_train.map_or(train, |limit| limit.get().min(train));
    let test = args.limit_test.map_or(test, |limit| limit.get().min(test));
    let note = format!(
        "data: no CIFAR-100 given (--data, ${DATA_VARIABLE} or ./data), so the built-in procedural images are used: \
         {classes} classes, {train} for training, {test} for testing. Numbers say nothing about CIFAR"
    );
    Ok(Chosen { dataset: Dataset::procedural(classes, train, test, PROCEDURAL_SEED)?, preset, note })
}
