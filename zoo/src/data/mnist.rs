//! MNIST (LeCun et al. 1998) and Fashion-MNIST (Xiao et al. 2017): gray images of 28 by 28.

mod recognize;

use std::path::Path;

use self::recognize::{Files, Mnist};
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
    may_be_in: |path| Ok(recognized(path)?.contains(&Mnist::Digits)),
};

/// The clothes of Fashion-MNIST, see [`Dataset::open_fashion_mnist`].
pub static FASHION_MNIST: KnownSet = KnownSet {
    name: "fashion_mnist",
    title: "Fashion-MNIST",
    about: "Fashion-MNIST, in the same forms; gray",
    class_names: &labels::FASHION_MNIST,
    open: |path| open(path, Mnist::Fashion),
    may_be_in: |path| Ok(recognized(path)?.contains(&Mnist::Fashion)),
    ..MNIST
};

impl Mnist {
    fn other(self) -> Self {
        match self {
            Self::Digits => Self::Fashion,
            Self::Fashion => Self::Digits,
        }
    }

    fn known(self) -> &'static KnownSet {
        match self {
            Self::Digits => &MNIST,
            Self::Fashion => &FASHION_MNIST,
        }
    }
}

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
            Some(files) => {
                refuse_other(&files, path, which)?;
                read(&files)?
            }
            None => match path.join(format!("{}.npz", known.name)) {
                file if file.is_file() => npz::open(&file, Some((CLASSES, SHAPE)))?,
                _ => return Err(not_there(path, which)),
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

/// The error of a folder that does not hold the set: it may hold the other one.
fn not_there(path: &Path, which: Mnist) -> DataError {
    let other = locate(path, which.other()).ok().flatten();
    other.and_then(|files| refuse_other(&files, path, which).err()).unwrap_or_else(|| missing(path))
}

/// Refuses files whose labels are those of the other set.
fn refuse_other(files: &Files, path: &Path, which: Mnist) -> Result<(), DataError> {
    let other = recognize::by_labels(files).filter(|found| *found != which);
    let evidence = || format!("{} has its labels", text::path(&files[1][1]));
    other.map_or(Ok(()), |found| {
        let (wanted, found) = (which.known().title, found.known().title);
        Err(DataError::WrongSet { path: path.to_owned(), wanted, found, evidence: evidence() })
    })
}

/// The sets that a folder holds; none of a file. The labels of the test images say which set IDX files are of, else
/// the name of their folder.
///
/// # Errors
///
/// [`DataError::OtherForm`] for IDX files of which neither tells.
fn recognized(dir: &Path) -> Result<Vec<Mnist>, DataError> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let set = |files: &Files| {
        let folder = files[1][1].parent().unwrap_or(dir);
        recognize::by_labels(files).or_else(|| recognize::by_folder(folder)).ok_or_else(|| {
            let found = "the files of MNIST, or of a set that has files of the same names, and neither the labels nor \
                         the folder's name tells: name the set (--dataset mnist or fashion_mnist), or call the \
                         folder mnist or fashion_mnist";
            DataError::OtherForm { path: folder.to_owned(), found: found.to_owned() }
        })
    };
    match files(dir).or_else(|| files(&dir.join("raw"))) {
        Some(Ok(files)) => return Ok(vec![set(&files)?]),
        // Opening it says what is missing.
        Some(Err(_)) => return Ok(vec![recognize::by_folder(dir).unwrap_or(Mnist::Digits)]),
        None => {}
    }
    let mut sets = Vec::new();
    for which in [Mnist::Digits, Mnist::Fashion] {
        let holds = dir.join(format!("{}.npz", which.known().name)).is_file()
            || match locate(dir, which) {
                Ok(Some(files)) => set(&files)? == which,
                Ok(None) => false,
                Err(_) => true,
            };
        if holds {
            sets.push(which);
        }
    }
    Ok(sets)
}

/// The files in `dir`, in a folder in it, or in the folder `raw` of one.
fn locate(dir: &Path, which: Mnist) -> Result<Option<Files>, DataError> {
    if let Some(files) = files(dir) {
        return files.map(Some);
    }
    let mut found = Vec::new();
    for path in entries(dir)? {
        let by_name = recognize::may_hold(&path, which);
        for folder in [path.join("raw"), path] {
            let Some(files) = files(&folder) else { continue };
            let by_labels = files.as_ref().ok().and_then(recognize::by_labels);
            if by_labels.map_or(by_name, |set| set == which) {
                found.push((files, folder));
            }
        }
    }
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
