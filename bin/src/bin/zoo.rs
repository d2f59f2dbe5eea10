//! The models of the zoo from the command line: `zoo list`.

use std::process::ExitCode;

use pvlu_zoo::registry::Registry;
use pvlu_zoo_cli::zoo;

fn main() -> ExitCode {
    zoo::main(Registry::standard())
}
