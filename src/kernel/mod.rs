//! Plain kernels: slices and sizes in, slices out.
//!
//! Nothing here knows a tensor type, a tape or a layer. [`cpu`] holds the arithmetic; `view` is the one window into
//! dfdx's storage through which layers reach it.

pub mod cpu;
pub mod element;

pub use element::Element;
