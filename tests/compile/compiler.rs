//! The compiler whose messages lie beside the cases.

use std::process::Command;

/// The compiler that the messages are of. Others put the same errors into other words.
const COMPILER: &str = "rustc 1.95.";

/// True if this compiler is that one. Says so if it is not, and fails where every test is to run.
pub fn is_that_of_the_messages() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("rustc says its version");
    let compiler = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if compiler.starts_with(COMPILER) {
        return true;
    }
    assert!(std::env::var_os("PVLU_REQUIRE_SHARED").is_none(), "the messages are of {COMPILER}, not {compiler}");
    eprintln!("skipped: the messages of compile errors are of {COMPILER}, this is {compiler}");
    false
}
