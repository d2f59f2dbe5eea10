#![no_main]

#[path = "../formulas.rs"]
mod formulas;

libfuzzer_sys::fuzz_target!(|input: &[u8]| formulas::formula(input));
