//! Weights: between files and models.
//!
//! | what | where |
//! |---|---|
//! | [`TensorFile`] | one face for safetensors and Keras' HDF5: names, types, shapes, reading in place |
//! | [`StoredLayout`] | the order of elements in a file and in a model |
//! | [`match_tensors`] | which tensor of a file is which of a model, all or nothing; [`LoadReport`] |
//! | [`Configuration`] | what a whole-model file of Keras says of its layers, held against what a network computes |
//! | [`load`], [`save`] | a file into a model and back, by the names that an architecture supplies |
//! | [`Architecture`] | the same for a network of the zoo as a type, which has the names itself |
//! | [`to_bytes`], [`from_bytes`] | the same in memory |
//! | [`Writer`] | a safetensors file, tensor by tensor, whole or not there |
//!
//! Files are not trusted. A damaged or hostile one gives an error that names the file, the tensor, what was expected
//! and what was found; it neither panics nor takes more memory than stated at [`TensorFile`]. What no reader can see is
//! a flipped bit in the values themselves: safetensors has no checksums, and HDF5 only those of the filter fletcher32.

mod architecture;
mod binding;
mod bytes;
mod configuration;
mod dtype;
mod error;
mod file;
mod format;
mod hdf5;
mod layout;
mod matching;
mod mismatch;
mod model;
mod name;
mod read;
mod report;
mod safetensors;
mod sniff;
#[cfg(test)]
mod testing;

pub use architecture::Architecture;
pub(crate) use architecture::architecture;
pub use configuration::{Configuration, Difference, Differences};
pub use dtype::Dtype;
pub use error::WeightsError;
pub use file::TensorFile;
pub use format::{Format, TensorEntry};
pub use layout::StoredLayout;
pub(crate) use matching::is_state;
pub use matching::{Excuse, Expected, MatchOptions, Matched, match_tensors};
pub use mismatch::{Mismatch, Problem};
pub use model::{ACTIVATION_KEY, LoadOptions, from_bytes, load, save, to_bytes, write};
pub(crate) use name::{layer_of, shape, shown};
pub use report::LoadReport;
pub use safetensors::{Declared, MAX_HEADER, Writer};

pub use crate::source::Source;
