//! The header of a safetensors file: types, shapes and positions of its tensors.
//!
//! A file is the length of the header (8 bytes, little-endian), the header (JSON), and the values of all tensors
//! without a gap. The header maps each name to type, shape and byte range, and `__metadata__` to strings. The format is
//! that of <https://huggingface.co/docs/safetensors>; the crate `safetensors` gives the types but not the parser, which
//! needs the whole file in memory and accepts a name that occurs twice.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::fmt;
use std::ops::Range;

use ::safetensors::Dtype as FileDtype;
use ::safetensors::tensor::TensorInfo;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use crate::text::message;
use crate::weights::bytes::FileBytes;
use crate::weights::name::{elements, shape, shown};
use crate::weights::{Dtype, TensorEntry, WeightsError};

/// Bytes accepted in a header. That of a ResNet-152 has 0.1 MB.
#[doc(hidden)]
pub const MAX_HEADER: u64 = 16 << 20;

/// The name that holds the metadata and can be no tensor's.
pub(super) const METADATA: &str = "__metadata__";

/// A header that fits the file: every byte behind it belongs to exactly one tensor, and every tensor has as many bytes
/// as its type and shape take.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) entries: BTreeMap<String, TensorEntry>,
    /// Positions of the values, in bytes from the beginning of the file.
    pub(super) ranges: BTreeMap<String, Range<u64>>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl Header {
    pub(super) fn read(source: &FileBytes) -> Result<Self, WeightsError> {
        let fail = |what: &str, expected: String, found: String| WeightsError::Structure {
            path: source.path().to_owned(),
            what: what.to_owned(),
            expected,
            found,
        };
        let io = |error| WeightsError::Io { path: source.path().to_owned(), source: error };

        let rest = source
            .len()
            .checked_sub(8)
            .ok_or_else(|| fail("header length", "8 bytes".into(), format!("a file of {} bytes", source.len())))?;
        let mut length = [0; 8];
        source.read_at(0, &mut length).map_err(io)?;
        let length = u64::from_le_bytes(length);
        if length > rest && length <= MAX_HEADER {
            let expected = format!("{} bytes, for its header alone", length + 8);
            return Err(fail("length of the file", expected, cut(source)));
        }
        if length > MAX_HEADER {
            return Err(fail("header length", format!("at most {MAX_HEADER} bytes"), format!("{length}")));
        }
        // Below the limit, hence below `usize::MAX`.
        let mut json = vec![0; length as usize];
        source.read_at(8, &mut json).map_err(io)?;
        if json.first() != Some(&b'{') {
            return Err(fail("header", "JSON that begins with {".into(), "something else".into()));
        }
        let json_fails =
            |error: String| fail("header", "JSON of a safetensors header".into(), message(&error).to_string());
        let raw = parse(&json).map_err(json_fails)?;
        drop(json);

        let start = 8 + length;
        let data = source.len() - start;
        // The last byte of all that a header tells of is beyond a file that was cut short.
        let told = raw.tensors.values().map(|info| info.data_offsets.1 as u64).max().unwrap_or(0);
        if told > data && covers(&raw.tensors, told) {
            let expected = format!("{} bytes, as its header says", start.saturating_add(told));
            return Err(fail("length of the file", expected, cut(source)));
        }
        let mut order: Vec<(&String, Range<u64>)> = Vec::with_capacity(raw.tensors.len());
        for (name, info) in &raw.tensors {
            let range = info.data_offsets.0 as u64..info.data_offsets.1 as u64;
            let what = || format!("{}: byte range", shown(name));
            if range.start > range.end || range.end > data {
                let expected = format!("a range within 0..{data}");
                return Err(fail(&what(), expected, format!("{}..{}", range.start, range.end)));
            }
            let expected = bytes(info.dtype, &info.shape);
            if expected != Some(range.end - range.start) {
                let shape = shape(&info.shape);
                let expected = match expected {
                    Some(bytes) => format!("{bytes} bytes for {} of shape {shape}", info.dtype),
                    None => format!("a number of bytes that exists, for {} of shape {shape}", info.dtype),
                };
                return Err(fail(&what(), expected, format!("{}", range.end - range.start)));
            }
            order.push((name, range));
        }
        order.sort_by_key(|(_, range)| (range.start, range.end));
        let mut end = 0;
        for (name, range) in order {
            if range.start != end {
                let problem = if range.start < end { "an overlap with another tensor" } else { "a gap" };
                let what = format!("{}: byte range", shown(name));
                return Err(fail(&what, format!("one that begins at {end}"), format!("{}: {problem}", range.start)));
            }
            end = range.end;
        }
        if end != data {
            return Err(fail("values", format!("{end} bytes behind the header"), format!("{data}")));
        }

        let mut entries = BTreeMap::new();
        let mut ranges = BTreeMap::new();
        for (name, info) in raw.tensors {
            // Within `start + data`, the length of the file.
            let range = start + info.data_offsets.0 as u64..start + info.data_offsets.1 as u64;
            ranges.insert(name.clone(), range);
            entries.insert(name, TensorEntry { dtype: dtype(info.dtype), shape: info.shape });
        }
        Ok(Self { entries, ranges, metadata: raw.metadata })
    }
}

