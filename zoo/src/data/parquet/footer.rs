//! The footer of a file: its columns, where they are, and the names of its classes.

use std::io::{BufReader, Read, Seek, SeekFrom};

use super::compact::{Compact, STRUCT};
use super::fault::Fault;
use super::names::names;
use super::page::Codec;

/// First and last bytes of a file.
const MAGIC: [u8; 4] = *b"PAR1";

/// Bytes that a footer may have. It has about a hundred for each column of each group of rows.
const FOOTER: u64 = 1 << 24;

/// Bytes of a row at least: no image file has fewer. Runs can say in a few bytes that there are billions of rows.
const OF_A_ROW: u64 = 16;

/// Rows that a file may have.
const ROWS: u64 = 10_000_000;

/// Columns that may be around a column.
const DEPTH: usize = 64;

/// Key of the metadata of Hugging Face.
const KEY: &[u8] = b"huggingface";

/// Codes of the types of columns.
const INT32: usize = 1;
const INT64: usize = 2;
const BYTES: usize = 6;

/// A column that is read.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Names, with that of the column around it first.
    pub(super) name: String,
    /// Place among all columns.
    at: usize,
    /// Bytes of a value; `None` for those that have a length of their own.
    pub(super) width: Option<usize>,
    /// The level of definition that a value has which is there.
    pub(super) levels: u32,
}

/// Bytes of a column in a group of rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) at: u64,
    pub(super) len: u64,
    pub(super) codec: Codec,
}

/// The parts of the footer that are read.
pub(super) struct Footer {
    pub(super) image: Column,
    pub(super) label: Column,
    /// For each group of rows: how many they are, the images, and the labels.
    pub(super) groups: Vec<(usize, Chunk, Chunk)>,
    /// Names of the classes, if there are any.
    pub(super) names: Option<Vec<String>>,
}

/// Place and compression of a column in a group of rows, as the file says them.
#[derive(Clone, Copy, Default)]
struct Stored {
    codec: usize,
    len: u64,
    data: u64,
    dictionary: Option<u64>,
    is_elsewhere: bool,
}

