//! The rows of a file: images, or where they are, and labels.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::fault::Fault;
use super::footer::{Chunk, Column, Footer};
use super::names::CLASSES;
use super::page::{Encoding, Kind, Page, Pages};
use super::runs;
use crate::data::DataError;
use crate::data::folder::place::{Container, ImageFile, Part};
use crate::text;

/// Bytes of compressed images that are kept of a file, and bytes that a page may unpack to, for each byte of the file.
const KEPT: u64 = 16;

/// Bytes of compressed images that are kept of a file, and bytes that a page may unpack to, at most.
const MOST: u64 = 1 << 32;

/// Bytes that a page may unpack to in any file, however small it is.
const ANY: u64 = 1 << 16;

/// Label of an image whose class was not published, as Hugging Face has it in the test parts of contests.
const UNLABELED: i64 = -1;

/// Message about such a label.
const NO_LABELS: &str = "-1, as Hugging Face has it in parts without published labels: give the files of a labeled \
                         part alone (train or validation)";

/// The images of a file with their labels, and the names of the classes if it has any.
pub(crate) type Table = (Vec<(ImageFile, u16)>, Option<Vec<String>>);

/// Reads the rows of a file.
pub(crate) fn read(path: &Path) -> Result<Table, DataError> {
    let io = |source| DataError::Io { path: path.to_owned(), source };
    let whole = |fault| refused(path, "Parquet file", fault);
    let file = File::open(path).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    let Footer { image, label, groups, names } = Footer::read(&mut &file, len).map_err(whole)?;
    let container = Arc::new(Container { path: path.to_owned(), unpacked: None });
    let mut budget = len.saturating_mul(KEPT).min(MOST).saturating_add(ANY);
    let of_a_page = usize::try_from(budget).unwrap_or(usize::MAX);
    let classes = names.as_ref().map_or(CLASSES, Vec::len);
    let mut rows = Vec::new();
    for (count, images, labels) in groups {
        let pages = |Chunk { at, len, codec }| Pages::new((&file, Arc::clone(&container)), codec, at, len, of_a_page);
        let of_column = |column: &Column, fault| refused(path, &format!("column {}", column.name), fault);
        let parts = images_of(pages(images), &image, count, &mut budget).map_err(|fault| of_column(&image, fault))?;
        let values = labels_of(pages(labels), &label, count).map_err(|fault| of_column(&label, fault))?;
        for (part, value) in parts.into_iter().zip(values) {
            let row = rows.len();
            let missing = |column: &Column, what: &str| {
                let key = format!("row {row}, column {}", column.name);
                DataError::contents(path, &key, what, "none")
            };
            let part = part.ok_or_else(|| {
                missing(
                    &image,
                    "the bytes of an image, which a path does not replace: save the set with its images in it",
                )
            })?;
            let value = value.ok_or_else(|| missing(&label, "a label"))?;
            if value == UNLABELED {
                let key = format!("row {row}, column {}", label.name);
                return Err(DataError::contents(path, &key, "the number of a class", NO_LABELS));
            }
            let wrong = || DataError::LabelInFile {
                path: path.to_owned(),
                record: row as u64,
                kind: "label",
                label: value,
                limit: classes,
            };
            let found = u16::try_from(value).ok().filter(|&label| usize::from(label) < classes).ok_or_else(wrong)?;
            rows.push((ImageFile { path: path.join(format!("row {row}")), part: Some(part) }, found));
        }
    }
    if rows.is_empty() {
        return Err(DataError::EmptyFolder { path: path.to_owned(), expected: "images" });
    }
    Ok((rows, names))
}

/// The error of a file, of which `key` names the part that is wrong.
fn refused(path: &Path, key: &str, fault: Fault) -> DataError {
    match fault {
        Fault::Io(source) => DataError::Io { path: path.to_owned(), source },
        Fault::Damaged(found) => DataError::contents(path, key, "what Hugging Face writes", found),
        Fault::Codec { column, codec } => {
            let expected = "no compression, snappy or gzip: save the file again (in pyarrow: compression=\"snappy\")";
            DataError::contents(path, &format!("column {column}"), expected, codec)
        }
        Fault::Columns(names) => {
            let expected = "one of bytes, or of bytes and path, called image, img or images, and one of \
                            integers, called label, fine_label or labels";
            let names = text::listed(names.iter().map(|name| text::shown(name)), 12);
            DataError::contents(path, "columns", expected, names)
        }
    }
}

