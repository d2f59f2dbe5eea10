//! The frame of both binaries: they parse arguments, check the environment, run, and turn the result into an exit code.

use std::error::Error;
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};
use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue};
use pvlu_zoo::registry::Registry;

use crate::common::error::CliError;
use crate::common::exit::{USAGE, exit_code};
use crate::common::output::{is_silent, note, note_error, print};
use crate::common::ranks::{self, Ranked};

/// Installs the registry for the whole program, parses the arguments and runs the command.
pub fn main<C: Parser + Ranked>(registry: Registry, run: fn(&C) -> Result<(), CliError>) -> ExitCode {
    ranks::silence_others();
    let code = done(registry, run);
    // The launcher ends all ranks as soon as one of them fails: the first one, after it has said why.
    if is_silent() { ExitCode::SUCCESS } else { code }
}

fn done<C: Parser + Ranked>(registry: Registry, run: fn(&C) -> Result<(), CliError>) -> ExitCode {
    if let Err(error) = registry.install() {
        note_error(&error);
        return ExitCode::FAILURE;
    }
    let mut cli = match C::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    match crate::common::machine::check().and_then(|()| ranks::run(&mut cli, run)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note_error(&error);
            ExitCode::from(exit_code(&error))
        }
    }
}

/// Prints help and version as clap does, and an error of the arguments in one line.
fn refuse(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    let text = error.render().to_string();
    match error.kind() {
        // A closed pipe is no failure.
        DisplayHelp | DisplayVersion => print(text.trim_end()).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        DisplayHelpOnMissingArgumentOrSubcommand => {
            note(text.trim_end());
            ExitCode::from(USAGE)
        }
        _ => {
            note(&format!("{} (see --help)", line(error, &text)));
            ExitCode::from(USAGE)
        }
    }
}

/// Clap's message, which is a paragraph, and its tips in one line; the standard library's messages on numbers are
/// replaced by clearer ones.
fn line(error: &clap::Error, text: &str) -> String {
    use ContextKind::{Suggested, SuggestedArg, SuggestedSubcommand, SuggestedValue};
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let mut said = lines.collect::<Vec<_>>().join(" ");
    if let Some((of_std, better)) = Error::source(error).and_then(number) {
        said = said.replace(&of_std, better);
    }
    let mut meant: Vec<&String> = Vec::new();
    for (kind, value) in error.context() {
        match (kind, value) {
            (SuggestedArg | SuggestedSubcommand | SuggestedValue, ContextValue::String(name)) => meant.push(name),
            // Clap sorts the most similar name last.
            (SuggestedArg | SuggestedSubcommand | SuggestedValue, ContextValue::Strings(names)) => {
                meant.extend(names.last());
            }
            (Suggested, ContextValue::StyledStrs(tips)) => {
                tips.iter().for_each(|tip| said.push_str(&format!("; {tip}")));
            }
            _ => {}
        }
    }
    meant.iter().for_each(|name| said.push_str(&format!("; did you mean {name}?")));
    said
}

/// The standard library's message on a text that is no number, and a clearer one to replace it; `None` for other
/// errors.
fn number(error: &(dyn Error + 'static)) -> Option<(String, &'static str)> {
    let better = if let Some(error) = error.downcast_ref::<ParseIntError>() {
        match error.kind() {
            IntErrorKind::Empty => "expected a whole number, found nothing",
            IntErrorKind::Zero => "expected a whole number from 1 on",
            IntErrorKind::PosOverflow => "expected a smaller whole number",
            _ => "expected a whole number, in digits alone",
        }
    } else if error.is::<ParseFloatError>() {
        "expected a number, as in 0.5"
    } else {
        return None;
    };
    Some((error.to_string(), better))
}
