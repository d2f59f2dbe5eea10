//! The binary files of CIFAR-10 and CIFAR-100 (Krizhevsky 2009, <https://www.cs.toronto.edu/~kriz/cifar.html>).
//!
//! A file is a run of records without a header: one label byte (CIFAR-10) or two (CIFAR-100), then 3072 bytes of
//! pixels, planes in the order R, G, B, rows from the top.

mod files;
mod form;
mod layout;
mod locate;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use self::files::{Found, inspect};
use self::layout::{CIFAR10, CIFAR100, CifarLayout};
use self::locate::locate;
use super::{DataError, Dataset, IMAGE_LEN, Split};
use crate::text;

/// Maximum number of records in a file, twenty times that of the largest official file. A file with more is no CIFAR
/// file, and its pixels would take more than 3 GB.
#[doc(hidden)]
pub const MAX_RECORDS: u64 = 1_000_000;

/// Bytes read at a time.
const BUFFER: usize = 1 << 16;

impl Dataset {
    /// Reads CIFAR-10: `data_batch_1.bin` and those of `data_batch_2.bin` to `data_batch_5.bin` that are there for
    /// training, in this order, and `test_batch.bin`. `dir` is the folder of these files, or a folder that holds it
    /// under any name. A set with another number of images than the official 50,000 and 10,000 is read and gets a line
    /// in [`warnings`](Self::warnings).
    ///
    /// # Errors
    ///
    /// Every [`DataError`] of a file: a missing or ambiguous folder, a missing file, another set, an empty or cut file,
    /// a label out of range, a failed read.
    pub fn open_cifar10(dir: impl AsRef<Path>) -> Result<Self, DataError> {
        open(dir.as_ref(), &CIFAR10)
    }

    /// Reads CIFAR-100: `train.bin` and `test.bin`. The labels are the 100 fine ones, the 20 coarse ones are kept
    /// beside them. `dir`, warnings and errors are as for [`open_cifar10`](Self::open_cifar10).
    ///
    /// # Errors
    ///
    /// As for [`open_cifar10`](Self::open_cifar10).
    pub fn open_cifar100(dir: impl AsRef<Path>) -> Result<Self, DataError> {
        open(dir.as_ref(), &CIFAR100)
    }
}

fn open(dir: &Path, layout: &'static CifarLayout) -> Result<Dataset, DataError> {
    let folder = locate(dir, layout)?;
    let mut files = Vec::new();
    let mut train = Records::new(layout);
    for name in layout.train {
        let path = folder.join(name);
        // The folder was accepted because its required files are there; the other training files may be missing.
        if inspect(&path)? != Found::Nothing {
            train.read(&path)?;
            files.push(path);
        }
    }
    let mut test = Records::new(layout);
    let path = folder.join(layout.test);
    test.read(&path)?;
    files.push(path);

    let (train, test) = (train.finish()?, test.finish()?);
    let warnings = [("train", &train), ("test", &test)]
        .into_iter()
        .zip(layout.official)
        .filter(|((_, split), official)| split.len() != *official)
        .map(|((part, split), official)| {
            format!("{} {part}: {} images, the official set has {official}", layout.name, split.len())
        })
        .collect();
    let (name, classes, class_names) = (layout.name, layout.classes, Vec::new());
    Ok(Dataset { name, classes, train, test, warnings, class_names, files })
}

/// The images read so far, from one file or several.
struct Records {
    layout: &'static CifarLayout,
    pixels: Vec<u8>,
    labels: Vec<u16>,
    coarse: Vec<u8>,
}

impl Records {
    fn new(layout: &'static CifarLayout) -> Self {
        Self { layout, pixels: Vec::new(), labels: Vec::new(), coarse: Vec::new() }
    }

    fn finish(self) -> Result<Split, DataError> {
        let coarse = self.layout.coarse.map(|_| self.coarse);
        Split::new(self.pixels, self.labels, coarse, self.layout.classes)
    }

    fn read(&mut self, path: &Path) -> Result<(), DataError> {
        let io = |source| DataError::Io { path: path.to_owned(), source };
        // The kind of file is checked before the file is opened, since opening a pipe waits for a writer.
        let found = inspect(path)?;
        if matches!(found, Found::Folder | Found::Other) {
            return Err(DataError::NotAFile { path: path.to_owned(), found: found.describe() });
        }
        let file = File::open(path).map_err(io)?;
        let count = self.count(path, file.metadata().map_err(io)?.len())?;

        // `count` is bounded by the length of the file, so this is no more than the file holds.
        let refused = || DataError::OutOfMemory { what: text::path(path).to_string(), images: count };
        let images = usize::try_from(count).map_err(|_| refused())?;
        self.pixels.try_reserve_exact(images * IMAGE_LEN).map_err(|_| refused())?;

        let mut reader = BufReader::with_capacity(BUFFER, file);
        let mut record = vec![0; self.layout.record()];
        for index in 0..count {
            reader.read_exact(&mut record).map_err(io)?;
            self.push(path, index, &record)?;
        }
        Ok(())
    }

    /// Number of records in a file of `len` bytes.
    fn count(&self, path: &Path, len: u64) -> Result<u64, DataError> {
        let layout = self.layout;
        let (path, record) = (path.to_owned(), layout.record() as u64);
        if len == 0 {
            return Err(DataError::EmptyFile { path, record });
        }
        if !len.is_multiple_of(record) {
            let other = layout.other();
            if len.is_multiple_of(other.record() as u64) {
                let evidence = format!(
                    "{len} bytes are {} records of {} bytes, and no whole number of {record} bytes",
                    len / other.record() as u64,
                    other.record()
                );
                return Err(DataError::WrongSet { path, wanted: layout.title, found: other.title, evidence });
            }
            return Err(DataError::PartialRecord { path, len, record, cut: len / record * record });
        }
        let count = len / record;
        if count > MAX_RECORDS {
            return Err(DataError::TooMany { what: text::path(&path).to_string(), images: count, limit: MAX_RECORDS });
        }
        Ok(count)
    }

    fn push(&mut self, path: &Path, index: u64, record: &[u8]) -> Result<(), DataError> {
        let (labels, pixels) = record.split_at(self.layout.label_bytes());
        let checked = |kind, label: u8, limit| {
            if usize::from(label) < limit {
                return Ok(label);
            }
            Err(DataError::LabelInFile { path: path.to_owned(), record: index, kind, label, limit })
        };
        // In CIFAR-100 the fine label is the SECOND byte. The first one is the superclass: below 100 as well, so that
        // reading it would raise no error and train a network of 100 classes on 20.
        let label = match (self.layout.coarse, labels) {
            (Some(superclasses), &[coarse, fine]) => {
                self.coarse.push(checked("coarse label", coarse, superclasses)?);
                checked("fine label", fine, self.layout.classes)?
            }
            _ => checked("label", labels[0], self.layout.classes)?,
        };
        self.labels.push(u16::from(label));
        self.pixels.extend_from_slice(pixels);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
