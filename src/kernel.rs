//! Plain kernels: slices and sizes in, slices out.
//!
//! Nothing here knows a tensor type, a tape or a layer. [`cpu`] holds the arithmetic; [`view`] is the one window into
//! dfdx's storage through which layers reach it. All `unsafe` of this crate is below: in the view, the vector
//! registers and memory, and, with the feature `cuda`, around the launches of kernels. docs/unsafe.md has the
//! list, and a test holds it against the sources.

pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod element;
pub mod formula;
pub mod layout;
#[allow(unsafe_code)]
pub mod memory;
pub mod normalization;
pub mod numerics;
pub(crate) mod operations;
pub mod precision;
pub mod shape;
#[allow(unsafe_code)]
pub mod view;
pub mod write;

/// Holds a source in CUDA C++, which the build script reads from the text of the file: see `cuda/sources.rs`.
macro_rules! cuda_source {
    ($source:literal) => {};
}
pub(crate) use cuda_source;

pub use element::Element;
pub use formula::{Formula, ParamArray};
pub use layout::ChannelsLayout;
pub use numerics::NUMERICS_VERSION;
pub use precision::{Precision, UnknownPrecision};
pub use write::{InputGradient, Write};
