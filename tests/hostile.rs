//! Records and tables that no program wrote: cut short, damaged, or made to do harm.
//!
//! What has to hold, `fuzz/results.rs` says, through which every file here goes. Its allocator counts for the whole
//! process, so that these tests take turns.

#[path = "../fuzz/readers.rs"]
mod readers;
#[path = "../fuzz/results.rs"]
mod results;

use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held by a test while it runs.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The files of a corpus, sorted.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut files: Vec<_> =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect();
    files.sort();
    assert!(files.len() > 10, "{target}: {} files", files.len());
    files
}

/// Each seed with some bytes turned and with its end cut off, the same every time.
fn damaged(bytes: &[u8], mut each: impl FnMut(&[u8])) {
    let mut state = 1_u64 + bytes.len() as u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    for _ in 0..20 {
        let mut bytes = bytes.to_vec();
        let place = below(bytes.len());
        bytes[place] = bytes[below(bytes.len())] ^ below(2) as u8;
        each(&bytes);
        bytes.truncate(place);
        each(&bytes);
    }
}

#[test]
fn records_give_errors_or_tables_within_the_folder() {
    let _turn = turn();
    for (name, bytes) in corpus("record") {
        results::record(&bytes);
        if name.starts_with("seed") {
            damaged(&bytes, results::record);
        }
    }
}

#[test]
fn tables_give_errors_or_pages_and_figures() {
    let _turn = turn();
    for (name, bytes) in corpus("report") {
        results::report(&bytes);
        // Drawing takes its time.
        if name.starts_with("seed") && bytes.len() < 2000 {
            damaged(&bytes, results::report);
        }
    }
}
