//! The binary version of CIFAR.
//!
//! A file is a run of records without a header: one label byte (CIFAR-10) or two (CIFAR-100), then 3072 bytes of
//! pixels, planes in the order R, G, B, rows from the top.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::records::Records;
use crate::data::files::{Found, inspect};
use crate::data::{DataError, MAX_RECORDS};
use crate::text;

/// Bytes read at a time.
const BUFFER: usize = 1 << 16;

/// Opens a file that has a name of the set, if it is a regular one, and returns its length too.
pub(super) fn open(path: &Path) -> Result<(File, u64), DataError> {
    let io = |source| DataError::Io { path: path.to_owned(), source };
    // The kind of file is checked before the file is opened, since opening a pipe waits for a writer.
    let found = inspect(path)?;
    if matches!(found, Found::Folder | Found::Other) {
        return Err(DataError::NotAFile { path: path.to_owned(), found: found.describe() });
    }
    let file = File::open(path).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    Ok((file, len))
}

/// Adds the images of a file.
pub(super) fn read_file(records: &mut Records, path: &Path) -> Result<(), DataError> {
    let (file, len) = open(path)?;
    read(records, path, len, BufReader::with_capacity(BUFFER, file))
}

/// Adds the images of `reader`, which has `len` bytes; `path` is its name in errors.
pub(super) fn read(records: &mut Records, path: &Path, len: u64, mut reader: impl Read) -> Result<(), DataError> {
    let layout = records.layout;
    let count = count(records, path, len)?;
    // `count` is bounded by the length of the file, so this is no more than the file holds.
    records.reserve(path, count)?;
    let mut record = vec![0; layout.record()];
    for index in 0..count {
        reader.read_exact(&mut record).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
        let (labels, pixels) = record.split_at(layout.label_bytes());
        // In CIFAR-100 the fine label is the SECOND byte. The first one is the superclass: below 100 as well, so that
        // reading it would raise no error and train a network of 100 classes on 20.
        let (first, last) = (i64::from(labels[0]), i64::from(labels[labels.len() - 1]));
        records.push_labels(path, index, last, first)?;
        records.pixels.extend_from_slice(pixels);
    }
    Ok(())
}

/// Number of records in a file of `len` bytes.
fn count(records: &Records, path: &Path, len: u64) -> Result<u64, DataError> {
    let layout = records.layout;
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
