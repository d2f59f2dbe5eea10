//! CPU kernels, multi-threaded with rayon's current pool and vectorized for the machine they run on.
//!
//! Every reduction has an order, and every shape a method, that depend on sizes only, however the work is split and
//! whatever the registers: results depend neither on the number of threads nor on the instruction set.
//! [`NUMERICS_VERSION`] names them.
//!
//! [`NUMERICS_VERSION`]: crate::NUMERICS_VERSION

pub mod activation;
pub mod add;
pub mod batch_norm;
mod blocks;
pub mod columns;
pub mod conv2d;
mod copy;
pub mod cross_entropy;
pub mod dropout;
pub mod gemm;
pub mod linear;
pub mod multiply;
pub mod optimizer;
pub mod pool2d;
mod registers;
pub mod simd;
pub mod subsample;
mod sums;
mod table;
mod tasks;
pub mod upsample;
mod workspace;

pub use table::{CpuElement, Table};

#[cfg(test)]
mod golden;
#[cfg(test)]
mod testing;
