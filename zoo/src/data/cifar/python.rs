//! The Python version of CIFAR: a file is the pickle of a dict.
//!
//! `data` is a NumPy array of `uint8`, `[N, 3072]`, an image a row: planes in the order R, G, B, rows from the top.
//! `labels` (CIFAR-10), `fine_labels` and `coarse_labels` (CIFAR-100) are lists of integers. Keys and texts are strings
//! of Python 2 or 3, or bytes.

use std::borrow::Cow;
use std::io::{BufReader, Read};
use std::path::Path;

use super::binary;
use super::layout::{CifarLayout, OF_AN_IMAGE};
use super::records::Records;
use crate::data::files::{Found, inspect};
use crate::data::numpy::{self, Kind};
use crate::data::{DataError, IMAGE_LEN, MAX_RECORDS};
use crate::pickle::{Pickle, Value};
use crate::text;

/// Operations of a pickle without images at most, those of an array and of short texts.
const OPERATIONS: usize = 4096;

/// Operations that an image adds to a pickle at most. The published files have six: two labels and a name, each noted.
const OF_AN_IMAGE_IN_OPERATIONS: usize = 32;

/// Adds the images of a file.
pub(super) fn read_file(records: &mut Records, path: &Path) -> Result<(), DataError> {
    let (file, len) = binary::open(path)?;
    // A file that cannot hold fewer images is refused before it is read.
    expect_few(path, len / OF_AN_IMAGE)?;
    read(records, path, len, BufReader::new(file))
}

fn expect_few(path: &Path, images: u64) -> Result<(), DataError> {
    if images > MAX_RECORDS {
        return Err(DataError::TooMany { what: text::path(path).to_string(), images, limit: MAX_RECORDS });
    }
    Ok(())
}

/// Adds the images of `reader`, which has `len` bytes; `path` is its name in errors. The bytes are held in memory until
/// their images are added.
pub(super) fn read(records: &mut Records, path: &Path, len: u64, reader: impl Read) -> Result<(), DataError> {
    let layout = records.layout;
    let mut bytes = Vec::new();
    reader.take(len).read_to_end(&mut bytes).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    let damaged =
        |found: String| DataError::contents(path, "pickle", "that of a dict, whole: download it again", found);
    let operations = OPERATIONS + OF_AN_IMAGE_IN_OPERATIONS * (bytes.len() / IMAGE_LEN);
    let pickle = Pickle::read_within(&bytes, operations).map_err(|error| damaged(error.to_string()))?;
    let root = pickle.root();
    if root.entries().is_none() {
        return Err(damaged(root.kind().to_owned()));
    }
    let fine_key = if layout.coarse.is_some() { "fine_labels" } else { "labels" };
    let other_key = if layout.coarse.is_some() { "labels" } else { "fine_labels" };
    if root.get(fine_key).is_none() && root.get(other_key).is_some() {
        let (wanted, found) = (layout.title, layout.other().title);
        let evidence = format!("it has the key {other_key} and not {fine_key}");
        return Err(DataError::WrongSet { path: path.to_owned(), wanted, found, evidence });
    }
    let data = pixels(path, root)?;
    let fine = labels(path, root, fine_key)?;
    let coarse = layout.coarse.map(|_| labels(path, root, "coarse_labels")).transpose()?;
    let images = data.len() / IMAGE_LEN;
    expect_few(path, images as u64)?;
    for (key, labels) in [(fine_key, Some(&fine)), ("coarse_labels", coarse.as_ref())] {
        if let Some(labels) = labels.filter(|labels| labels.len() != images) {
            let expected = format!("{images} labels, as many as there are images in data");
            return Err(DataError::contents(path, key, expected, labels.len()));
        }
    }
    records.reserve(path, images as u64)?;
    for (index, label) in fine.into_iter().enumerate() {
        let coarse = coarse.as_ref().map_or(0, |coarse| coarse[index]);
        records.push_labels(path, index as u64, label, coarse)?;
    }
    records.pixels.extend_from_slice(&data);
    Ok(())
}

