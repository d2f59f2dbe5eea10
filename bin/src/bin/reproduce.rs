//! Reproduces the tables of the PVLU paper: `reproduce table1`.

use std::process::ExitCode;

use pvlu_zoo::registry::Registry;
use pvlu_zoo_cli::reproduce;

fn main() -> ExitCode {
    reproduce::main(Registry::standard())
}
