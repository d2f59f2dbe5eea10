//! The models of the zoo from the command line: `zoo list`.

use std::process::ExitCode;

use pvlu_zoo_cli::{command, zoo};

fn main() -> ExitCode {
    command::main(zoo::run)
}
