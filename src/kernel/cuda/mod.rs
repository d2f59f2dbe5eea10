//! CUDA kernels, on the device and stream of dfdx's [`Cuda`](dfdx::tensor::Cuda).
//!
//! One `.cu` file an operation, compiled by `build.rs`, and beside it the Rust file of the same name that launches it. Every
//! reduction has an order that depends on sizes only: no kernel adds with atomics.

mod element;
mod gpu;
#[allow(unsafe_code)]
pub mod view;

pub use element::CudaElement;
pub use gpu::Gpu;
pub use view::{View, ViewMut};
