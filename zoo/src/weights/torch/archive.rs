//! The parts of a file of torch that all containers have.

use super::super::dtype::Endian;
use super::tensor::Storages;

/// Bytes accepted in a pickle. That of a model has some hundred for each tensor.
pub(super) const MAX_PICKLE: u64 = 64 << 20;

/// The pickle and the storages of a file.
pub(super) struct Archive {
    /// The pickle that describes what was saved.
    pub(super) pickle: Vec<u8>,
    pub(super) storages: Storages,
    pub(super) endian: Endian,
}
