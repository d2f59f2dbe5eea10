//! MNIST (LeCun et al. 1998) and Fashion-MNIST (Xiao et al. 2017): gray images of 28 by 28.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::shortened;
use super::files::{Found, entries, file_name, inspect};
use super::{DataError, Dataset, KnownSet, Split, idx, labels, npz};
use crate::text;

/// Channels, rows and columns of an image.
const SHAPE: [usize; 3] = [1, 28, 28];

/// Number of classes of either set.
const CLASSES: usize = 10;

/// Beginnings of the names of the two parts.
const PARTS: [&str; 2] = ["train", "t10k"];

/// The digits of MNIST, see [`Dataset::open_mnist`].
pub static MNIST: KnownSet = KnownSet {
    name: "mnist",
    title: "MNIST",
    about: "MNIST: IDX files, compressed or not, the file of NumPy that Keras downloads, or Parquet files; gray",
    class_names: &labels::MNIST,
    shape: SHAPE,
    official: [60_000, 10_000],
    open: |path| open(path, Mnist::Digits),
    required: 4,
    may_be_in: |path| recognized(path).contains(&Mnist::Digits),
};

/// The clothes of Fashion-MNIST, see [`Dataset::open_fashion_mnist`].
pub static FASHION_MNIST: KnownSet = KnownSet {
    name: "fashion_mnist",
    title: "Fashion-MNIST",
    about: "Fashion-MNIST, in the same forms; gray",
    class_names: &labels::FASHION_MNIST,
    open: |path| open(path, Mnist::Fashion),
    may_be_in: |path| recognized(path).contains(&Mnist::Fashion),
    ..MNIST
};

/// The sets with the files of MNIST that are read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mnist {
    Digits,
    Fashion,
}

impl Mnist {
    fn known(self) -> &'static KnownSet {
        match self {
            Self::Digits => &MNIST,
            Self::Fashion => &FASHION_MNIST,
        }
    }
}

/// A folder of IDX files: for each part the images and the labels.
type Files = [[PathBuf; 2]; 2];

impl Dataset {
    /// Reads MNIST: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
    /// `t10k-labels-idx1-ubyte`, with a dot in place of the second hyphen or not, compressed by gzip (`.gz`) or not; or
    /// `mnist.npz`, which Keras downloads; or, where there is none of these, the Parquet files of Hugging Face,
    /// `train-00000-of-00001.parquet` and `test-00000-of-00001.parquet`, whose images have to be gray. `path` is their
    /// folder or the NumPy file; a folder that holds it under any name will do, and one in which torchvision has put it
    /// (`MNIST/raw`). The images have one channel: their shape is `[1, 28, 28]`.
    ///
    /// # Errors
    ///
    /// [`DataError`] of a missing or ambiguous folder, of a file that is missing, damaged, cut, of another shape or has
    /// a label that is not below 10.
    pub fn open_mnist(path: impl AsRef<Path>) -> Result<Self, DataError> {
        MNIST.open(path)
    }

    /// Reads Fashion-MNIST, whose files have the names of MNIST's, as [`open_mnist`](Self::open_mnist) does.
    ///
    /// # Errors
    ///
    /// As for [`open_mnist`](Self::open_mnist).
    pub fn open_fashion_mnist(path: impl AsRef<Path>) -> Result<Self, DataError> {
        FASHION_MNIST.open(path)
    }
}

fn open(path: &Path, which: Mnist) -> Result<Dataset, DataError> {
    let known = which.known();
    let set = match inspect(path)? {
        Found::Nothing => return Err(DataError::MissingFolder { path: path.to_owned() }),
        Found::Folder => match locate(path, which)? {
            Some(files) => read(&files)?,
            None => match path.join(format!("{}.npz", known.name)) {
                file if file.is_file() => npz::open(&file, Some((CLASSES, SHAPE)))?,
                _ => return Err(missing(path)),
            },
        },
        Found::File if file_name(path).to_lowercase().ends_with(".npz") => npz::open(path, Some((CLASSES, SHAPE)))?,
        found => return Err(DataError::NotAFolder { path: path.to_owned(), found: found.describe() }),
    };
    let warnings = known.unofficial([set.train.len(), set.test.len()]);
    Ok(Dataset { name: known.name, classes: CLASSES, warnings, class_names: Vec::new(), ..set })
}

/// Reads the four files.
fn read(files: &Files) -> Result<Dataset, DataError> {
    let [train, test] = files.each_ref().map(|[images, labels]| split(images, labels));
    let form = if file_name(&files[0][0]).ends_with(".gz") { "IDX files compressed by gzip" } else { "IDX files" };
    Ok(Dataset {
        name: "mnist",
        form: form.to_owned(),
        classes: CLASSES,
        train: train?,
        test: test?,
        warnings: Vec::new(),
        class_names: Vec::new(),
        files: files.iter().flatten().cloned().collect(),
    })
}

