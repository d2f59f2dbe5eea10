//! The command-line tools of `pvlu_zoo`, as a library for programs with networks and activations of their own.
//!
//! [`zoo::main`] and [`reproduce::main`] are the whole programs, with the models and activations of a
//! [`Registry`](pvlu_zoo::registry::Registry). All else is public for tests and fuzzers alone.
//!
//! `common` is what both programs are made of, `zoo` has a file for each command, and `reproduce` the tables of the
//! paper.

// Tests compare with the system's functions.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

#[doc(hidden)]
pub mod common;
pub mod reproduce;
pub mod zoo;
