#![no_main]

#[path = "../readers.rs"]
mod readers;
#[path = "../sets.rs"]
mod sets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| sets::data(input));
