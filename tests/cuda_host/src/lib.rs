//! A stand-in for the CUDA driver and cuBLAS: runs the kernels of `pvlu`, and those of dfdx, without a GPU.
//!
//! Linked into a test, it is what dfdx's `Cuda` finds in place of the driver. Device memory is memory of the host. A kernel is
//! the same source as nvcc compiles, compiled by a C++ compiler: blocks run one after the other, and so do the threads of a
//! block, each until it waits for others. Our kernels are checked while they run, and a launch fails
//!
//! - that reads or writes outside the allocation that its pointer lies in, in freed memory, or misaligned vectors;
//! - in which some threads of a block wait at a barrier and others elsewhere, or not at all; likewise lanes of a warp;
//! - that writes next to an array of a block.
//!
//! Fresh memory, and the arrays of a block when it begins, are filled with NaN. A missing barrier shows as a result that
//! depends on the [order](set_order) in which threads run.
//!
//! What it cannot show: threads that run at the same time, and so races that no order of whole stretches between two barriers
//! brings out; streams that overtake each other; what nvcc makes of the source; the accuracy of a GPU's functions; whether
//! the arguments of a launch are of the types that the kernel takes; an access beyond a slice that stays in its allocation;
//! memory that dfdx's cache hands out again, which is not fresh; speed. The kernels of dfdx are run, but not checked. What dfdx
//! compiles at run time (concat, stack, to_dtype, some reshapes) is out of reach, and so are its two convolutions, whose kernels
//! have the same names.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_uint};

unsafe extern "C" {
    fn pvlu_host_set_order(order: c_int, seed: c_uint);
    fn pvlu_host_launches() -> usize;
    fn pvlu_host_allocated() -> usize;
    fn pvlu_host_last_error() -> *const c_char;
}

/// The order in which the threads of a block run from one barrier to the next, and the blocks of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ascending.
    Forward,
    /// Descending.
    Reverse,
    /// By a seed, and after each barrier another one.
    Shuffled(u32),
}

impl Order {
    /// Some of each kind.
    pub const SOME: [Self; 4] = [Self::Forward, Self::Reverse, Self::Shuffled(1), Self::Shuffled(2)];
}

/// Sets the order for launches by this thread. At first it is [`Order::Forward`].
pub fn set_order(order: Order) {
    let (order, seed) = match order {
        Order::Forward => (0, 0),
        Order::Reverse => (1, 0),
        Order::Shuffled(seed) => (2, seed),
    };
    // SAFETY: stores two numbers of this thread, and the first names an order.
    unsafe { pvlu_host_set_order(order, seed) }
}

/// The number of kernels that this thread launched, dfdx's included.
pub fn launches() -> usize {
    // SAFETY: reads a number of this thread.
    unsafe { pvlu_host_launches() }
}

/// The bytes of device memory that this thread allocated and nobody freed; what dfdx's cache keeps is not freed.
pub fn allocated() -> usize {
    // SAFETY: takes the lock of the driver, which this thread does not hold, for no call into the driver calls back.
    unsafe { pvlu_host_allocated() }
}

/// What went wrong last in a call of this thread into the driver; empty if nothing did.
pub fn last_error() -> String {
    // SAFETY: a text that ends with zero and that only calls of this thread change, none of which happens before the copy.
    unsafe { CStr::from_ptr(pvlu_host_last_error()) }.to_string_lossy().into_owned()
}
