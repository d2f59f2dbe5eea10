//! Plain kernels: slices and sizes in, slices out.
//!
//! Nothing here knows a tensor type, a tape or a layer. [`cpu`] holds the arithmetic; [`view`] is the one window into
//! dfdx's storage through which layers reach it. `unsafe` lives in four places below, and nowhere else: the view, the
//! vector registers, the face of the matrix product, and memory (a setting of the allocator, and vectors that nobody filled).

pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod element;
pub mod formula;
#[allow(unsafe_code)]
pub mod memory;
pub mod numerics;
#[allow(unsafe_code)]
pub mod view;

pub use element::Element;
pub use formula::{Formula, ParamArray};
pub use numerics::NUMERICS_VERSION;