/// Reads so many values, which are written one after the other, of a page.
type Plain<'a, T> = &'a mut dyn FnMut(&mut Page<'_>, usize) -> Result<Vec<T>, Fault>;

/// Reads the rows of a column; of those without a value, `None`.
fn read_column<T: Clone>(
    mut pages: Pages<'_>,
    column: &Column,
    rows: usize,
    plain: Plain<'_, T>,
) -> Result<Vec<Option<T>>, Fault> {
    let (mut read, mut dictionary) = (Vec::new(), None);
    while read.len() < rows {
        let mut page = pages.next()?.ok_or_else(|| Fault::damaged(format!("{} of {rows} rows", read.len())))?;
        let count = page.values;
        let (encoding, levels) = match page.kind {
            Kind::Other => continue,
            Kind::Dictionary => {
                if dictionary.is_some() {
                    return Err(Fault::damaged("a second dictionary"));
                }
                // It has each value of the rows once.
                if count > rows {
                    return Err(Fault::damaged(format!("a dictionary of {count} values for {rows} rows")));
                }
                dictionary = Some(plain(&mut page, count)?);
                continue;
            }
            Kind::Data(encoding, levels) => (encoding, levels),
        };
        if count > rows - read.len() {
            return Err(Fault::damaged(format!("more than {rows} rows")));
        }
        let there = definition(&mut page, levels, column.levels)?;
        let present = there.iter().filter(|is_there| **is_there).count();
        let values = match encoding {
            _ if present == 0 => Vec::new(),
            Encoding::Plain => plain(&mut page, present)?,
            Encoding::Dictionary => {
                let [width] = page.body.integer()?;
                if width > 32 {
                    return Err(Fault::damaged(format!("places in a dictionary of {width} bits")));
                }
                let left = page.body.left as usize;
                chosen(
                    dictionary.as_deref().unwrap_or_default(),
                    runs::read(&page.body.bytes(left)?, width.into(), present)?,
                )?
            }
        };
        let mut values = values.into_iter();
        read.extend(there.into_iter().map(|is_there| if is_there { values.next() } else { None }));
    }
    Ok(read)
}

/// For each row of a page, true if it has a value: if its level of definition is `full`.
fn definition(page: &mut Page<'_>, levels: [Option<usize>; 2], full: u32) -> Result<Vec<bool>, Fault> {
    let [repetition, definition] = levels;
    if repetition.is_some_and(|len| len > 0) {
        return Err(Fault::damaged("levels of repetition in a column that has none"));
    }
    let len = match definition {
        Some(len) => len,
        None if full > 0 => u32::from_le_bytes(page.body.integer()?) as usize,
        None => 0,
    };
    let levels = page.body.bytes(len)?;
    if full == 0 {
        return Ok(vec![true; page.values]);
    }
    let levels = runs::read(&levels, u32::BITS - full.leading_zeros(), page.values)?;
    Ok(levels.into_iter().map(|level| level == full).collect())
}

/// Values of a dictionary at places.
fn chosen<T: Clone>(dictionary: &[T], places: Vec<u32>) -> Result<Vec<T>, Fault> {
    let value = |place: u32| {
        let found = dictionary.get(place as usize).cloned();
        found.ok_or_else(|| Fault::damaged(format!("value {place} of a dictionary of {}", dictionary.len())))
    };
    places.into_iter().map(value).collect()
}

/// Places of the images of a group of rows. Of pages that were compressed the contents are kept, within `budget`.
fn images_of(pages: Pages<'_>, column: &Column, rows: usize, budget: &mut u64) -> Result<Vec<Option<Part>>, Fault> {
    read_column(pages, column, rows, &mut |page, count| {
        if let Some(kept) = page.body.in_memory() {
            *budget = budget.checked_sub(kept as u64).ok_or_else(|| {
                Fault::damaged(format!("compressed images of more than {KEPT} times its size, or of {MOST} bytes"))
            })?;
        }
        let part = |_| {
            let len = u32::from_le_bytes(page.body.integer()?) as usize;
            page.body.part(len)
        };
        (0..count).map(part).collect()
    })
}

/// The labels of a group of rows.
fn labels_of(pages: Pages<'_>, column: &Column, rows: usize) -> Result<Vec<Option<i64>>, Fault> {
    let width = column.width.unwrap_or(8);
    read_column(pages, column, rows, &mut |page, count| {
        let bytes = page.body.bytes(count.saturating_mul(width))?;
        let value = |bytes: &[u8]| match *bytes {
            [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
            [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => 0,
        };
        Ok(bytes.chunks_exact(width).map(value).collect())
    })
}