fn split(images: &Path, labels: &Path) -> Result<Split, DataError> {
    let (count, bytes) = idx::read(labels, &[0])?;
    let (images_count, pixels) = idx::read(images, &[0, SHAPE[1], SHAPE[2]])?;
    if count != images_count {
        let expected = format!("{images_count} labels, as many as {} has images", text::path(images));
        return Err(DataError::contents(labels, "shape", expected, count));
    }
    if let Some(at) = bytes.iter().position(|&label| usize::from(label) >= CLASSES) {
        let (path, label) = (labels.to_owned(), bytes[at].into());
        return Err(DataError::LabelInFile { path, record: at as u64, kind: "label", label, limit: CLASSES });
    }
    Split::with_shape(SHAPE, pixels, bytes.into_iter().map(u16::from).collect(), None, CLASSES)
}

/// The names that a file may have, of which the first one that is there is read.
fn names(part: &str, kind: &str) -> [String; 4] {
    let axes = if kind == "images" { 3 } else { 1 };
    [("-", ""), ("-", ".gz"), (".", ""), (".", ".gz")]
        .map(|(separator, end)| format!("{part}-{kind}{separator}idx{axes}-ubyte{end}"))
}

/// The files in a folder; `None` if it has none of them, and those that are missing if it has some.
fn files(folder: &Path) -> Option<Result<Files, DataError>> {
    let found = PARTS.map(|part| {
        ["images", "labels"]
            .map(|contents| names(part, contents).into_iter().map(|name| folder.join(name)).find(|path| path.is_file()))
    });
    if found.iter().flatten().all(Option::is_none) {
        return None;
    }
    let [[Some(a), Some(b)], [Some(c), Some(d)]] = found else { return Some(Err(missing(folder))) };
    Some(Ok([[a, b], [c, d]]))
}

/// Returns true if the folder is called after Fashion-MNIST: `FashionMNIST`, `fashion-mnist`.
fn is_called_fashion(folder: &Path) -> bool {
    file_name(folder).to_lowercase().contains("fashion")
}

/// Returns true if a folder beside others may hold the set, by its name: sets that follow MNIST have files of the same
/// names, in `FashionMNIST`, `KMNIST` and the like.
fn may_hold(folder: &Path, which: Mnist) -> bool {
    let name = file_name(folder).to_lowercase();
    match (name.as_str(), which) {
        ("raw", _) => true,
        (_, Mnist::Fashion) => is_called_fashion(folder),
        (name, Mnist::Digits) => !is_called_fashion(folder) && (name == "mnist" || !name.ends_with("mnist")),
    }
}

/// The sets that a folder holds; none of a file. Where it has the files itself, its name or that of the folder around
/// it says which set they are.
fn recognized(dir: &Path) -> Vec<Mnist> {
    if !dir.is_dir() {
        return Vec::new();
    }
    // The name of `.` is that of the folder that it stands for.
    let dir = &fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    if files(dir).or_else(|| files(&dir.join("raw"))).is_some() {
        let is_fashion = is_called_fashion(dir) || dir.parent().is_some_and(is_called_fashion);
        return vec![if is_fashion { Mnist::Fashion } else { Mnist::Digits }];
    }
    let file = |which: &Mnist| dir.join(format!("{}.npz", which.known().name));
    let holds = |which: &Mnist| file(which).is_file() || !matches!(locate(dir, *which), Ok(None));
    [Mnist::Digits, Mnist::Fashion].into_iter().filter(holds).collect()
}

/// The files in `dir`, in a folder in it, or in the folder `raw` of one.
fn locate(dir: &Path, which: Mnist) -> Result<Option<Files>, DataError> {
    if let Some(files) = files(dir) {
        return files.map(Some);
    }
    let folders = entries(dir)?.into_iter().filter(|path| may_hold(path, which));
    let folders = folders.flat_map(|path| [path.join("raw"), path]);
    let mut found: Vec<_> = folders.filter_map(|folder| Some((files(&folder)?, folder))).collect();
    if found.len() > 1 {
        let name = |path: &Path| path.strip_prefix(dir).unwrap_or(path).to_string_lossy().into_owned();
        let candidates = found.iter().map(|(_, folder)| name(folder)).collect();
        return Err(DataError::Ambiguous { path: dir.to_owned(), set: which.known().title, candidates });
    }
    found.pop().map(|(files, _)| files).transpose()
}

fn missing(folder: &Path) -> DataError {
    let there = |name: &String| folder.join(name).is_file();
    let all = PARTS.iter().flat_map(|part| ["images", "labels"].map(|contents| names(part, contents)));
    let looked_for = all.filter(|names| !names.iter().any(there)).map(|[name, ..]| name).collect();
    let found = entries(folder).unwrap_or_default().iter().map(|path| file_name(path)).collect();
    DataError::MissingFile { folder: folder.to_owned(), looked_for, found: shortened(found) }
}

#[cfg(test)]
mod tests;
