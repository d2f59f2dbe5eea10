//! The command-line tools of `pvlu_zoo`, as a library that their `main` functions call.
//!
//! `reproduce` writes the tables of the PVLU paper. [`paper`] says what each is, [`scratch`] and [`tuning`] do its
//! runs,
//! [`runs`] plans, keeps and merges them, [`report`] writes them as CSV. `zoo` is in [`zoo`].

// Tests compare with the system's functions.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod args;
pub mod command;
pub mod dataset;
pub mod device;
pub mod digest;
pub mod error;
pub mod figure;
pub mod figures;
pub mod formula;
pub mod input;
pub mod inspect;
pub mod interrupt;
pub mod lock;
pub mod machine;
pub mod memory;
pub mod output;
pub mod overrides;
pub mod page;
pub mod paper;
pub mod progress;
pub mod published;
pub mod report;
pub mod reproduce;
pub mod runs;
pub mod scratch;
pub mod statistics;
pub mod table;
pub mod threads;
pub mod tuning;
pub mod values;
pub mod zoo;
