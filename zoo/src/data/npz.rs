//! Data sets in files of NumPy that hold several arrays (`.npz`, by `numpy.savez` and `numpy.savez_compressed`): zip
//! archives of arrays.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::numpy::{Header, Kind};
use super::{DataError, Dataset, MAX_RECORDS, Split};
use crate::text;

/// Names of the arrays: images to train on and their labels, images to test on and their labels. Each line is one
/// convention.
const KEYS: [[&str; 4]; 4] = [
    ["x_train", "y_train", "x_test", "y_test"],
    ["train_images", "train_labels", "test_images", "test_labels"],
    ["X_train", "y_train", "X_test", "y_test"],
    ["train_x", "train_y", "test_x", "test_y"],
];

/// Most classes of a set that does not say how many it has.
const CLASSES: usize = 1 << 16;

/// Most values of an image.
const IMAGE: usize = 1 << 26;

/// Most values of all images together.
const UNPACKED: usize = 1 << 32;

type Archive = ZipArchive<BufReader<File>>;

/// Reads a set with the number of classes and the shape of images that are given. Without them the classes are as many
/// as the largest label says, and the images of any one shape of 1 or 3 channels.
///
/// Images are `[N, height, width]`, `[N, height, width, channels]` or `[N, channels, height, width]` of `uint8`, labels
/// `[N]` or `[N, 1]` of any integers. If the last axis has 1 or 3 elements, it is that of the channels.
pub(super) fn open(path: &Path, wanted: Option<(usize, [usize; 3])>) -> Result<Dataset, DataError> {
    let file = File::open(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(path, &error))?;
    let keys = keys(path, &archive)?;
    let [train, test] = [(keys[0], keys[1]), (keys[2], keys[3])];
    let shape = wanted.map(|(_, shape)| shape);
    let train = part(path, &mut archive, train, shape)?;
    let test = part(path, &mut archive, test, Some(train.shape))?;
    let most = |labels: &[u16]| labels.iter().copied().max().map_or(0, usize::from);
    let classes = wanted.map_or_else(|| 1 + most(&train.labels).max(most(&test.labels)), |(classes, _)| classes);
    let split = |part: Part, key: &str| {
        let checked = part.labels.iter().position(|&label| usize::from(label) >= classes);
        if let Some(at) = checked {
            let (expected, found) = (format!("labels below {classes}"), format!("{} at {at}", part.labels[at]));
            return Err(DataError::contents(path, key, expected, found));
        }
        Split::with_shape(part.shape, part.pixels, part.labels, None, classes)
    };
    Ok(Dataset {
        name: "npz",
        form: "file of NumPy".to_owned(),
        classes,
        train: split(train, keys[1])?,
        test: split(test, keys[3])?,
        warnings: Vec::new(),
        class_names: Vec::new(),
        files: vec![path.to_owned()],
    })
}

fn damaged(path: &Path, error: &ZipError) -> DataError {
    DataError::contents(path, "zip archive", "a whole one: download it again", error)
}

/// The names of the arrays, by the convention that the file follows.
fn keys(path: &Path, archive: &Archive) -> Result<[&'static str; 4], DataError> {
    let has = |key: &&'static str| archive.index_for_name(&format!("{key}.npy")).is_some();
    if let Some(keys) = KEYS.into_iter().find(|keys| keys.iter().all(has)) {
        return Ok(keys);
    }
    let names = archive.file_names().filter_map(Result::ok);
    let names = text::listed(names.map(|name| text::shown(&name).to_string()), 10);
    let expected = "x_train, y_train, x_test and y_test, or train_images, train_labels, test_images and test_labels";
    Err(DataError::contents(path, "names of the arrays", expected, names))
}

/// Images and labels of a part.
struct Part {
    shape: [usize; 3],
    pixels: Vec<u8>,
    labels: Vec<u16>,
}

fn part(path: &Path, archive: &mut Archive, keys: (&str, &str), shape: Option<[usize; 3]>) -> Result<Part, DataError> {
    let labels = labels(path, archive, keys.1)?;
    let (shape, pixels) = images(path, archive, keys.0, labels.len(), shape)?;
    Ok(Part { shape, pixels, labels })
}

/// Gives the header of an array and the bytes behind it to `read`, and checks that they end where it stops.
fn array<T>(
    path: &Path,
    archive: &mut Archive,
    key: &str,
    read: impl FnOnce(Header, &mut dyn Read) -> Result<T, DataError>,
) -> Result<T, DataError> {
    let mut file = archive.by_name(&format!("{key}.npy")).map_err(|error| damaged(path, &error))?;
    let header = Header::read(&mut file).map_err(|found| DataError::contents(path, key, "an array of NumPy", found))?;
    let value = read(header, &mut file)?;
    // At the end the checksum is compared.
    match file.read(&mut [0; 1]) {
        Ok(0) => Ok(value),
        Ok(_) => Err(DataError::contents(path, key, "as many bytes as its shape says", "more")),
        Err(error) => Err(failed(path, key, &error)),
    }
}

