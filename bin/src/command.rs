//! What every binary does around its work: parse, look at the environment, run, and turn the result into an exit code.

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
    match crate::machine::check().and_then(|()| run(&cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("error: {error}"));
            error.exit_code()
        }
    }
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
