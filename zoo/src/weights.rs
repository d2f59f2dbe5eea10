//! Loading of weights from files into models, and saving.
//!
//! | item | purpose |
//! |---|---|
//! | [`TensorFile`] | one interface to safetensors, torch's and Keras' files: names, types, shapes, reading in place |
//! | [`StoredLayout`] | the order of elements in a file and in a model |
//! | [`match_tensors`] | pairs the tensors of a file with those of a model, all or nothing; [`LoadReport`] |
//! | [`Configuration`] | the layers that a whole-model file of Keras describes, compared with those of a network |
//! | [`load`], [`save`] | a file into a model and back, by the names that an architecture supplies |
//! | [`Architecture`] | the same for a network of the zoo as a type, which has the names itself |
//! | [`to_bytes`], [`from_bytes`] | the same in memory |
//! | [`Writer`] | a safetensors file, tensor by tensor, whole or not there |
//!
//! Files are not trusted. A damaged or hostile one gives an error that names the file, the tensor, what was expected
//! and what was found; it neither panics nor takes more memory than stated at [`TensorFile`]. No reader can see a
//! flipped bit in the values themselves: safetensors has no checksums, and HDF5 only those of the filter fletcher32.
//!
//! A network of your own, whose layers you name, to bytes and back; [`save`] and [`load`] do the same with a file:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use dfdx::prelude::{AsArray, Cpu, DeviceBuildExt};
//! use pvlu::activation::Pvlu;
//! use pvlu::layer::builder::{Act, Conv2D, GlobalAvgPool2D, Linear};
//! use pvlu_zoo::names::LayerNames;
//! use pvlu_zoo::weights::{LoadOptions, Source, from_bytes, to_bytes};
//!
//! type Net = (Conv2D<3, 8, 3, 1, 1>, Act<Pvlu, 8>, GlobalAvgPool2D, Linear<8, 10>);
//!
//! // The layers with weights, in the order of the network.
//! let names = [LayerNames::torch("conv"), LayerNames::torch("fc").as_classifier()];
//! let net = Cpu::seed_from_u64(0).build_module::<Net, f32>();
//! let bytes = to_bytes(&net, &names, Source::Native, &BTreeMap::new())?;
//!
//! let mut other = Cpu::seed_from_u64(1).build_module::<Net, f32>();
//! let report = from_bytes(&mut other, &names, bytes, &LoadOptions::default())?;
//! assert!(report.fresh.is_empty(), "every tensor of the network came from the file");
//! assert_eq!(other.3.weight.array(), net.3.weight.array());
//! # Ok::<(), pvlu_zoo::weights::WeightsError>(())
//! ```

mod architecture;
mod binding;
mod bytes;
mod configuration;
mod dtype;
mod error;
mod file;
mod format;
mod hdf5;
mod keras;
mod layout;
mod matching;
mod mismatch;
mod model;
mod name;
mod read;
mod reader;
mod report;
mod safetensors;
mod sites;
mod sniff;
#[cfg(test)]
mod testing;
mod torch;

pub use architecture::Architecture;
pub(crate) use architecture::architecture;
pub(crate) use binding::expected;
pub use configuration::{Configuration, Difference, Differences};
pub use dtype::Dtype;
pub use error::WeightsError;
pub use file::TensorFile;
pub use format::{Format, TensorEntry};
pub(crate) use hdf5::MAX_STRINGS;
pub(crate) use keras::snake as keras_class;
pub use layout::StoredLayout;
#[doc(hidden)]
pub use matching::Excuse;
pub(crate) use matching::is_state;
pub use matching::{Expected, MatchOptions, Matched, match_tensors};
pub use mismatch::{Mismatch, Problem};
pub(crate) use model::write_with_sites;
pub use model::{LoadOptions, from_bytes, load, save, to_bytes, write};
pub use name::ACTIVATION_KEY;
pub(crate) use name::{layer_of, shape, shown};
pub use report::LoadReport;
pub use safetensors::{Declared, MAX_HEADER, Writer};
pub(crate) use sites::{SITES_KEY, attribute};

pub use crate::source::Source;
