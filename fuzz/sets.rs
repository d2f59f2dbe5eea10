//! The test that the fuzz target `data` makes of its input: it writes the files that the input describes, and opens
//! their folder as each kind of data set. `cargo test` makes the same of the files in `corpus/data`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pvlu_zoo::data::{DataError, Dataset, FolderParts, Recognized, Split};

use crate::readers::{assert_readable, measured};

/// Files that an input may describe at most.
const FILES: usize = 12;

/// Paths that files get: those of the sets, of their other forms and of folders of images, and others that no set has.
const NAMES: [&str; 40] = [
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
    "cifar-100-python.tar.gz",
    "cifar-10-batches-py-target/cifar-10-batches-py/test_batch",
    "cifar-10-batches-py/test_batch",
    "mnist.npz",
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte",
];

/// Bytes that opening files of `bytes` may take: the pixels, twice where they are joined or held as a pickle, and
/// names. Files that are compressed hold 1,032 times as many bytes at most.
fn justified(bytes: usize, compressed: usize) -> usize {
    (1 << 20) + 4 * bytes + 4 * 1032 * compressed
}

/// Bytes of a kind of files, as [`write`] wrote them.
#[derive(Clone, Copy, Default)]
struct Written {
    plain: usize,
    /// Those whose contents may be compressed, by their names or first bytes.
    compressed: usize,
}

/// Opens a data set from its folder.
pub type Open = fn(&Path) -> Result<Dataset, DataError>;

/// Writes the files that `input` describes and opens their folder. For any bytes, nothing panics, no message breaks its
/// line or is endless, no more memory is taken than the files justify, and every label is that of a class.
pub fn data(input: &[u8]) {
    let folder = folder();
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).expect("a folder for the files");
    let Written { plain, compressed } = write(folder, input);
    let limit = justified(plain, compressed);
    let sets: [Open; 4] = [
        |folder| Dataset::open_cifar10(folder),
        |folder| Dataset::open_cifar100(folder),
        |folder| Dataset::open_mnist(folder),
        |folder| Dataset::open_fashion_mnist(folder),
    ];
    for open in sets {
        let (set, memory) = measured(|| open(folder));
        assert!(memory.peak <= limit, "{} bytes to open {plain} and {compressed}", memory.peak);
        match set {
            Ok(set) => assert_set(&set),
            Err(error) => assert_readable(&error.to_string()),
        }
    }
    // The files themselves, too, some of which are sets.
    for path in NAMES.iter().map(|name| folder.join(name)).filter(|path| path.is_file()) {
        for open in &sets[..2] {
            match open(&path) {
                Ok(set) => assert_set(&set),
                Err(error) => assert_readable(&error.to_string()),
            }
        }
        match Recognized::all(&path) {
            Ok(found) => assert!(!found.is_empty()),
            Err(error) => assert_readable(&error.to_string()),
        }
    }
    if let Err(error) = Recognized::all(folder) {
        assert_readable(&error.to_string());
    }
    let (parts, memory) = measured(|| FolderParts::open(folder));
    assert!(memory.peak <= limit, "{} bytes to list {plain} and {compressed}", memory.peak);
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

/// Opens a file of a data set, which is beside whole ones in `folder`, after its bytes were replaced by `bytes`. For
/// any bytes the same has to hold as for [`data`]. Returns true if it was read.
pub fn file(folder: &Path, name: &str, bytes: &[u8], open: Open) -> bool {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("a file in the folder");
    let beside = fs::read_dir(path.parent().unwrap_or(folder)).expect("the folder");
    let plain = beside.filter_map(|entry| entry.ok()?.metadata().ok()).map(|file| file.len() as usize).sum();
    let is_compressed = bytes.starts_with(&[0x1f, 0x8b]) || name.ends_with(".npz");
    let (set, memory) = measured(|| open(folder));
    let limit = justified(plain, if is_compressed { bytes.len() } else { 0 });
    assert!(memory.peak <= limit, "{} bytes to open {name} of {} among {plain}", memory.peak, bytes.len());
    match &set {
        Ok(set) => assert_set(set),
        Err(error) => assert_readable(&error.to_string()),
    }
    set.is_ok()
}

