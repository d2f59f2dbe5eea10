//! Exit codes of the programs.

use pvlu_zoo::checkpoint::CheckpointError;
use pvlu_zoo::export::ExportError;
use pvlu_zoo::published::PublishedError;
use pvlu_zoo::registry::RegistryError;

use crate::common::error::CliError;
use crate::common::interrupt;

/// Exit code of a command that failed.
const FAILURE: u8 = 1;
/// Exit code of a command that was asked for wrongly.
pub const USAGE: u8 = 2;
/// Exit code of a program that panicked, as the standard library has it.
#[cfg(feature = "mpi")]
pub const PANICKED: u8 = 101;

/// 2 for a usage error, 130 after Ctrl-C (128 + SIGINT, as shells report it) and 143 after SIGTERM, that of its error
/// for another rank, else 1.
pub fn exit_code(error: &CliError) -> u8 {
    match error {
        CliError::Usage(_)
        | CliError::OtherConfiguration { .. }
        | CliError::OtherTraining { .. }
        | CliError::Protocol { .. }
        | CliError::RanksDiffer { .. }
        | CliError::Export(ExportError::FileName { .. }) => USAGE,
        // Only names that the user gave are usage errors; a wrong name in a file is an error of the file.
        CliError::Registry(error) | CliError::Checkpoint(CheckpointError::Registry(error)) if is_name(error) => USAGE,
        // As for names of models; weights that are in no cache are no error of the arguments.
        CliError::Published(error)
            if !matches!(error, PublishedError::NotThere { .. } | PublishedError::NoHome { .. }) =>
        {
            USAGE
        }
        CliError::Interrupted { .. } | CliError::TrainingInterrupted { .. } | CliError::Stopped => {
            interrupt::exit_code()
        }
        CliError::Kept { source, .. } | CliError::NotKept { source, .. } => exit_code(source),
        CliError::Rank { code, .. } => *code,
        _ => FAILURE,
    }
}

/// True for an unknown model or activation, and for a wrong formula.
fn is_name(error: &RegistryError) -> bool {
    matches!(error, RegistryError::Model { .. } | RegistryError::Activation { .. } | RegistryError::Formula(_))
}
