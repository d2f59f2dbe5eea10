#![no_main]

#[path = "../readers.rs"]
mod readers;
#[path = "../results.rs"]
mod results;

libfuzzer_sys::fuzz_target!(|input: &[u8]| results::report(input));
