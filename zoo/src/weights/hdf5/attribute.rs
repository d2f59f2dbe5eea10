//! Attributes that hold strings.

use std::collections::BTreeMap;

use hdf5_reader::error::{Error, Result};
use hdf5_reader::group::Group;
use hdf5_reader::messages::attribute::AttributeMessage;
use hdf5_reader::{Datatype, RawAttribute, StringSize, VarLenKind};

/// Bytes accepted in the strings of an attribute together, and in all that say something about a model. As much as a
/// configuration may have. What is written here keeps to it.
pub(crate) const MAX_STRINGS: usize = 2 << 20;

/// The strings of the attribute `name`, or of its parts `name0`, `name1` and so on, into which Keras splits one that
/// does not fit into 64 KiB. `None` if there is neither.
pub(super) fn strings(group: &Group, attributes: &[RawAttribute], name: &str) -> Result<Option<Vec<String>>> {
    if let Some(attribute) = find(attributes, name) {
        return decode(group, attribute, &mut { MAX_STRINGS }).map(Some);
    }
    let mut parts = None;
    for index in 0.. {
        let Some(attribute) = find(attributes, &format!("{name}{index}")) else { break };
        parts.get_or_insert_with(Vec::new).extend(decode(group, attribute, &mut { MAX_STRINGS })?);
    }
    Ok(parts)
}

/// The string of the attribute `name` of at most `longest` bytes. `None` if there is none, or anything else.
pub(super) fn short(group: &Group, attributes: &[RawAttribute], name: &str, mut longest: usize) -> Option<String> {
    let mut strings = decode(group, find(attributes, name)?, &mut longest).ok()?;
    strings.pop().filter(|_| strings.is_empty())
}

/// The attributes whose names begin with a prefix and that are one string, by name. All together may be as long as
/// those of one attribute.
pub(super) fn begin_with(group: &Group, attributes: &[RawAttribute], prefix: &str) -> Result<BTreeMap<String, String>> {
    let mut left = MAX_STRINGS;
    let mut found = BTreeMap::new();
    for attribute in attributes.iter().map(RawAttribute::message).filter(|found| found.name.starts_with(prefix)) {
        let mut strings = decode(group, attribute, &mut left)?;
        if let (Some(text), true) = (strings.pop(), strings.is_empty()) {
            found.insert(attribute.name.clone(), text);
        }
    }
    Ok(found)
}

fn find<'a>(attributes: &'a [RawAttribute], name: &str) -> Option<&'a AttributeMessage> {
    attributes.iter().map(RawAttribute::message).find(|message| message.name == name)
}

/// Strings of fixed length, padded with zeros or spaces, or of any length, in the global heap, of at most `left` bytes
/// together, which are then taken from it. An empty list of anything is a list of strings too: h5py writes an empty
/// Python list as one of numbers.
fn decode(group: &Group, attribute: &AttributeMessage, left: &mut usize) -> Result<Vec<String>> {
    let count = usize::try_from(attribute.dataspace.num_elements()?).unwrap_or(usize::MAX);
    if count == 0 {
        return Ok(Vec::new());
    }
    let wrong = |problem: &str| Error::InvalidData(format!("attribute '{}': {problem}", attribute.name));
    let raw = attribute.raw_data.as_slice();
    let mut take = |length: usize| {
        *left = left.checked_sub(length).ok_or_else(|| wrong("longer than accepted"))?;
        Ok::<(), Error>(())
    };
    match &attribute.datatype {
        Datatype::String { size: StringSize::Fixed(width), .. } => {
            let width = *width as usize;
            if width == 0 || count.checked_mul(width) != Some(raw.len()) {
                return Err(wrong("its length is not that of its strings"));
            }
            take(raw.len())?;
            raw.chunks_exact(width).map(|bytes| text(bytes).ok_or_else(|| wrong("not UTF-8"))).collect()
        }
        Datatype::String { size: StringSize::Variable, .. } | Datatype::VarLen { kind: VarLenKind::String, .. } => {
            let width = 8 + usize::from(group.offset_size());
            if count.checked_mul(width) != Some(raw.len()) {
                return Err(wrong("its length is not that of its strings"));
            }
            // Many references may lead to the same long string.
            let mut strings = Vec::with_capacity(count);
            for reference in raw.chunks_exact(width) {
                // A reference begins with the length in bytes.
                let length = reference.first_chunk().map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes));
                take(length as usize)?;
                let bytes = group.resolve_vlen_reference_bytes(reference, 1)?;
                strings.push(text(&bytes).ok_or_else(|| wrong("not UTF-8"))?);
            }
            Ok(strings)
        }
        _ => Err(wrong("not of strings")),
    }
}

/// Decodes a string padded with zeros or spaces; `None` if it is not UTF-8.
fn text(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = str::from_utf8(&bytes[..end]).ok()?;
    Some(text.trim_end_matches(' ').to_owned())
}
