//! Reproduces the tables of the PVLU paper: `reproduce table1`.

use std::process::ExitCode;

use pvlu_zoo_cli::{command, run};

fn main() -> ExitCode {
    command::main(run::reproduce)
}
