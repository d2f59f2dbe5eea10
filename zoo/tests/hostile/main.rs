//! Damaged and malicious files of weights, of trainings and of images: cut short, changed, or made to do harm.
//!
//! Each gives an error or harmless tensors: no panic, no message of more than one line, and no more memory than its
//! size justifies, by the bounds of `fuzz/readers.rs`, which reads every file here. Its allocator counts for the whole
//! process, so that these tests take turns.

#[path = "../../../fuzz/checkpoints.rs"]
mod checkpoints;
#[path = "../../../fuzz/readers.rs"]
mod readers;
#[path = "../../../fuzz/sets.rs"]
mod sets;
#[path = "../../../fuzz/shards.rs"]
mod shards;

mod data;
mod hdf5;
mod images;
mod keras;
mod mutation;
mod packed;
mod published;
mod safetensors;
mod torch;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pvlu_zoo::weights::TensorFile;

use self::mutation::Random;

/// Held by a test while it runs.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder of this repository.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// Name and bytes of the files in a folder whose name ends in one of `endings`.
fn files(name: &str, endings: &[&str]) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| endings.iter().any(|ending| path.to_str().unwrap().ends_with(ending)))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no files in {name}");
    files
}

fn fixtures() -> Vec<(String, Vec<u8>)> {
    files("tests/fixtures/weights", &[".safetensors", ".h5"])
}

/// A file of `fuzz/corpus` that `fuzz/seeds.py` wrote.
fn seed(name: &str) -> Vec<u8> {
    fs::read(folder("fuzz/corpus").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The message of the error that `bytes` give, be it at opening or at checking.
fn refusal(bytes: &[u8]) -> String {
    readers::read(bytes);
    match TensorFile::from_bytes("test", bytes).and_then(|file| file.verify::<f32>()) {
        Ok(()) => panic!("it was accepted"),
        Err(error) => error.to_string(),
    }
}

type Reader = fn(&[u8]);

#[test]
fn what_the_fuzzers_found_worth_keeping_gives_errors_and_no_panic() {
    let _turn = turn();
    let targets: [(&str, Reader); 10] = [
        ("safetensors", readers::safetensors),
        ("hdf5", readers::read),
        ("configuration", readers::configuration),
        ("metadata", readers::metadata),
        ("checkpoint", checkpoints::checkpoint),
        ("data", sets::data),
        ("shards", shards::shards),
        ("images", readers::image),
        ("torch", readers::torch),
        ("published", readers::published),
    ];
    for (name, target) in targets {
        for (_, bytes) in files(&format!("fuzz/corpus/{name}"), &[""]) {
            target(&bytes);
        }
    }
}

#[test]
fn damage_to_a_training_gives_an_error_or_a_training() {
    let _turn = turn();
    let seeds = files("fuzz/corpus/checkpoint", &["_file", "_header"]);
    for (name, bytes) in &seeds {
        if name.ends_with("_file") {
            checkpoints::restore(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let mut random = Random::new(name);
        for _ in 0..200 {
            checkpoints::checkpoint(&mutation::of(bytes, &seeds, &mut random));
        }
    }
}

#[test]
fn damaged_descriptions_of_data_sets_give_errors_or_whole_sets() {
    let _turn = turn();
    let seeds = files("fuzz/corpus/data", &[""]);
    for (name, bytes) in &seeds {
        let mut random = Random::new(name);
        for _ in 0..20 {
            sets::data(&mutation::of(bytes, &seeds, &mut random));
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let _turn = turn();
    for (name, bytes) in fixtures() {
        // Every length of a small file; of others every one at the beginning, where the descriptions are.
        let step = |len: usize| if len < 2048 { 1 } else { 61 };
        let mut len = 0;
        while len < bytes.len() {
            let refused = TensorFile::from_bytes("test", &bytes[..len]).and_then(|file| file.verify::<f32>());
            assert!(refused.is_err(), "{name} cut to {len} of {} bytes", bytes.len());
            len += step(len);
        }
    }
}

#[test]
fn a_flipped_bit_gives_an_error_or_harmless_tensors() {
    let _turn = turn();
    for (name, bytes) in fixtures() {
        let mut random = Random::new(&name);
        let mut damaged = bytes.clone();
        for _ in 0..600 {
            let (byte, bit) = (random.below(bytes.len()), random.below(8));
            damaged[byte] ^= 1 << bit;
            readers::read(&damaged);
            damaged[byte] = bytes[byte];
        }
    }
}

#[test]
fn damage_of_every_kind_gives_an_error_or_harmless_tensors() {
    let _turn = turn();
    let seeds = [fixtures(), files("fuzz/corpus/hdf5", &[""]), files("fuzz/corpus/safetensors", &[""])].concat();
    for (name, bytes) in &seeds {
        let mut random = Random::new(name);
        for _ in 0..100 {
            readers::read(&mutation::of(bytes, &seeds, &mut random));
        }
    }
}
