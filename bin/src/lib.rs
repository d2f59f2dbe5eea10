//! The command-line tools of `pvlu_zoo`, as a library that their `main` functions call.
//!
//! `reproduce` writes the tables of the PVLU paper: [`table`] says what each is, [`run`] trains it, [`report`] writes CSV.
//! `zoo` is in [`zoo`].

pub mod args;
pub mod command;
pub mod dataset;
pub mod error;
pub mod interrupt;
pub mod output;
pub mod progress;
pub mod report;
pub mod run;
pub mod statistics;
pub mod table;
pub mod tuning;
pub mod zoo;
