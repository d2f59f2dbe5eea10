//! Messages of the compiler about networks of the zoo that do not fit; see `tests/compile.rs` of `pvlu`.

#[path = "../../../tests/compile/compiler.rs"]
mod compiler;

#[test]
fn networks_that_do_not_fit_do_not_compile() {
    if compiler::is_that_of_the_messages() {
        trybuild::TestCases::new().compile_fail("tests/compile/wrong_*.rs");
    }
}
