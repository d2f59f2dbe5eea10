//! The bytes that the HDF5 decoder may see.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hdf5_reader::error::{Error, Result};
use hdf5_reader::{Storage, StorageBuffer};

use crate::weights::bytes::FileBytes;

/// A file from which only so many bytes can be read. A hostile file can make a decoder read the same bytes over and over
/// and keep what they describe each time; what is never handed out cannot be kept.
pub(super) struct Metered {
    source: Arc<FileBytes>,
    left: AtomicU64,
}

impl Metered {
    pub(super) fn new(source: Arc<FileBytes>, budget: u64) -> Self {
        Self { source, left: AtomicU64::new(budget) }
    }
}

impl Storage for Metered {
    fn len(&self) -> u64 {
        self.source.len()
    }

    fn read_range(&self, offset: u64, len: usize) -> Result<StorageBuffer> {
        let needed = len as u64;
        // Before anything is allocated.
        if offset.checked_add(needed).is_none_or(|end| end > self.source.len()) {
            return Err(Error::UnexpectedEof { offset, needed, available: self.source.len().saturating_sub(offset) });
        }
        let spend = |left: u64| left.checked_sub(needed);
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_err() {
            return Err(Error::ResourceLimit("the same bytes are referred to over and over".into()));
        }
        let mut bytes = vec![0; len];
        self.source.read_at(offset, &mut bytes)?;
        Ok(StorageBuffer::from_vec(bytes))
    }
}
