//! The bytes that the HDF5 decoder may see.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hdf5_reader::error::{Error, Result};
use hdf5_reader::{Storage, StorageBuffer};

use super::guard::Guard;
use crate::weights::bytes::FileBytes;

/// A file from which only so many bytes can be read. A hostile file can make a decoder read the same bytes over and
/// over and keep what they describe each time; what is never handed out cannot be kept. Nor are headers handed out that
/// the decoder cannot handle.
pub(super) struct Metered {
    source: Arc<FileBytes>,
    left: AtomicU64,
    guard: Mutex<Guard>,
}

impl Metered {
    pub(super) fn new(source: Arc<FileBytes>, budget: u64, guard: Guard) -> Self {
        Self { source, left: AtomicU64::new(budget), guard: Mutex::new(guard) }
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
        let checked = self.guard.lock().unwrap_or_else(PoisonError::into_inner).check(offset, &bytes);
        checked.map_err(|found| Error::InvalidData(found.to_owned()))?;
        Ok(StorageBuffer::from_vec(bytes))
    }
}
