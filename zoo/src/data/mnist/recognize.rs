//! MNIST and Fashion-MNIST told apart: their files have the same names, shapes and lengths.

use std::fs;
use std::path::{Path, PathBuf};

use flate2::Crc;

use crate::data::files::file_name;
use crate::data::idx;

/// The sets with the files of MNIST that are read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mnist {
    Digits,
    Fashion,
}

/// A folder of IDX files: for each part the images and the labels.
pub(super) type Files = [[PathBuf; 2]; 2];

/// Number of test images of either set.
const LABELS: usize = 10_000;

/// CRC-32 of the labels of the test images, without the header of their file, of each set: of the files whose SHA-256
/// is ff7bcfd4... (MNIST) and 0402a96d... (Fashion-MNIST) when they are not compressed.
pub(super) const CHECKSUMS: [(u32, Mnist); 2] = [(0xee86_04d9, Mnist::Digits), (0x242b_c73f, Mnist::Fashion)];

/// The set that the labels of the test images are of; `None` for labels of neither, or that cannot be read.
pub(super) fn by_labels(files: &Files) -> Option<Mnist> {
    let [_, [_, labels]] = files;
    let (count, labels) = idx::read(labels, &[0]).ok()?;
    let mut checksum = Crc::new();
    checksum.update(&labels);
    let is = |(known, _): &&(u32, Mnist)| count == LABELS && checksum.sum() == *known;
    CHECKSUMS.iter().find(is).map(|(_, set)| *set)
}

/// The set that the name of the files' folder, or of the one around it, says.
pub(super) fn by_folder(folder: &Path) -> Option<Mnist> {
    // The name of `.` is that of the folder that it stands for.
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    folder.ancestors().take(2).find_map(|folder| {
        let name = file_name(folder).to_lowercase();
        match () {
            () if is_called_fashion(&name) => Some(Mnist::Fashion),
            () if name.starts_with("mnist") => Some(Mnist::Digits),
            () => None,
        }
    })
}

/// Returns true for the name of a folder of Fashion-MNIST: `fashionmnist`, `fashion-mnist`.
fn is_called_fashion(name: &str) -> bool {
    name.contains("fashion")
}

/// Returns true if a folder beside others may hold the set, by its name, where the labels do not tell: sets that follow
/// MNIST have files of the same names, in `FashionMNIST`, `KMNIST` and the like.
pub(super) fn may_hold(folder: &Path, which: Mnist) -> bool {
    let name = file_name(folder).to_lowercase();
    match (name.as_str(), which) {
        ("raw", _) => true,
        (name, Mnist::Fashion) => is_called_fashion(name),
        (name, Mnist::Digits) => !is_called_fashion(name) && (name == "mnist" || !name.ends_with("mnist")),
    }
}
