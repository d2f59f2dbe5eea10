//! `reproduce` with an activation of one's own.

fn main() -> std::process::ExitCode {
    pvlu_zoo_cli::reproduce::main(own_network::registry())
}
