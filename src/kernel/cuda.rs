//! CUDA kernels, on the device and stream of dfdx's [`Cuda`](dfdx::tensor::Cuda).
//!
//! One `.cu` file an operation, compiled by `build.rs`, and beside it the Rust file of the same name that launches it.
//! Every reduction has an order that depends on sizes only: no kernel adds with atomics.

use super::operations::operation_modules;

operation_modules!(#[allow(unsafe_code)]);

#[allow(unsafe_code)]
pub mod activation;
#[allow(unsafe_code)]
mod element;
#[allow(unsafe_code)]
mod gemm;
#[allow(unsafe_code)]
mod gpu;
#[allow(unsafe_code)]
mod reduce;
#[allow(unsafe_code)]
mod sums;
#[allow(unsafe_code)]
pub mod view;
#[allow(unsafe_code)]
mod walk;

pub use element::CudaElement;
pub use gpu::{Gpu, open};
pub use view::{View, ViewMut};
