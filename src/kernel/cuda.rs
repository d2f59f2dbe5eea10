//! CUDA kernels, on the device and stream of dfdx's [`Cuda`](dfdx::tensor::Cuda).
//!
//! One Rust file an operation, which launches its kernels, and beside it their source in the `.cu` file of the same
//! name; a short one stands in the Rust file, and the formula of an activation in the activation's. `build.rs` compiles
//! them all.
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
