//! The test that the fuzz target `shards` makes of its input: an archive or a Parquet file of images, which it opens
//! and of which it looks at every image's bytes. `cargo test` makes the same of the files in `corpus/shards` and of
//! damaged ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pvlu_zoo::data::{FolderParts, ImageFolder, Recognized};

use crate::readers::{assert_readable, measured};

/// Names that the file gets, of which the first byte of an input chooses one.
const NAMES: [&str; 5] = ["train.parquet", "a.tar", "val-000000.tar", "a.tar.gz", "a.parquet"];

/// Bytes of the names of classes that have numbers alone: up to 65,536, for each part once and before that.
const CLASSES: usize = 8 << 20;

/// Bytes that opening a file may take: names and places of what is in it, and what it unpacks to, once while it grows
/// and once as it is kept.
fn justified(bytes: &[u8]) -> usize {
    let is_compressed = bytes.starts_with(&[0x1f, 0x8b]);
    CLASSES + if is_compressed { 3 * ((1 << 20) + 64 * bytes.len()) } else { 64 * bytes.len() }
}

/// Takes the first byte of `input` for the name of a file, and the rest for its bytes. The checksums of an archive are
/// made right, since nothing would be found behind them.
pub fn shards(input: &[u8]) {
    let Some((&name, bytes)) = input.split_first() else { return };
    let name = NAMES[usize::from(name) % NAMES.len()];
    let mut bytes = bytes.to_vec();
    if name.ends_with(".tar") {
        checksums(&mut bytes);
    }
    shard(name, &bytes);
}

/// Opens a file of these bytes. For any, nothing panics, no message breaks its line or is endless, no more memory is
/// taken than the file justifies, every label is that of a class, and every image has the bytes that it is said to
/// have. Returns true if it was read.
pub fn shard(name: &str, bytes: &[u8]) -> bool {
    let path = folder().join(name);
    fs::create_dir_all(folder()).expect("a folder for the file");
    fs::write(&path, bytes).expect("a file in the folder");
    let (parts, memory) = measured(|| FolderParts::open(&path));
    assert!(memory.peak <= justified(bytes), "{} bytes to open {name} of {}", memory.peak, bytes.len());
    let is_read = parts.is_ok();
    match parts {
        Ok(FolderParts::Divided { train, test }) => [train, test].iter().for_each(assert_whole),
        Ok(FolderParts::Whole(folder) | FolderParts::Train(folder) | FolderParts::Test(folder)) => {
            assert_whole(&folder)
        }
        Err(error) => assert_readable(&error.to_string()),
    }
    if let Err(error) = Recognized::all(&path) {
        assert_readable(&error.to_string());
    }
    let _ = fs::remove_dir_all(folder());
    is_read
}

fn assert_whole(folder: &ImageFolder) {
    assert!(!folder.is_empty());
    folder.warnings().iter().for_each(|warning| assert_readable(warning));
    for index in 0..folder.len() {
        let (path, label) = folder.file(index);
        assert!(label < folder.classes().len(), "{}", path.display());
        let size = folder.stored_size(index);
        assert_eq!(folder.stored_bytes(index).map(|bytes| bytes.len() as u64), size, "{}", path.display());
    }
    if let Err(error) = folder.normalization() {
        assert_readable(&error.to_string());
    }
}

/// Makes the checksum of every header right that a reader comes to.
fn checksums(bytes: &mut [u8]) {
    let mut at = 0_usize;
    while let Some(header) = bytes.get_mut(at..at.saturating_add(512)) {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        // A header without any byte is the end.
        if sum == 8 * u32::from(b' ') {
            header[148..156].fill(0);
            return;
        }
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let size = header[124..135].iter().take_while(|byte| (b'0'..=b'7').contains(byte));
        let size = size.fold(0_usize, |size, byte| size.saturating_mul(8).saturating_add(usize::from(byte - b'0')));
        at = at.saturating_add(512).saturating_add(size.div_ceil(512).saturating_mul(512));
    }
}

/// A folder of this process.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| std::env::temp_dir().join(format!("pvlu_zoo-shards-{}", std::process::id())))
}