impl Footer {
    /// Reads the footer of a file of `len` bytes.
    pub(super) fn read(file: &mut (impl Read + Seek), len: u64) -> Result<Self, Fault> {
        let mut begin = [0; 4];
        file.seek(SeekFrom::Start(0))?;
        file.read_exact(&mut begin)?;
        let mut end = [0; 8];
        file.seek(SeekFrom::Start(len.saturating_sub(8)))?;
        file.read_exact(&mut end)?;
        let [a, b, c, d, magic @ ..] = end;
        if [begin, magic] != [MAGIC; 2] {
            return Err(Fault::damaged(format!("{begin:02x?} at its begin and {magic:02x?} at its end")));
        }
        let size = u64::from(u32::from_le_bytes([a, b, c, d]));
        let start = len.checked_sub(size + 8).filter(|start| *start >= 4 && size <= FOOTER);
        let start = start.ok_or_else(|| Fault::damaged(format!("a footer of {size} bytes in a file of {len}")))?;
        file.seek(SeekFrom::Start(start))?;
        let mut input = Compact(BufReader::new(file.take(size)));
        let (mut schema, mut groups, mut metadata, mut rows) = (Schema::default(), Vec::new(), None, 0_u64);
        input.fields(&mut |input, id, kind| {
            match id {
                2 => input.structs(kind, &mut |input| schema.element(input))?,
                // The columns come first, which is what the number of fields says.
                4 => input.structs(kind, &mut |input| {
                    let group = group(input, &schema, start)?;
                    rows = rows.saturating_add(group.0);
                    groups.push(group);
                    Ok(())
                })?,
                5 => input.structs(kind, &mut |input| {
                    let (mut key, mut value) = (Vec::new(), Vec::new());
                    input.fields(&mut |input, id, kind| {
                        match id {
                            1 => key = input.bytes(kind)?,
                            2 => value = input.bytes(kind)?,
                            _ => return Ok(false),
                        }
                        Ok(true)
                    })?;
                    if key == KEY {
                        metadata = Some(value);
                    }
                    Ok(())
                })?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        if rows > ROWS || rows.saturating_mul(OF_A_ROW) > len {
            let found = format!("{rows} rows in a file of {len} bytes: no image has fewer than {OF_A_ROW}");
            return Err(Fault::damaged(found));
        }
        let (image, label) = schema.columns()?;
        // Groups of rows that share their bytes would take a long time to read.
        let bytes = groups.iter().flat_map(|(_, image, label)| [image.len, label.len]);
        if bytes.fold(0, u64::saturating_add) > len {
            return Err(Fault::damaged("columns that overlap"));
        }
        let groups = groups.into_iter().map(|(count, image, label)| (count as usize, image, label)).collect();
        let names = metadata.as_deref().map(|json| names(json, &label.name)).transpose()?.flatten();
        Ok(Self { image: image.clone(), label: label.clone(), groups, names })
    }
}

/// Rows of a group, and where their images and labels are, which is before byte `end`.
fn group<R: Read>(input: &mut Compact<R>, schema: &Schema, end: u64) -> Result<(u64, Chunk, Chunk), Fault> {
    let (image, label) = schema.columns()?;
    let (mut rows, mut at, mut images, mut labels) = (0, 0, None, None);
    input.fields(&mut |input, id, kind| {
        match id {
            1 => input.structs(kind, &mut |input| {
                let stored = stored(input)?;
                if at == image.at {
                    images = Some(stored);
                }
                if at == label.at {
                    labels = Some(stored);
                }
                at += 1;
                Ok(())
            })?,
            3 => rows = input.long(kind)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok((rows, chunk(&image.name, images, end)?, chunk(&label.name, labels, end)?))
}

fn stored<R: Read>(input: &mut Compact<R>) -> Result<Stored, Fault> {
    let mut stored = Stored::default();
    input.fields(&mut |input, id, kind| {
        match (id, kind) {
            (1, _) => stored.is_elsewhere = !input.bytes(kind)?.is_empty(),
            (3, STRUCT) => input.fields(&mut |input, id, kind| {
                match id {
                    4 => stored.codec = input.count(kind)?,
                    7 => stored.len = input.long(kind)?,
                    9 => stored.data = input.long(kind)?,
                    11 => stored.dictionary = Some(input.long(kind)?),
                    _ => return Ok(false),
                }
                Ok(true)
            })?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(stored)
}

/// Checks where a column lies, which is before byte `end`, and how it is compressed.
fn chunk(name: &str, stored: Option<Stored>, end: u64) -> Result<Chunk, Fault> {
    const OTHER: [&str; 5] = ["LZO", "brotli", "LZ4", "zstd", "LZ4"];
    let Stored { codec, len, data, dictionary, is_elsewhere } =
        stored.ok_or_else(|| Fault::damaged(format!("rows without the column {name}")))?;
    if is_elsewhere {
        return Err(Fault::damaged(format!("the column {name} in another file")));
    }
    let codec = match codec {
        0 => Codec::None,
        1 => Codec::Snappy,
        2 => Codec::Gzip,
        other => {
            let other = other.checked_sub(3).and_then(|at| OTHER.get(at)).unwrap_or(&"an unknown codec");
            return Err(Fault::Codec { column: name.to_owned(), codec: other });
        }
    };
    // Some writers say 0 where there is no dictionary.
    let at = dictionary.filter(|at| *at > 0).map_or(data, |at| at.min(data));
    if at < MAGIC.len() as u64 || at.checked_add(len).is_none_or(|last| last > end) {
        return Err(Fault::damaged(format!("the column {name} at byte {at} with {len} bytes, of {end}")));
    }
    Ok(Chunk { at, len, codec })
}

/// The columns that were found so far, and the columns around the next one.
#[derive(Default)]
struct Schema {
    image: Option<(usize, Column)>,
    label: Option<(usize, Column)>,
    /// For each column around the next one: how many are left in it, its name, and its level of definition.
    around: Vec<(usize, String, u32)>,
    /// For each of these, true if it or one around it is repeated.
    repeated: Vec<bool>,
    leaves: usize,
    /// Some names, for a message.
    names: Vec<String>,
}

/// Names that the columns have, of which an earlier one is preferred.
const IMAGES: [&str; 3] = ["image", "img", "images"];
const LABELS: [&str; 3] = ["label", "fine_label", "labels"];

/// Names that a message lists.
const LISTED: usize = 12;

impl Schema {
    /// Takes the next column, or the one around the next ones.
    fn element<R: Read>(&mut self, input: &mut Compact<R>) -> Result<(), Fault> {
        let (mut kind, mut repetition, mut name, mut children) = (0, 0, Vec::new(), 0);
        input.fields(&mut |input, id, found| {
            match id {
                1 => kind = input.count(found)?,
                3 => repetition = input.count(found)?,
                4 => name = input.bytes(found)?,
                5 => children = input.count(found)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let name = String::from_utf8_lossy(&name).into_owned();
        while self.around.last().is_some_and(|(left, ..)| *left == 0) {
            self.around.pop();
            self.repeated.pop();
        }
        let is_root = self.around.is_empty();
        let (levels, is_repeated) = (
            self.around.last().map_or(0, |(_, _, levels)| *levels) + u32::from(!is_root && repetition != 0),
            self.repeated.last().copied().unwrap_or(false) || !is_root && repetition == 2,
        );
        if let Some((left, ..)) = self.around.last_mut() {
            *left -= 1;
        }
        // The first column around all others has no part in their names.
        if self.around.len() == 1 && self.names.len() <= LISTED {
            self.names.push(name.clone());
        }
        if self.around.len() > DEPTH {
            return Err(Fault::damaged("columns that are too deep in each other"));
        }
        if children > 0 || is_root {
            self.around.push((children, name, levels));
            self.repeated.push(is_repeated);
            return Ok(());
        }
        let at = self.leaves;
        self.leaves += 1;
        let (outer, inner) = match &self.around[..] {
            [_] => (name.as_str(), None),
            [_, (_, outer, _)] => (outer.as_str(), Some(name.as_str())),
            _ => return Ok(()),
        };
        let width = match kind {
            INT32 => Some(4),
            INT64 => Some(8),
            _ => None,
        };
        let preferred = |known: &[&str]| known.iter().position(|known| *known == outer);
        let (image, label) = (preferred(&IMAGES), preferred(&LABELS));
        let better = |found: &Option<(usize, Column)>, rank: usize| found.as_ref().is_none_or(|(best, _)| rank < *best);
        let column = Column { name: outer.to_owned(), at, width, levels };
        if is_repeated {
            return Ok(());
        }
        if let Some(rank) = image
            && matches!(inner, None | Some("bytes"))
            && kind == BYTES
            && better(&self.image, rank)
        {
            self.image = Some((rank, column));
        } else if let Some(rank) = label
            && inner.is_none()
            && width.is_some()
            && better(&self.label, rank)
        {
            self.label = Some((rank, column));
        }
        Ok(())
    }

    fn columns(&self) -> Result<(&Column, &Column), Fault> {
        match (&self.image, &self.label) {
            (Some((_, image)), Some((_, label))) => Ok((image, label)),
            _ => Err(Fault::Columns(self.names.clone())),
        }
    }
}
