//! The processes, called ranks, that a launcher such as `mpirun` or `srun` has started together, and that train one
//! network, see [`pvlu_zoo::train::among`].
//!
//! All of them do the same command. The first one alone prints, and writes the output folders; the others work in
//! copies of these in a temporary folder, so that they come to the same decisions.

#[cfg(feature = "mpi")]
mod courier;
#[cfg(feature = "mpi")]
mod folders;
mod launcher;
mod ranked;
mod sharing;
#[cfg(feature = "mpi")]
mod together;
#[cfg(feature = "mpi")]
mod world;

use self::launcher::Launcher;
pub use self::ranked::Ranked;
pub use self::sharing::{agree, count, found_in_pieces, is_first, share_of_cores};
#[cfg(feature = "mpi")]
use self::together::several;
use crate::common::error::CliError;
use crate::common::output::silence;

/// Runs the command that the arguments name, together with the other processes if a launcher has started several.
///
/// # Errors
///
/// That of the command, or of another rank; [`CliError::Usage`] for several processes of a program that is built
/// without MPI, and of a command that they do not share.
pub fn run<C: Ranked>(cli: &mut C, work: impl FnOnce(&C) -> Result<(), CliError>) -> Result<(), CliError> {
    match Launcher::find(|name| std::env::var(name).ok()) {
        Some(launcher) => several(launcher, cli, work),
        None => work(cli),
    }
}

/// Silences all processes but the first one, as far as the launcher tells before MPI does.
pub fn silence_others() {
    if let Some(launcher) = Launcher::find(|name| std::env::var(name).ok()) {
        silence(launcher.rank != 0);
    }
}

#[cfg(not(feature = "mpi"))]
fn several<C>(launcher: Launcher, _: &mut C, _: impl FnOnce(&C) -> Result<(), CliError>) -> Result<(), CliError> {
    let Launcher { variable, count, .. } = launcher;
    Err(CliError::Usage(format!(
        "{variable}={count}: started as one of {count} processes, and this program is built without MPI: build it with \
         --features mpi, or start one process; for commands that have nothing to do with each other, unset {variable}"
    )))
}
