//! The container before torch 1.6: five pickles, and the storages one after another.

use std::collections::BTreeMap;

use super::super::bytes::FileBytes;
use super::super::dtype::Endian;
use super::archive::{Archive, MAX_PICKLE};
use super::error::Problem;
use super::storage::{Reference, key, of};
use super::tensor::Storages;
use crate::pickle::Pickle;

/// The number that the first pickle holds, 0x1950a86a20f9469cfc6c, in that pickle's bytes.
pub(super) const MAGIC: [u8; 12] = [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Protocol of the stream that torch has written ever since.
const PROTOCOL: i64 = 1001;

/// Bytes of a pickle that are looked at first, since its length is not known before.
const BEGINNING: u64 = 1 << 12;

/// Reads the pickles and finds the storages.
pub(super) fn read(source: &FileBytes) -> Result<Archive, Problem> {
    let mut position = 0;
    // The number, which was recognized.
    pickle(source, &mut position)?;
    let version = pickle(source, &mut position)?;
    let version = Pickle::read(&version)?.root().int();
    if version != Some(PROTOCOL) {
        let found = version.map_or("none".to_owned(), |version| version.to_string());
        return Err(Problem::new("version of the stream", PROTOCOL.to_string(), found));
    }
    // Sizes of numbers on the machine that wrote it, which no tensor depends on.
    pickle(source, &mut position)?;
    let object = pickle(source, &mut position)?;
    let keys = pickle(source, &mut position)?;

    let described = Pickle::read(&object)?;
    let mut sizes = BTreeMap::new();
    for name in described.persistent() {
        if let Some(reference) = Reference::read(name) {
            let reference = reference?;
            sizes.insert(reference.key.clone(), (reference.kind.size, reference.elements));
        }
    }
    let keys = Pickle::read(&keys)?;
    let list = keys.root().items().ok_or_else(|| Problem::new("keys of the storages", "a list", keys.root().kind()))?;
    let mut ranges = BTreeMap::new();
    for value in list {
        let key = key(value).ok_or_else(|| Problem::new("keys of the storages", "a key", value.kind()))?;
        let Some((size, expected)) = sizes.get(&key).copied() else {
            return Err(Problem::new(of(&key), "one that the pickle describes", "another"));
        };
        let elements = u64::from_le_bytes(array(source, &mut position)?);
        if elements != expected {
            return Err(Problem::new(of(&key), format!("{expected} elements"), elements.to_string()));
        }
        let end = elements.checked_mul(size).and_then(|bytes| position.checked_add(bytes));
        let Some(end) = end.filter(|end| *end <= source.len()) else {
            let found = format!("a file of {}: it was cut short; fetch it again", source.len());
            return Err(Problem::new(of(&key), format!("{elements} elements of {size} bytes at {position}"), found));
        };
        if ranges.insert(key.clone(), position..end).is_some() {
            return Err(Problem::new(of(&key), "one of the key", "two"));
        }
        position = end;
    }
    drop(described);
    // Torch turns numbers into this order on every machine.
    let endian = Endian::Little;
    Ok(Archive { pickle: object, storages: Storages { ranges, tensors: BTreeMap::new() }, endian })
}

/// The bytes of the pickle at a position, which moves behind it.
pub(super) fn pickle(source: &FileBytes, position: &mut u64) -> Result<Vec<u8>, Problem> {
    let left = source.len().saturating_sub(*position).min(MAX_PICKLE);
    let mut count = left.min(BEGINNING);
    loop {
        // At most `MAX_PICKLE`.
        let mut bytes = vec![0; count as usize];
        source.read_at(*position, &mut bytes)?;
        match Pickle::read(&bytes).map(|pickle| pickle.consumed()) {
            Ok(consumed) => {
                bytes.truncate(consumed);
                bytes.shrink_to_fit();
                *position += consumed as u64;
                return Ok(bytes);
            }
            Err(error) if error.is_cut() && count < left => count = left.min(count * 4),
            Err(mut error) => {
                error.position = error.position.saturating_add(usize::try_from(*position).unwrap_or(usize::MAX));
                return Err(error.into());
            }
        }
    }
}

/// Bytes at a position, which moves behind them.
pub(super) fn array<const N: usize>(source: &FileBytes, position: &mut u64) -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    source.read_at(*position, &mut bytes)?;
    *position += N as u64;
    Ok(bytes)
}