fn failed(path: &Path, key: &str, error: &std::io::Error) -> DataError {
    DataError::contents(path, key, "an array that can be unpacked: download the file again", text::system(error))
}

/// Reads exactly `len` bytes; room for them is made as they arrive.
fn bytes(path: &Path, key: &str, reader: &mut dyn Read, len: usize) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    reader.take(len as u64).read_to_end(&mut bytes).map_err(|error| failed(path, key, &error))?;
    if bytes.len() == len {
        return Ok(bytes);
    }
    Err(DataError::contents(path, key, format!("{len} bytes, by its shape"), format!("{} and the end", bytes.len())))
}

fn labels(path: &Path, archive: &mut Archive, key: &str) -> Result<Vec<u16>, DataError> {
    array(path, archive, key, |header, reader| {
        let Header { kind, shape, .. } = &header;
        let (count, width) = match (&shape[..], kind.len()) {
            (&[count] | &[count, 1], Some(width)) if count > 0 => (count, width),
            _ => {
                let expected = "integers, [N] or [N, 1], at least one";
                return Err(DataError::contents(path, key, expected, format!("{kind} {shape:?}")));
            }
        };
        if count as u64 > MAX_RECORDS {
            let what = text::path(path).to_string();
            return Err(DataError::TooMany { what, images: count as u64, limit: MAX_RECORDS });
        }
        let bytes = bytes(path, key, reader, count * width)?;
        let integers = kind.integers(&bytes).unwrap_or_default();
        let label = |(at, label): (usize, &i64)| {
            u16::try_from(*label).map_err(|_| {
                let (expected, found) = (format!("labels from 0 to {}", CLASSES - 1), format!("{label} at {at}"));
                DataError::contents(path, key, expected, found)
            })
        };
        if integers.len() != count {
            return Err(DataError::contents(path, key, "integers of 64 bits with a sign", "larger ones"));
        }
        integers.iter().enumerate().map(label).collect()
    })
}

/// The shape of the images, and their bytes plane by plane.
fn images(
    path: &Path,
    archive: &mut Archive,
    key: &str,
    count: usize,
    wanted: Option<[usize; 3]>,
) -> Result<([usize; 3], Vec<u8>), DataError> {
    array(path, archive, key, |header, reader| {
        let Header { kind, shape, fortran } = &header;
        let order = if *fortran { ", in the order of Fortran (save numpy.ascontiguousarray of it)" } else { "" };
        let refused = |expected: &str| {
            Err(DataError::contents(path, key, expected.to_owned(), format!("{kind} {shape:?}{order}")))
        };
        let (found, is_last) = match shape[..] {
            [_, height, width] => ([1, height, width], false),
            [_, height, width, channels @ (1 | 3)] => ([channels, height, width], true),
            [_, channels @ (1 | 3), height, width] => ([channels, height, width], false),
            _ => return refused("uint8, [N, height, width, 3], [N, 3, height, width] or [N, height, width]"),
        };
        let [channels, height, width] = found;
        if let Some([c, h, w]) = wanted.filter(|wanted| *wanted != found) {
            return refused(&format!("uint8 images of {c} channels and {h}x{w}"));
        }
        if *kind != Kind::U8 || *fortran {
            return refused("uint8, each image as a whole behind the one before it");
        }
        if shape[0] != count {
            return refused(&format!("{count} images, as many as there are labels"));
        }
        let len = height.checked_mul(width).and_then(|plane| plane.checked_mul(channels));
        let Some(len) = len.filter(|len| (1..=IMAGE).contains(len)) else {
            return refused(&format!("images of 1 to {IMAGE} bytes"));
        };
        // Compressed zeros take a thousandth of their length.
        if len.checked_mul(count).is_none_or(|all| all > UNPACKED) {
            return refused(&format!("at most {UNPACKED} bytes of images"));
        }
        if !is_last || channels == 1 {
            return Ok((found, bytes(path, key, reader, len * count)?));
        }
        let mut pixels = Vec::new();
        for _ in 0..count {
            let image = bytes(path, key, reader, len)?;
            (0..channels).for_each(|channel| pixels.extend(image.iter().skip(channel).step_by(channels)));
        }
        Ok((found, pixels))
    })
}

#[cfg(test)]
mod tests;
