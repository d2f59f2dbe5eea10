//! Safetensors: the file format of torch's and timm's published weights, and of everything this crate writes.

mod header;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::ops::Range;

use pvlu::kernel::Element;

use self::header::Header;
pub use self::header::MAX_HEADER;
pub use self::writer::{Declared, Writer};
use super::WeightsError;
use super::bytes::FileBytes;
use super::dtype::Endian;
use super::format::{Contents, TensorEntry};
use super::read::{self, Target};

/// An open safetensors file whose header has been checked against its length.
#[derive(Debug)]
pub(super) struct SafetensorsFile {
    source: FileBytes,
    ranges: BTreeMap<String, Range<u64>>,
}

impl SafetensorsFile {
    pub(super) fn new(source: FileBytes) -> Result<(Self, Contents), WeightsError> {
        let header = Header::read(&source)?;
        Ok((Self { source, ranges: header.ranges }, (header.entries, header.metadata)))
    }

    /// Reads a tensor, in pieces of bounded size.
    pub(super) fn read<E: Element>(
        &self,
        name: &str,
        entry: &TensorEntry,
        target: Target<'_, E>,
    ) -> Result<(), WeightsError> {
        let Some(range) = self.ranges.get(name) else { return Err(read::missing(self.source.path(), name)) };
        read::contiguous(&self.source, name, range.clone(), entry.dtype.float(), Endian::Little, target)
    }
}
