//! The container before torch 0.1.11: a tar archive with a pickle, the tensors and the storages.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::bytes::FileBytes;
use super::super::dtype::Endian;
use super::super::reader::Stream;
use super::archive::{Archive, MAX_PICKLE};
use super::error::Problem;
use super::legacy::{array, pickle};
use super::storage::{Kind, Storage, key, of};
use super::tensor::{Storages, Tensor};
use crate::pickle::{Pickle, Value};

/// Names of entries, one of which is the first.
pub(super) const BEGINNINGS: [&[u8]; 4] = [b"sys_info\0", b"pickle\0", b"tensors\0", b"storages\0"];

/// Entries that are looked at.
const MAX_ENTRIES: usize = 64;
/// Dimensions that a tensor may have.
const MAX_RANK: usize = 64;

/// Reads the three entries.
pub(super) fn read(source: &FileBytes) -> Result<Archive, Problem> {
    let mut entries = BTreeMap::new();
    for entry in ::tar::Archive::new(Stream::new(source)).entries_with_seek()?.take(MAX_ENTRIES) {
        let entry = entry?;
        let start = entry.raw_file_position();
        let Some(end) = start.checked_add(entry.size()).filter(|end| *end <= source.len()) else {
            let found = format!("a file of {}: it was cut short; fetch it again", source.len());
            return Err(Problem::new(
                "an entry of the tar archive",
                format!("{} bytes at {start}", entry.size()),
                found,
            ));
        };
        entries.insert(String::from_utf8_lossy(&entry.path_bytes()).into_owned(), start..end);
    }
    let entry = |name: &str| {
        let missing = || Problem::new("the tar archive", format!("an entry {name}"), "none");
        entries.get(name).cloned().ok_or_else(missing)
    };
    let found = storages(source, entry("storages")?)?;
    let tensors = tensors(source, entry("tensors")?, &found)?;
    let mut place = entry("pickle")?;
    if place.end - place.start > MAX_PICKLE {
        let found = format!("{} bytes", place.end - place.start);
        return Err(Problem::new("entry pickle of the archive", format!("at most {MAX_PICKLE} bytes"), found));
    }
    let object = pickle(source, &mut place.start)?;
    let storages = Storages { ranges: BTreeMap::new(), tensors };
    // Numbers were written in the order of the machine, and `sys_info` is no part of torch's own reading.
    Ok(Archive { pickle: object, storages, endian: Endian::Little })
}

/// The storages by key: a number of them, for each `(key, device, type)`, its length and its values; then the parts of
/// storages that have keys of their own.
fn storages(source: &FileBytes, place: Range<u64>) -> Result<BTreeMap<String, Storage>, Problem> {
    let mut position = place.start;
    let mut found = BTreeMap::new();
    for _ in 0..count(source, &mut position)? {
        let description = pickle(source, &mut position)?;
        let description = Pickle::read(&description)?;
        let Some([name, _, class]) = description.root().array() else {
            return Err(Problem::new("a storage", "its key, device and type", description.root().kind()));
        };
        let name = named(name)?;
        let kind = class.global().and_then(|(_, name)| Kind::named(name));
        let kind = kind.ok_or_else(|| Problem::new(of(&name), "a type of torch's storages", class.kind()))?;
        let elements = u64::from_le_bytes(array(source, &mut position)?);
        let end = elements.checked_mul(kind.size).and_then(|bytes| position.checked_add(bytes));
        let Some(end) = end.filter(|end| *end <= place.end) else {
            return Err(Problem::new(of(&name), "elements within the archive", elements.to_string()));
        };
        found.insert(name, Storage { kind, range: position..end });
        position = end;
    }
    let views = pickle(source, &mut position)?;
    let views = Pickle::read(&views)?;
    let list = views.root().items();
    for view in list.ok_or_else(|| Problem::new("parts of storages", "a list", views.root().kind()))? {
        let Some([name, root, first, elements]) = view.array() else {
            return Err(Problem::new("a part of a storage", "its key, storage, start and length", view.kind()));
        };
        let (name, root) = (named(name)?, named(root)?);
        let root = found.get(&root).ok_or_else(|| Problem::new(of(&root), "its values in the file", "none"))?;
        let bytes = |value: Value<'_>| (value.usize()? as u64).checked_mul(root.kind.size);
        let range = bytes(first).zip(bytes(elements)).and_then(|(first, count)| {
            let start = root.range.start.checked_add(first)?;
            Some(start..start.checked_add(count).filter(|end| *end <= root.range.end)?)
        });
        let range = range.ok_or_else(|| Problem::new(of(&name), "a part inside of it", "another"))?;
        let part = Storage { kind: root.kind.clone(), range };
        found.insert(name, part);
    }
    Ok(found)
}

/// The tensors by key: a number of them, and for each `(key, storage, type)`, the number of dimensions, those, the
/// strides, and the first element.
fn tensors(
    source: &FileBytes,
    place: Range<u64>,
    storages: &BTreeMap<String, Storage>,
) -> Result<BTreeMap<String, Tensor>, Problem> {
    let mut position = place.start;
    let mut found = BTreeMap::new();
    for _ in 0..count(source, &mut position)? {
        let description = pickle(source, &mut position)?;
        let description = Pickle::read(&description)?;
        let Some([name, storage, _]) = description.root().array() else {
            return Err(Problem::new("a tensor", "its key, storage and type", description.root().kind()));
        };
        let (name, storage) = (named(name)?, named(storage)?);
        let storage =
            storages.get(&storage).ok_or_else(|| Problem::new(of(&storage), "its values in the file", "none"))?;
        let rank = u64::from_le_bytes(array(source, &mut position)?) & 0xffff_ffff;
        let rank = usize::try_from(rank).ok().filter(|rank| *rank <= MAX_RANK);
        let rank = rank.ok_or_else(|| Problem::new("a tensor", format!("at most {MAX_RANK} dimensions"), "more"))?;
        let numbers = |position: &mut u64| -> Result<Vec<usize>, Problem> {
            let mut numbers = Vec::with_capacity(rank);
            for _ in 0..rank {
                numbers.push(number(source, position)?);
            }
            Ok(numbers)
        };
        let (shape, strides) = (numbers(&mut position)?, numbers(&mut position)?);
        let first = number(source, &mut position)? as u64;
        found.insert(name, Tensor::view(storage, first, shape, strides)?);
    }
    Ok(found)
}

fn named(value: Value<'_>) -> Result<String, Problem> {
    key(value).ok_or_else(|| Problem::new("the tar archive", "a key", value.kind()))
}

/// A pickle that holds a number of parts.
fn count(source: &FileBytes, position: &mut u64) -> Result<usize, Problem> {
    let bytes = pickle(source, position)?;
    let pickle = Pickle::read(&bytes)?;
    let count = pickle.root().usize();
    count.ok_or_else(|| Problem::new("the tar archive", "a number of parts", pickle.root().kind()))
}

/// An integer of 64 bits that is not negative.
fn number(source: &FileBytes, position: &mut u64) -> Result<usize, Problem> {
    let number = i64::from_le_bytes(array(source, position)?);
    usize::try_from(number).map_err(|_| Problem::new("a tensor", "a dimension or stride", number.to_string()))
}
