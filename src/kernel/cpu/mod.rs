//! CPU kernels, multi-threaded with rayon's current pool and vectorised for the machine they run on.
//!
//! Every reduction has an order that depends on sizes only, however the work is split, so that results do not depend on the
//! number of threads.

pub mod activation;
pub mod add;
pub mod batch_norm;
mod blocks;
pub mod conv2d;
mod copy;
pub mod cross_entropy;
pub mod dropout;
#[allow(unsafe_code)]
pub mod gemm;
mod layout;
pub mod linear;
pub mod optimizer;
pub mod pool2d;
mod scratch;
pub mod simd;
pub mod subsample;
mod sums;
mod table;
mod tasks;
mod write;

pub use layout::Layout;
pub use table::Table;
pub use write::{InputGradient, Write};

#[cfg(test)]
mod testing;
