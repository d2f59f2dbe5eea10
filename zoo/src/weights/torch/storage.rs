//! Storages: the runs of numbers that tensors are views of.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::Dtype;
use super::error::Problem;
use crate::pickle::Value;
use crate::weights::shown;

/// Bytes of the file that each storage takes, by key.
pub(super) type Ranges = BTreeMap<String, Range<u64>>;

/// Type of the elements of a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) dtype: Dtype,
    /// Size of an element in bytes.
    pub(super) size: u64,
}

/// A storage, as a tensor refers to it.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    pub(super) kind: Kind,
    pub(super) range: Range<u64>,
}

/// A reference to a storage: `('storage', type, key, device, elements)`, and in the stream before torch 1.6 the part of
/// it that is meant, `(key, first element, elements)` or None.
pub(super) struct Reference<'p> {
    pub(super) kind: Kind,
    pub(super) key: String,
    pub(super) elements: u64,
    view: Option<[Value<'p>; 3]>,
}

impl Kind {
    /// The type of a storage class, `FloatStorage`, or of a dtype, `float32`.
    pub(super) fn named(name: &str) -> Option<Self> {
        let (dtype, size) = match name.strip_suffix("Storage").unwrap_or(name) {
            "Float" | "float32" | "float" => (Dtype::F32, 4),
            "Double" | "float64" | "double" => (Dtype::F64, 8),
            "Half" | "float16" | "half" => (Dtype::F16, 2),
            "BFloat16" | "bfloat16" => (Dtype::BF16, 2),
            "Long" | "int64" | "long" => (Dtype::I64, 8),
            other => {
                let (name, size) = match other {
                    "Int" | "int32" | "int" => ("I32", 4),
                    "Short" | "int16" | "short" => ("I16", 2),
                    "Char" | "int8" => ("I8", 1),
                    "Byte" | "uint8" => ("U8", 1),
                    "uint16" => ("U16", 2),
                    "uint32" => ("U32", 4),
                    "uint64" => ("U64", 8),
                    "Bool" | "bool" => ("BOOL", 1),
                    "complex32" => ("complex32", 4),
                    "ComplexFloat" | "complex64" => ("complex64", 8),
                    "ComplexDouble" | "complex128" => ("complex128", 16),
                    "Untyped" => ("bytes", 1),
                    "QInt8" | "QUInt8" | "QUInt4x2" | "QUInt2x4" => ("a quantized type", 1),
                    "QInt32" => ("a quantized type", 4),
                    "float8_e4m3fn" => ("F8_E4M3", 1),
                    "float8_e5m2" => ("F8_E5M2", 1),
                    "float8_e4m3fnuz" | "float8_e5m2fnuz" | "float8_e8m0fnu" => ("another F8", 1),
                    _ => return None,
                };
                (Dtype::Other(name.to_owned()), size)
            }
        };
        Some(Self { dtype, size })
    }
}

/// Text of a key, which is a string or a number.
pub(super) fn key(value: Value<'_>) -> Option<String> {
    value.text().map(str::to_owned).or_else(|| value.int().map(|number| number.to_string()))
}

impl<'p> Reference<'p> {
    /// Reads a persistent name; `None` if it is not that of a storage.
    pub(super) fn read(name: Value<'p>) -> Option<Result<Self, Problem>> {
        let mut parts = name.items()?;
        if parts.next()?.text() != Some("storage") {
            return None;
        }
        let parts: Vec<Value<'p>> = parts.take(6).collect();
        let [class, place, _, elements, view @ ..] = &parts[..] else {
            return Some(Err(Problem::new(
                "a storage",
                "its type, key, device and length",
                format!("{} parts", parts.len()),
            )));
        };
        let kind = class.global().and_then(|(_, name)| Kind::named(name));
        let read = || -> Result<Self, Problem> {
            let kind = kind.ok_or_else(|| {
                let found = class.global().map_or(class.kind().to_owned(), |(_, name)| shown(name).to_string());
                Problem::new("a storage", "a type of torch's storages", found)
            })?;
            let key = key(*place).ok_or_else(|| Problem::new("a storage", "a key", place.kind()))?;
            let elements = elements.int().and_then(|elements| u64::try_from(elements).ok());
            let elements = elements.ok_or_else(|| Problem::new(of(&key), "a number of elements", parts[3].kind()))?;
            let view = match view.first().filter(|view| !view.is_none()) {
                None => None,
                Some(view) => {
                    let parts = view.array();
                    Some(parts.ok_or_else(|| Problem::new(of(&key), "a part of three numbers", view.kind()))?)
                }
            };
            Ok(Self { kind, key, elements, view })
        };
        Some(read())
    }

    /// Bytes that the whole storage takes.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.elements.checked_mul(self.kind.size)
    }

    /// The storage in the file.
    fn find(self, ranges: &Ranges) -> Result<Storage, Problem> {
        let range = ranges.get(&self.key);
        let range = range.ok_or_else(|| Problem::new(of(&self.key), "its values in the file", "none"))?.clone();
        let len = range.end - range.start;
        if self.bytes() != Some(len) {
            let expected = format!("{} elements of {}", self.elements, self.kind.dtype);
            return Err(Problem::new(of(&self.key), expected, format!("{len} bytes")));
        }
        let Some([_, first, elements]) = self.view else { return Ok(Storage { kind: self.kind, range }) };
        let bytes = |value: Value<'_>| (value.usize()? as u64).checked_mul(self.kind.size);
        let part = bytes(first).zip(bytes(elements)).and_then(|(first, count)| {
            let start = range.start.checked_add(first)?;
            Some(start..start.checked_add(count).filter(|end| *end <= range.end)?)
        });
        let part = part.ok_or_else(|| Problem::new(of(&self.key), "a part inside of it", "another"))?;
        Ok(Storage { kind: self.kind, range: part })
    }
}

/// The storage that a value of the pickle stands for; `None` if it stands for none.
pub(super) fn storage(value: Value<'_>, ranges: &Ranges) -> Option<Result<Storage, Problem>> {
    let reference = Reference::read(value.persistent()?)?;
    Some(reference.and_then(|reference| reference.find(ranges)))
}

/// Name of a storage in messages.
pub(super) fn of(key: &str) -> String {
    format!("storage {}", shown(key))
}