/// The value of a key.
fn value<'p>(path: &Path, root: Value<'p>, key: &str, expected: &str) -> Result<Value<'p>, DataError> {
    root.get(key).ok_or_else(|| {
        let known: Vec<_> = root.entries().into_iter().flatten().filter_map(|(key, _)| key.text()).collect();
        let found = match &known[..] {
            [] => "no keys".to_owned(),
            known => format!("none, but {}", text::listed(known.iter().map(|key| text::shown(key)), 10)),
        };
        DataError::contents(path, key, expected, found)
    })
}

/// The bytes of the images.
fn pixels<'p>(path: &Path, root: Value<'p>) -> Result<Cow<'p, [u8]>, DataError> {
    const EXPECTED: &str = "a NumPy array of uint8, [N, 3072]";
    let data = value(path, root, "data", EXPECTED)?;
    let refused = |found: String| Err(DataError::contents(path, "data", EXPECTED, found));
    if let Some(bytes) = data.bytes() {
        return match bytes.len() {
            0 => refused("no bytes".to_owned()),
            len if len % IMAGE_LEN == 0 => Ok(bytes),
            len => refused(format!("{len} bytes, no whole number of images of {IMAGE_LEN}")),
        };
    }
    let Some(array) = numpy::pickled(data) else { return refused(data.kind().to_owned()) };
    let shown = format!("{} {:?}", array.kind, array.shape);
    match array.shape[..] {
        [images, IMAGE_LEN] | [images, 3, 32, 32] if images > 0 && array.kind == Kind::U8 && !array.fortran => {
            if images.checked_mul(IMAGE_LEN) != Some(array.bytes.len()) {
                return refused(format!("{shown} in {} bytes", array.bytes.len()));
            }
            Ok(array.bytes)
        }
        _ if array.fortran => refused(format!("{shown}, a column after the other (in the order of Fortran)")),
        _ => refused(shown),
    }
}

/// The integers of a list or of an array.
fn labels(path: &Path, root: Value<'_>, key: &str) -> Result<Vec<i64>, DataError> {
    const EXPECTED: &str = "a list of integers, one for each image";
    let list = value(path, root, key, EXPECTED)?;
    let refused = |found: String| DataError::contents(path, key, EXPECTED, found);
    if let Some(items) = list.items() {
        let integer = |(index, item): (usize, Value<'_>)| {
            let label = item.int().or_else(|| numpy::pickled_integer(item));
            label.ok_or_else(|| refused(format!("{} at {index}", item.kind())))
        };
        return items.enumerate().map(integer).collect();
    }
    let array = numpy::pickled(list).ok_or_else(|| refused(list.kind().to_owned()))?;
    let integers = (array.shape.len() == 1).then(|| array.kind.integers(&array.bytes)).flatten();
    integers.ok_or_else(|| refused(format!("{} {:?}", array.kind, array.shape)))
}

/// Returns true if the pickle that begins with these bytes may be one of the set: it has protocol 2 or later, as all
/// that are published have.
pub(super) fn is_pickle(first: &[u8]) -> bool {
    matches!(first, [0x80, 2..=5, ..])
}

/// Returns true if there is something at `path`, which has the name of a file of the set; of CIFAR-100, whose `train`
/// and `test` are names that other files and folders have as well, only if it is a pickle.
pub(super) fn is_there(path: &Path, layout: &CifarLayout) -> bool {
    match inspect(path) {
        Ok(Found::File) => {
            let mut first = [0; 2];
            let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut first));
            layout.coarse.is_none() || read.is_ok() && is_pickle(&first)
        }
        // What is no regular file has an error of its own, but for folders of images called `train` and `test`.
        Ok(Found::Folder | Found::Other) => layout.coarse.is_none(),
        _ => false,
    }
}
