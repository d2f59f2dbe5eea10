//! Modules that both programs are made of.

pub mod command;
pub mod device;
pub mod difference;
pub mod digest;
pub mod error;
pub mod formula;
pub mod input;
pub mod interrupt;
pub mod lock;
pub mod machine;
pub mod manual;
pub mod memory;
pub mod output;
pub mod preprocessing;
pub mod progress;
pub mod statistics;
pub mod threads;
