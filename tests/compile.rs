//! Programs that the compiler accepts, and its messages about those that it does not.
//!
//! The messages lie beside the cases as `.stderr` files. `TRYBUILD=overwrite cargo test --test compile` writes them
//! anew after a change; read them before they are kept, for users will have to.

#[path = "compile/compiler.rs"]
mod compiler;

#[test]
fn networks_that_fit_compile_and_others_do_not() {
    let cases = trybuild::TestCases::new();
    // With a case that passes, all are built and not only checked: a width that is not the product is an assertion in a
    // constant, which the compiler evaluates with the code that uses it.
    cases.pass("tests/compile/one_network_for_both_kinds_of_image_size.rs");
    cases.pass("tests/compile/an_activation_of_the_users_own.rs");
    cases.pass("tests/compile/the_prelude_beside_that_of_dfdx.rs");
    if compiler::is_that_of_the_messages() {
        cases.compile_fail("tests/compile/wrong_*.rs");
    }
}
