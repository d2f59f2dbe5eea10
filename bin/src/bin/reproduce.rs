//! Reproduces the tables of the PVLU paper: `reproduce table1`.

use std::process::ExitCode;

use clap::Parser;
use pvlu_zoo_cli::args::Cli;
use pvlu_zoo_cli::output::note;
use pvlu_zoo_cli::run::reproduce;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match reproduce(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("error: {error}"));
            error.exit_code()
        }
    }
}
