#![no_main]

#[path = "../checkpoints.rs"]
mod checkpoints;
#[path = "../readers.rs"]
mod readers;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checkpoints::checkpoint(input));
