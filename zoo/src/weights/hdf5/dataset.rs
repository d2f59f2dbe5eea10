//! Type, shape and place of a dataset, from its object header.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::layout::DataLayout;
use hdf5_reader::{ByteOrder, Dataset, Datatype, Hdf5File as Decoder};

use super::error::tensor;
use super::keras::Found;
use crate::weights::bytes::FileBytes;
use crate::weights::dtype::{Endian, Float};
use crate::weights::name::{self, elements, shown};
use crate::weights::{Dtype, TensorEntry, WeightsError};

/// Byte order and place of the values of a dataset.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) endian: Endian,
    pub(super) place: Place,
}

/// Place of the values of a dataset.
#[derive(Debug)]
pub(super) enum Place {
    /// One run of bytes of the file.
    Run(Range<u64>),
    /// Bytes in the object header.
    Inline(Arc<[u8]>),
    /// Chunks, perhaps compressed, of the dataset at this path, and the number of them.
    Chunks { dataset: String, count: u64 },
    /// A place that values are not read from, with what was expected and found.
    Refused { expected: &'static str, found: String },
}

/// Reads type, shape and place of a dataset, but not its values.
pub(super) fn describe(
    decoder: &Decoder,
    found: &Found,
    path: &Path,
    name: &str,
) -> Result<(TensorEntry, Stored), WeightsError> {
    let dataset = &found.dataset;
    let wrong = |expected: &str, found: String| WeightsError::Tensor {
        path: path.to_owned(),
        key: name.to_owned(),
        expected: expected.to_owned(),
        found,
    };
    let decoded = |error| tensor(path, name, &error);

    let shape: Option<Vec<usize>> = dataset.shape().iter().map(|dim| usize::try_from(*dim).ok()).collect();
    let shape = shape.filter(|shape| elements(shape).is_some_and(|count| count.checked_mul(8).is_some()));
    let shape =
        shape.ok_or_else(|| wrong("a shape that fits into memory", name::shape(dataset.shape()).to_string()))?;
    let (dtype, endian, width) = dtype(dataset).map_err(decoded)?;
    let count = dataset.num_elements().map_err(decoded)?;
    let place = match count.checked_mul(width) {
        // A dataspace of no dimensions has one element or, if it is null, none.
        _ if count == 0 && shape.is_empty() => refused("a value", "a null dataspace"),
        Some(bytes) => place(decoder, found, bytes).map_err(decoded)?,
        None => return Err(wrong("a shape that fits into memory", name::shape(&shape).to_string())),
    };
    Ok((TensorEntry { dtype, shape }, Stored { endian, place }))
}

/// Finds the place of the values, which have `bytes` bytes.
fn place(decoder: &Decoder, found: &Found, bytes: u64) -> hdf5_reader::error::Result<Place> {
    let header = decoder.get_or_parse_header(found.dataset.address())?;
    let mut layout = None;
    for message in &header.messages {
        match message {
            HdfMessage::DataLayout(message) => layout = Some(&message.layout),
            HdfMessage::ExternalFiles(_) => return Ok(refused("values in this file", "values in another file")),
            HdfMessage::FilterPipeline(pipeline) => {
                if let Some(filter) = pipeline.filters.iter().find(|filter| !FILTERS.contains(&filter.id)) {
                    let found = format!("filter {} {}", filter.id, shown(filter.name.as_deref().unwrap_or_default()));
                    return Ok(refused("no filter, or deflate, shuffle, fletcher32 and LZF", &found));
                }
            }
            _ => {}
        }
    }
    Ok(match layout {
        _ if bytes == 0 => Place::Inline(Arc::new([])),
        Some(DataLayout::Compact { data }) if data.len() as u64 == bytes => Place::Inline(data.as_slice().into()),
        Some(DataLayout::Compact { data }) => refused(LENGTH, &format!("{} for {bytes}", data.len())),
        Some(DataLayout::Contiguous { size: 0, .. }) => refused(VALUES, UNWRITTEN),
        Some(DataLayout::Contiguous { address, size }) if *size == bytes => {
            let base = decoder.superblock().base_address;
            match address.checked_add(bytes) {
                // The storage begins at the base.
                Some(end) if end <= decoder.storage().len() => Place::Run(base + address..base + end),
                _ if is_undefined(*address, decoder) => refused(VALUES, UNWRITTEN),
                _ => refused("values within the file", &format!("{bytes} bytes at {address:#x}")),
            }
        }
        Some(DataLayout::Contiguous { size, .. }) => refused(LENGTH, &format!("{size} for {bytes}")),
        Some(DataLayout::Chunked { .. }) => match chunk_count(&found.dataset) {
            Some(count) => Place::Chunks { dataset: found.path.clone(), count },
            None => refused("chunks as many-dimensional as the dataset", "others"),
        },
        None => refused("a layout", "none"),
    })
}

const LENGTH: &str = "as many bytes as type and shape take";

const VALUES: &str = "values";
pub(super) const UNWRITTEN: &str =
    "a dataset never written, which stands for its fill value everywhere: write its values";

/// Returns `true` if all bits of an address are set, which says that nothing is stored there.
fn is_undefined(address: u64, decoder: &Decoder) -> bool {
    let bits = 8 * u32::from(decoder.superblock().offset_size);
    address == u64::MAX.checked_shr(64_u32.saturating_sub(bits)).unwrap_or(0)
}

/// Number under which LZF, h5py's own compression, is registered as a filter.
pub(super) const LZF: u16 = 32000;

/// Filters that h5py offers without plug-ins and that lose nothing: deflate, shuffle, fletcher32, LZF. It offers szip
/// too if its HDF5 library was built with it, which is not read.
const FILTERS: [u16; 4] = [1, 2, 3, LZF];

fn refused(expected: &'static str, found: &str) -> Place {
    Place::Refused { expected, found: found.to_owned() }
}

/// Number of chunks that cover a dataset.
fn chunk_count(dataset: &Dataset) -> Option<u64> {
    let chunk = dataset.chunks()?;
    if chunk.len() != dataset.shape().len() || chunk.contains(&0) {
        return None;
    }
    dataset
        .shape()
        .iter()
        .zip(chunk)
        .try_fold(1_u64, |count, (dim, chunk)| count.checked_mul(dim.div_ceil(chunk.into())))
}

/// Refuses datasets that share bytes, which a damaged address gives, and more chunks than the file can have. Every
/// chunk has a byte of its own at least.
pub(super) fn check_places(datasets: &BTreeMap<String, Stored>, source: &FileBytes) -> Result<(), WeightsError> {
    let mut runs: Vec<(&String, &Range<u64>)> = Vec::new();
    let mut chunks = 0_u64;
    for (name, stored) in datasets {
        match &stored.place {
            Place::Run(range) => runs.push((name, range)),
            Place::Chunks { count, .. } => chunks = chunks.saturating_add(*count),
            Place::Inline(_) | Place::Refused { .. } => {}
        }
    }
    let wrong = |what: &str, expected: String, found: String| WeightsError::Structure {
        path: source.path().to_owned(),
        what: what.to_owned(),
        expected,
        found,
    };
    if chunks > source.len() {
        return Err(wrong("chunks", format!("at most {}, one a byte of the file", source.len()), chunks.to_string()));
    }
    runs.sort_by_key(|(_, range)| (range.start, range.end));
    for pair in runs.windows(2) {
        let [(first, before), (second, after)] = pair else { continue };
        if after.start < before.end {
            let expected = format!("values behind those of {}", shown(first));
            return Err(wrong(&shown(second).to_string(), expected, "an overlap".into()));
        }
    }
    Ok(())
}

/// Type, byte order and bytes of an element. Floats are recognized by all their properties: a brain float is as wide as
/// a half. Keras stores it as two opaque bytes and the attribute `dtype`.
fn dtype(dataset: &Dataset) -> hdf5_reader::error::Result<(Dtype, Endian, u64)> {
    let width = dataset.raw_element_size()? as u64;
    let order = |order: &ByteOrder| if *order == ByteOrder::BigEndian { Endian::Big } else { Endian::Little };
    Ok(match dataset.dtype() {
        Datatype::FloatingPoint { byte_order, .. } => match float(&dataset.raw_datatype()?) {
            Some(Float::F16) => (Dtype::F16, order(byte_order), width),
            Some(Float::BF16) => (Dtype::BF16, order(byte_order), width),
            Some(Float::F32) => (Dtype::F32, order(byte_order), width),
            Some(Float::F64) => (Dtype::F64, order(byte_order), width),
            None => (Dtype::Other(format!("a float of {width} bytes of its own kind")), Endian::Little, width),
        },
        Datatype::Opaque { size: 2, .. } if is_bfloat16(dataset) => (Dtype::BF16, Endian::Little, width),
        Datatype::FixedPoint { size: 8, signed: true, byte_order } => (Dtype::I64, order(byte_order), width),
        Datatype::FixedPoint { size, signed, .. } => {
            let sign = if *signed { "I" } else { "U" };
            (Dtype::Other(format!("{sign}{}", u32::from(*size) * 8)), Endian::Little, width)
        }
        other => {
            let kind = match other {
                Datatype::String { .. } | Datatype::VarLen { .. } => "strings or lists",
                Datatype::Compound { .. } | Datatype::Array { .. } => "compounds or arrays",
                Datatype::Enum { .. } => "an enumeration",
                Datatype::Opaque { .. } => "opaque bytes",
                _ => "neither numbers nor strings",
            };
            (Dtype::Other(kind.to_owned()), Endian::Little, width)
        }
    })
}

fn is_bfloat16(dataset: &Dataset) -> bool {
    dataset.attribute("dtype").and_then(|attribute| attribute.read_string()).is_ok_and(|dtype| dtype == "bfloat16")
}

/// The float type that a floating-point datatype message describes; `None` for any other. The message holds class and
/// version, three bytes of flags, size, then offset and precision in bits, place and size of exponent and mantissa,
/// bias. Both byte orders are accepted; VAX's is not.
fn float(raw: &[u8]) -> Option<Float> {
    let [class, flags, sign, _, size0, size1, size2, size3, properties @ ..] = raw else { return None };
    // Class 1; byte order in bit 0, padding in 1-3, an implied leading mantissa bit in 4-5, VAX in 6.
    if class & 0x0f != 1 || flags & 0b0111_1110 != 0b0010_0000 {
        return None;
    }
    let size = u32::from_le_bytes([*size0, *size1, *size2, *size3]);
    let (float, exponent, mantissa, bias) = match (size, *sign, properties.get(5)?) {
        (2, 15, 5) => (Float::F16, 5, 10, 15_u32),
        (2, 15, 8) => (Float::BF16, 8, 7, 127),
        (4, 31, _) => (Float::F32, 8, 23, 127),
        (8, 63, _) => (Float::F64, 11, 52, 1023),
        _ => return None,
    };
    let [b0, b1, b2, b3] = bias.to_le_bytes();
    let bits = (size * 8) as u8;
    let expected = [0, 0, bits, 0, mantissa, exponent, 0, mantissa, b0, b1, b2, b3];
    properties.starts_with(&expected).then_some(float)
}
