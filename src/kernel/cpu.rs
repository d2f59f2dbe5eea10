//! CPU kernels, multi-threaded with rayon's current pool and vectorized for the machine they run on.
//!
//! Every reduction has an order, and every shape a method, that depend on sizes only, however the work is split and at
//! any register width: results depend neither on the number of threads nor on the instruction set.
//! [`NUMERICS_VERSION`] names them.
//!
//! [`NUMERICS_VERSION`]: crate::NUMERICS_VERSION

use crate::kernel::operations::operation_modules;

operation_modules!();

pub mod activation;
pub mod blocked;
mod blocks;
mod copy;
pub mod gemm;
pub mod optimizer;
pub mod reduced;
mod registers;
pub mod simd;
mod sums;
mod table;
pub(crate) mod tasks;
mod workspace;

pub use table::{CpuElement, Table};

#[cfg(test)]
mod golden;
#[cfg(test)]
pub(crate) mod testing;