/// Description of the length of a file that ends too early.
fn cut(source: &FileBytes) -> String {
    format!("{}: it was cut short; fetch it again", source.len())
}

/// Returns `true` if the tensors together take exactly `told` bytes, as in a valid header whose values end there.
fn covers(tensors: &BTreeMap<String, TensorInfo>, told: u64) -> bool {
    let sum = tensors.values().try_fold(0_u64, |sum, info| sum.checked_add(bytes(info.dtype, &info.shape)?));
    sum == Some(told)
}

/// Bytes of a tensor; `None` if they are not a whole number or overflow.
fn bytes(dtype: FileDtype, shape: &[usize]) -> Option<u64> {
    let bits = (elements(shape)? as u64).checked_mul(dtype.bitsize() as u64)?;
    bits.is_multiple_of(8).then_some(bits / 8)
}

fn dtype(dtype: FileDtype) -> Dtype {
    match dtype {
        FileDtype::F16 => Dtype::F16,
        FileDtype::BF16 => Dtype::BF16,
        FileDtype::F32 => Dtype::F32,
        FileDtype::F64 => Dtype::F64,
        FileDtype::I64 => Dtype::I64,
        other => Dtype::Other(other.to_string()),
    }
}

/// A header as it is written, every name once.
struct Raw {
    tensors: BTreeMap<String, TensorInfo>,
    metadata: BTreeMap<String, String>,
}

fn parse(json: &[u8]) -> Result<Raw, String> {
    // No recursion: a tensor holds nothing that nests, and unknown fields are skipped in a loop.
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let raw = deserializer.deserialize_map(RawVisitor).map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(raw)
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut tensors = BTreeMap::new();
        let mut metadata = None;
        while let Some(name) = map.next_key::<String>()? {
            if name == METADATA {
                let Strings(strings) = map.next_value()?;
                if metadata.replace(strings).is_some() {
                    return Err(A::Error::custom(format_args!("{METADATA} occurs twice")));
                }
                continue;
            }
            match tensors.entry(name) {
                Slot::Occupied(slot) => {
                    return Err(A::Error::custom(format_args!("{} occurs twice", shown(slot.key()))));
                }
                Slot::Vacant(slot) => {
                    let info = map
                        .next_value::<TensorInfo>()
                        .map_err(|error| A::Error::custom(format_args!("{}: {error}", shown(slot.key()))))?;
                    slot.insert(info);
                }
            }
        }
        Ok(Raw { tensors, metadata: metadata.unwrap_or_default() })
    }
}

/// A map of strings in which every key occurs once.
struct Strings(BTreeMap<String, String>);

impl<'de> serde::Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringsVisitor;
        impl<'de> Visitor<'de> for StringsVisitor {
            type Value = Strings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strings, A::Error> {
                let mut strings = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    match strings.entry(key) {
                        Slot::Occupied(slot) => {
                            let key = shown(slot.key());
                            return Err(A::Error::custom(format_args!("{key} occurs twice in {METADATA}")));
                        }
                        Slot::Vacant(slot) => slot.insert(value),
                    };
                }
                Ok(Strings(strings))
            }
        }
        deserializer.deserialize_map(StringsVisitor)
    }
}
