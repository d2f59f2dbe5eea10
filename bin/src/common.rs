//! Modules that both programs are made of.

pub mod checksum;
pub mod command;
pub mod data;
pub mod device;
pub mod difference;
pub mod digest;
#[cfg(feature = "download")]
pub mod download;
pub mod error;
pub mod figure;
pub mod formula;
pub mod input;
pub mod interrupt;
pub mod lock;
pub mod machine;
pub mod manual;
pub mod memory;
pub mod named;
pub mod output;
pub mod precision;
pub mod preprocessing;
pub mod progress;
pub mod statistics;
pub mod tensorboard;
pub mod threads;
