//! What the compiler accepts, and what it says where it does not.
//!
//! The messages lie beside the cases as `.stderr` files. `TRYBUILD=overwrite cargo test --test compile` writes them anew
//! after a change; read them before they are kept, for somebody will have to.

use std::process::Command;

/// The compiler that the messages are of. Others put the same errors into other words.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn networks_that_fit_compile_and_others_do_not() {
    let cases = trybuild::TestCases::new();
    // With a case that passes, all are built and not only checked: a width that is not the product is an assertion in a
    // constant, which the compiler evaluates with the code that uses it.
    cases.pass("tests/compile/one_network_for_both_kinds_of_image_size.rs");
    cases.pass("tests/compile/an_activation_of_the_users_own.rs");
    if compiler().starts_with(COMPILER) {
        cases.compile_fail("tests/compile/wrong_*.rs");
    } else {
        assert!(
            std::env::var_os("PVLU_REQUIRE_SHARED").is_none(),
            "the messages are of {COMPILER}, not {}",
            compiler()
        );
        eprintln!("skipped: the messages of compile errors are of {COMPILER}, this is {}", compiler());
    }
}

/// What the compiler that cargo uses calls itself.
fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("rustc says its version");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
