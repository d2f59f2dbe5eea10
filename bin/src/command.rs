//! What every binary does around its work: parse, run, and turn the result into an exit code.

use std::process::ExitCode;

use clap::Parser;

use crate::error::CliError;
use crate::output::{note, print};

/// Parses the arguments and runs the command.
pub fn main<C: Parser>(run: fn(&C) -> Result<(), CliError>) -> ExitCode {
    let cli = match C::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("error: {error}"));
            error.exit_code()
        }
    }
}

/// Makes the given number of worker threads; without one, as many as `RAYON_NUM_THREADS` says or there are cores.
///
/// The calling thread is one of them: a kernel that is called from elsewhere hands its work over and sleeps until it is done, which
/// for the hundreds of short kernels of a step adds up to a twentieth of its time. A single thread stays apart, for it would
/// wait for the thread that loads batches while that waits for it.
pub fn start_threads(threads: Option<u16>) -> Result<(), CliError> {
    let variable = || std::env::var("RAYON_NUM_THREADS").ok()?.parse().ok().filter(|&threads| threads > 0);
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.map(usize::from).or_else(variable).unwrap_or_else(cores);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let pool = if threads > 1 { pool.use_current_thread() } else { pool };
    pool.build_global().map_err(|source| CliError::Threads { threads, source })
}

/// Prints help and version as clap does, and what is wrong with the arguments in one line.
fn refuse(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    let text = error.render().to_string();
    match error.kind() {
        // A reader that has gone is no failure.
        DisplayHelp | DisplayVersion => print(text.trim_end()).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        DisplayHelpOnMissingArgumentOrSubcommand => {
            note(text.trim_end());
            ExitCode::from(2)
        }
        _ => {
            let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
            note(&format!("{} (see --help)", lines.collect::<Vec<_>>().join(" ")));
            ExitCode::from(2)
        }
    }
}
