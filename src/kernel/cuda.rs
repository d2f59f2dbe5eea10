//! CUDA kernels, on the device and stream of dfdx's [`Cuda`](dfdx::tensor::Cuda).
//!
//! One `.cu` file an operation, compiled by `build.rs`, and beside it the Rust file of the same name that launches it.
//! Every reduction has an order that depends on sizes only: no kernel adds with atomics.

#[allow(unsafe_code)]
pub mod activation;
#[allow(unsafe_code)]
pub mod batch_norm;
pub mod columns;
#[allow(unsafe_code)]
pub mod conv2d;
#[allow(unsafe_code)]
pub mod cross_entropy;
#[allow(unsafe_code)]
pub mod dropout;
#[allow(unsafe_code)]
mod element;
#[allow(unsafe_code)]
pub mod elementwise;
#[allow(unsafe_code)]
mod gemm;
#[allow(unsafe_code)]
mod gpu;
pub mod linear;
pub mod multiply;
#[allow(unsafe_code)]
pub mod pool2d;
#[allow(unsafe_code)]
mod reduce;
#[allow(unsafe_code)]
pub mod subsample;
#[allow(unsafe_code)]
mod sums;
pub mod upsample;
#[allow(unsafe_code)]
pub mod view;
#[allow(unsafe_code)]
mod walk;

pub use element::CudaElement;
pub use gpu::{Gpu, open};
pub use view::{View, ViewMut};
