//! `zoo` with a network and an activation of one's own.

fn main() -> std::process::ExitCode {
    pvlu_zoo_cli::zoo::main(own_network::registry())
}
