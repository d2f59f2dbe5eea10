//! Damaged files of data sets: pickles, archives, files of NumPy and IDX files.

use std::fs;
use std::path::Path;

use pvlu_zoo::data::{Dataset, Recognized};

use super::mutation::{self, Random};
use super::sets::{self, Open};
use super::{folder, turn};

const TEN: Open = |folder| Dataset::open_cifar10(folder);
const HUNDRED: Open = |folder| Dataset::open_cifar100(folder);
const MNIST: Open = |folder| Dataset::open_mnist(folder);

/// A folder of fixtures, the file in it that is damaged, and the reader.
const FILES: [(&str, &str, Open); 7] = [
    ("python2/cifar-10-batches-py", "data_batch_1", TEN),
    ("python2/cifar-100-python", "train", HUNDRED),
    ("python3/cifar-10-batches-py", "data_batch_3", TEN),
    ("python3/cifar-100-python", "test", HUNDRED),
    ("", "cifar-10-python.tar.gz", TEN),
    ("", "cifar10.npz", TEN),
    ("", "mnist.npz", MNIST),
];

/// Runs `work` with a folder that holds copies of the files beside `name`, or the file alone, and with its bytes.
fn with_copy(fixture: &str, name: &str, work: impl FnOnce(&Path, &[u8])) {
    let from = folder("tests/fixtures/data").join(fixture);
    let to = tempfile::tempdir().unwrap();
    if !fixture.is_empty() {
        for entry in fs::read_dir(&from).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, to.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    work(to.path(), &fs::read(from.join(name)).unwrap());
}

#[test]
fn a_cut_file_of_a_data_set_is_refused() {
    let _turn = turn();
    for (fixture, name, open) in FILES {
        with_copy(fixture, name, |folder, bytes| {
            assert!(sets::file(folder, name, bytes, open), "{name}");
            // Where the pixels are, not every byte.
            let step = |len: usize| if (600..bytes.len() - 600).contains(&len) { 97 } else { 1 };
            let mut len = 0;
            while len < bytes.len() {
                assert!(!sets::file(folder, name, &bytes[..len], open), "{name} cut to {len} of {}", bytes.len());
                len += step(len);
            }
        });
    }
}

#[test]
fn a_damaged_file_of_a_data_set_gives_an_error_or_a_whole_set() {
    let _turn = turn();
    let mut seeds = Vec::new();
    for (fixture, name, _) in FILES {
        with_copy(fixture, name, |_, bytes| seeds.push((name.to_owned(), bytes.to_vec())));
    }
    for (fixture, name, open) in FILES {
        with_copy(fixture, name, |folder, bytes| {
            let mut random = Random::new(&format!("{fixture}/{name}"));
            for _ in 0..300 {
                sets::file(folder, name, &mutation::of(bytes, &seeds, &mut random), open);
                let _ = Recognized::all(folder.join(name));
            }
        });
    }
}
