#![no_main]

#[path = "../results.rs"]
mod results;

libfuzzer_sys::fuzz_target!(|input: &[u8]| results::record(input));
