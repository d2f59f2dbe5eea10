//! The test that the fuzz target `data` makes of its input: it writes the files that the input describes, and opens
//! their folder as each kind of data set. `cargo test` makes the same of the files in `corpus/data`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pvlu_zoo::data::{DataError, Dataset, FolderParts, Split};

use crate::readers::{assert_readable, measured};

/// Files that an input may describe at most.
const FILES: usize = 12;

/// Paths that files get: those of the sets, of their other forms and of folders of images, and others that no set has.
const NAMES: [&str; 32] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "test_batch.bin",
    "train.bin",
    "test.bin",
    "cifar-10-batches-bin/data_batch_1.bin",
    "cifar-10-batches-bin/test_batch.bin",
    "cifar-100-binary/train.bin",
    "cifar-100-binary/test.bin",
    "cifar-10-batches-py/data_batch_1",
    "cifar-10-batches-py/batches.meta",
    "train",
    "test",
    "meta",
    "cifar-10-python.tar.gz",
    "cifar-10-binary.tar.gz",
    "data_batch_1.bin.gz",
    "cifar100.npz",
    "train.parquet",
    "cat/a.png",
    "cat/b.bmp",
    "cat/Thumbs.db",
    "dog/c.JPG",
    "dog/d/e.png",
    "train/cat/a.png",
    "train/dog/b.png",
    "Test/cat/a.png",
    "valid/cat/a.png",
    "valid/dog/a.webp",
    "__MACOSX/cat/a.png",
    "a\u{1b}[2J\nb\u{202e}.png",
    "a.txt",
];

/// Bytes that opening files of `bytes` may take: the pixels, twice where they are joined, and names.
fn justified(bytes: usize) -> usize {
    (512 << 10) + 3 * bytes
}

/// Opens a data set from its folder.
type Open = fn(&Path) -> Result<Dataset, DataError>;

/// Writes the files that `input` describes and opens their folder. For any bytes, nothing panics, no message breaks its
/// line or is endless, no more memory is taken than the files justify, and every label is that of a class.
pub fn data(input: &[u8]) {
    let folder = folder();
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).expect("a folder for the files");
    let bytes = write(folder, input);
    let sets: [Open; 2] = [|folder| Dataset::open_cifar10(folder), |folder| Dataset::open_cifar100(folder)];
    for open in sets {
        let (set, memory) = measured(|| open(folder));
        assert!(memory.peak <= justified(bytes), "{} bytes to open {bytes}", memory.peak);
        match set {
            Ok(set) => [&set.train, &set.test].into_iter().for_each(|split| assert_whole(split, set.classes)),
            Err(error) => assert_readable(&error.to_string()),
        }
    }
    let (parts, memory) = measured(|| FolderParts::open(folder));
    assert!(memory.peak <= justified(bytes), "{} bytes to list {bytes}", memory.peak);
    match parts.and_then(|parts| parts.to_train(0.5)) {
        Ok((train, test, warnings)) => {
            warnings.iter().for_each(|warning| assert_readable(warning));
            assert!(train.len() + test.len() > 0);
            assert!(train.files().chain(test.files()).all(|(_, label)| label < train.classes().len()));
        }
        Err(error) => assert_readable(&error.to_string()),
    }
    let _ = fs::remove_dir_all(folder);
}

fn assert_whole(split: &Split, classes: usize) {
    assert_eq!(split.pixels().len(), split.len() * 3072);
    assert!(split.labels().iter().all(|&label| usize::from(label) < classes));
}

/// A folder of this process.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| std::env::temp_dir().join(format!("pvlu_zoo-data-{}", std::process::id())))
}

/// Writes the files, and returns how many bytes they have. Each takes a byte for its name, one for what it is, one for
/// how much of it there is, and its bytes. What cannot be written, because a folder is there, is left out.
fn write(folder: &Path, mut input: &[u8]) -> usize {
    let mut bytes = 0;
    for _ in 0..FILES {
        let &[name, kind, count, ref rest @ ..] = input else { break };
        let path = folder.join(NAMES[usize::from(name) % NAMES.len()]);
        let raw = &rest[..rest.len().min(usize::from(count))];
        input = &rest[raw.len()..];
        let _ = path.parent().map(fs::create_dir_all);
        let contents = match kind % 6 {
            // Records of CIFAR-10 and of CIFAR-100 with these labels, whole or cut.
            0 => records(raw, 1),
            1 => records(raw, 2),
            2 => records(raw, 1).split_last().map_or(Vec::new(), |(_, whole)| whole.to_vec()),
            3 => {
                let _ = fs::create_dir_all(path);
                continue;
            }
            #[cfg(unix)]
            4 => {
                let _ = std::os::unix::fs::symlink("none", path);
                continue;
            }
            _ => raw.to_vec(),
        };
        if fs::write(path, &contents).is_ok() {
            bytes += contents.len();
        }
    }
    bytes
}

/// Records with these labels, each of so many bytes.
fn records(labels: &[u8], width: usize) -> Vec<u8> {
    labels
        .chunks_exact(width)
        .flat_map(|label| label.iter().copied().chain(std::iter::repeat_n(label[0], 3072)))
        .collect()
}
