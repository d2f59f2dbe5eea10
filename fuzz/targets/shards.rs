#![no_main]

#[path = "../readers.rs"]
mod readers;
#[path = "../shards.rs"]
mod shards;

libfuzzer_sys::fuzz_target!(|input: &[u8]| shards::shards(input));
