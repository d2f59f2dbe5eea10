//! HDF5: the format of Keras' published weights.
//!
//! Decoded in Rust by the crate `hdf5-reader`; no C library. Keras stores every tensor as one run of bytes, which is
//! read by position like those of any other file; chunked and compressed datasets go through the decoder, one chunk at
//! a time.

mod attribute;
mod chunks;
mod dataset;
mod error;
mod guard;
mod keras;
mod lzf;
mod storage;

pub(crate) use attribute::MAX_STRINGS;
use error::structure;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hdf5_reader::error::Error;
use hdf5_reader::messages::filter_pipeline::FilterDescription;
use hdf5_reader::{FilterRegistry, Hdf5File as Decoder, OpenOptions};
use pvlu::kernel::Element;

use self::chunks::Chunked;
pub use self::chunks::MAX_CHUNK;
use self::dataset::{LZF, Place, Stored};
use self::guard::Guard;
use self::storage::Metered;
use super::bytes::FileBytes;
use super::format::{Contents, Format, TensorEntry};
use super::read::{self, Target};
use super::{WeightsError, sniff};

/// Bytes accepted in the description of one object. Keras keeps each attribute below 64 KiB.
const MAX_OBJECT_HEADER: usize = 1 << 20;

/// An open HDF5 file whose datasets have been looked up.
#[derive(Debug)]
pub(super) struct Hdf5File {
    source: Arc<FileBytes>,
    datasets: BTreeMap<String, Stored>,
    configuration: Option<String>,
}

impl Hdf5File {
    pub(super) fn new(source: FileBytes) -> Result<(Self, Format, Contents), WeightsError> {
        let source = Arc::new(source);
        let path = source.path();
        // Names and shapes are a small part of a file of weights, read a few times over.
        let decoder = decoder(&source, 16)?;
        // Counted from the beginning of the file, whatever the base address.
        let end = decoder.superblock().eof_address;
        if end > source.len() {
            let expected = format!("{end} bytes, as its superblock says");
            let found = format!("{}: it was cut short; fetch it again", source.len());
            return Err(WeightsError::Structure {
                path: path.to_owned(),
                what: "length of the file".into(),
                expected,
                found,
            });
        }
        let found = keras::find(&decoder, path)?;
        let mut datasets = BTreeMap::new();
        let mut entries = BTreeMap::new();
        for (name, dataset) in found.datasets {
            let (entry, stored) = dataset::describe(&decoder, &dataset, path, &name)?;
            entries.insert(name.clone(), entry);
            datasets.insert(name, stored);
        }
        dataset::check_places(&datasets, &source)?;
        Ok((Self { source, datasets, configuration: found.configuration }, found.format, (entries, found.metadata)))
    }

    /// The same file, of a model with this configuration, which lies beside the HDF5.
    pub(super) fn with_configuration(self, configuration: String) -> Self {
        Self { configuration: Some(configuration), ..self }
    }

    /// Path of the file, and true if the HDF5 is a part of it.
    pub(super) fn place(&self) -> (&Path, bool) {
        (self.source.path(), self.source.is_part())
    }

    /// Configuration of the layers as JSON, in a file of a whole model.
    pub(super) fn configuration(&self) -> Option<&str> {
        self.configuration.as_deref()
    }

    /// Reads a tensor, in pieces of bounded size.
    pub(super) fn read<E: Element>(
        &self,
        name: &str,
        entry: &TensorEntry,
        target: Target<'_, E>,
    ) -> Result<(), WeightsError> {
        let path = self.source.path();
        let Some(stored) = self.datasets.get(name) else { return Err(read::missing(path, name)) };
        let (float, endian) = (entry.dtype.float(), stored.endian);
        match &stored.place {
            Place::Run(range) => read::contiguous(&self.source, name, range.clone(), float, endian, target),
            Place::Inline(bytes) => {
                let inline = FileBytes::memory(path.to_owned(), bytes.clone());
                read::contiguous(&inline, name, 0..inline.len(), float, endian, target)
            }
            Place::Chunks { dataset, count } => {
                // A new decoder for each read, since a decoder keeps the index of every chunked dataset that it has
                // seen.
                let decoder = decoder(&self.source, 4)?;
                let tensor = Chunked { path, name, shape: &entry.shape, float, endian, count: *count };
                tensor.read(&decoder, dataset, target)
            }
            Place::Refused { expected, found } => Err(WeightsError::Tensor {
                path: path.to_owned(),
                key: name.to_owned(),
                expected: (*expected).to_owned(),
                found: found.clone(),
            }),
        }
    }
}

/// A decoder that may read `times` the length of the file and a little.
fn decoder(source: &Arc<FileBytes>, times: u64) -> Result<Decoder, WeightsError> {
    let budget = source.len().saturating_mul(times).saturating_add(1 << 20);
    // Deflate packs at most 1,032 bytes into one.
    let packed = usize::try_from(source.len().saturating_mul(1032)).unwrap_or(usize::MAX);
    let limit = MAX_CHUNK.min(packed);
    let mut filters = FilterRegistry::new();
    // The third number of the filter is the size of a chunk; the decoder compares the length afterwards.
    let lzf = move |filter: &FilterDescription, bytes: &[u8], _| {
        let limit = filter.client_data.get(2).map_or(limit, |size| limit.min(*size as usize));
        lzf::decode(bytes, limit).ok_or_else(|| Error::DecompressionError("LZF: damaged".into()))
    };
    filters.register(LZF, Box::new(lzf));
    let (base, superblock) = sniff::superblock(source)?;
    let guard = Guard::new(base, &superblock);
    let options = OpenOptions::default()
        .with_chunk_cache_bytes(0)
        .with_max_chunk_bytes(limit)
        .with_filter_registry(filters)
        .with_max_read_bytes(0)
        .with_max_object_header_bytes(MAX_OBJECT_HEADER);
    Decoder::from_storage_with_options(Arc::new(Metered::new(source.clone(), budget, guard)), options)
        .map_err(|error| structure(source.path(), "superblock", &error))
}
