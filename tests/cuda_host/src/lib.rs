//! A stand-in for the CUDA driver and cuBLAS: runs the kernels of `pvlu`, and those of dfdx, without a GPU.
//!
//! Linked into a test, it is what dfdx's `Cuda` finds in place of the driver. Device memory is memory of the host. A
//! kernel is the same source as nvcc compiles, compiled by a C++ compiler: blocks run one after the other, and so do
//! the threads of a block, each until it waits for others. Our kernels are checked while they run, and a launch fails
//!
//! - that reads or writes outside the allocation that its pointer lies in, in freed memory, or misaligned vectors;
//! - in which some threads of a block wait at a barrier and others elsewhere, or not at all; likewise lanes of a warp;
//! - that writes next to an array of a block.
//!
//! Fresh memory, and the arrays of a block when it begins, are filled with NaN. A missing barrier shows as a result
//! that depends on the [order](set_order) in which threads run.
//!
//! What it cannot show: threads that run at the same time, and so races that no order of whole stretches between two
//! barriers brings out; streams that overtake each other; what nvcc makes of the source; the accuracy of a GPU's
//! functions; whether the arguments of a launch are of the types that the kernel takes; an access beyond a slice that
//! stays in its allocation; memory that dfdx's cache hands out again, which is not fresh; speed. The kernels of dfdx
//! are run, but not checked. What dfdx compiles at run time (concat, stack, to_dtype, some reshapes) is out of reach,
//! and so are its two convolutions, whose kernels have the same names.

#[cfg(feature = "host")]
#[allow(unsafe_code)]
mod host;
#[cfg(feature = "host")]
pub use host::{allocated, last_error, launches, set_order};

/// The order in which the threads of a block run from one barrier to the next, and the blocks of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Lower numbers run first.
    Forward,
    /// Higher numbers run first.
    Reverse,
    /// An order drawn from a seed, and another one after each barrier.
    Shuffled(u32),
}

impl Order {
    /// Some of each kind.
    pub const SOME: [Self; 4] = [Self::Forward, Self::Reverse, Self::Shuffled(1), Self::Shuffled(2)];
}

/// A GPU has an order of its own.
#[cfg(not(feature = "host"))]
pub fn set_order(_: Order) {}