fn assert_set(set: &Dataset) {
    [&set.train, &set.test].into_iter().for_each(|split| assert_whole(split, set.classes));
}

fn assert_whole(split: &Split, classes: usize) {
    assert!([3072, 784].contains(&split.image_len()));
    assert_eq!(split.pixels().len(), split.len() * split.image_len());
    assert!(split.labels().iter().all(|&label| usize::from(label) < classes));
}

/// A folder of this process.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| std::env::temp_dir().join(format!("pvlu_zoo-data-{}", std::process::id())))
}

/// Writes the files, and returns how many bytes they have. Each takes a byte for its name, one for what it is, one for
/// how much of it there is, and its bytes. What cannot be written, because a folder is there, is left out.
fn write(folder: &Path, mut input: &[u8]) -> Written {
    let mut written = Written::default();
    for _ in 0..FILES {
        let &[name, kind, count, ref rest @ ..] = input else { break };
        let path = folder.join(NAMES[usize::from(name) % NAMES.len()]);
        let raw = &rest[..rest.len().min(usize::from(count))];
        input = &rest[raw.len()..];
        let _ = path.parent().map(fs::create_dir_all);
        let contents = match kind % 9 {
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
            // The Python version of images with these labels, an IDX file that begins so, and a tar archive of a file.
            6 => pickle(raw),
            7 => [raw, &[7; 784]].concat(),
            8 => tar(raw),
            _ => raw.to_vec(),
        };
        if fs::write(path, &contents).is_ok() {
            let is_compressed = contents.starts_with(&[0x1f, 0x8b]) || contents.starts_with(b"PK");
            *if is_compressed { &mut written.compressed } else { &mut written.plain } += contents.len();
        }
    }
    written
}

/// A pickle of images with these labels; a label from 128 on is left out, so that their numbers may differ.
fn pickle(labels: &[u8]) -> Vec<u8> {
    let entries = |bytes: Vec<u8>| [b"T".to_vec(), (bytes.len() as u32).to_le_bytes().to_vec(), bytes].concat();
    let data = entries(labels.iter().flat_map(|label| std::iter::repeat_n(*label, 3072)).collect());
    let labels: Vec<u8> = labels.iter().filter(|label| **label < 128).flat_map(|label| [b'K', *label]).collect();
    let key = |key: &[u8]| [b"U", &[key.len() as u8][..], key].concat();
    let list = [b"](", &labels[..], b"e"].concat();
    let keys = [key(b"labels"), list.clone(), key(b"fine_labels"), list.clone(), key(b"coarse_labels"), list].concat();
    [b"\x80\x02}(", &key(b"data")[..], &data, &keys, b"u."].concat()
}

/// A tar archive of one file, of which the first byte says the name and the rest is a pickle's labels.
fn tar(raw: &[u8]) -> Vec<u8> {
    let (first, rest) = raw.split_first().unwrap_or((&0, &[]));
    let name = ["data_batch_1", "test_batch", "train", "test", "data_batch_2.bin"][usize::from(*first) % 5];
    let contents = pickle(rest);
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..135].copy_from_slice(format!("{:011o}", contents.len()).as_bytes());
    header[148..156].fill(b' ');
    header[156] = b'0';
    header[257..262].copy_from_slice(b"ustar");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    [&header[..], &contents, &vec![0; 1024 + 511 - (contents.len() + 511) % 512]].concat()
}

/// Records with these labels, each of so many bytes.
fn records(labels: &[u8], width: usize) -> Vec<u8> {
    labels
        .chunks_exact(width)
        .flat_map(|label| label.iter().copied().chain(std::iter::repeat_n(label[0], 3072)))
        .collect()
}
