//! The stand-in's own functions.

use std::ffi::{CStr, c_char, c_int, c_uint};

use super::Order;

unsafe extern "C" {
    fn pvlu_host_set_order(order: c_int, seed: c_uint);
    fn pvlu_host_launches() -> usize;
    fn pvlu_host_allocated() -> usize;
    fn pvlu_host_last_error() -> *const c_char;
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

/// The bytes of device memory that this thread allocated and that were not freed; dfdx's cache keeps some that are not.
pub fn allocated() -> usize {
    // SAFETY: takes the lock of the driver, which this thread does not hold, for no call into the driver calls back.
    unsafe { pvlu_host_allocated() }
}

/// The last error of a call of this thread into the driver; empty if there was none.
pub fn last_error() -> String {
    // SAFETY: a text that ends with zero and that only calls of this thread change, none of which happens before the
    // copy.
    unsafe { CStr::from_ptr(pvlu_host_last_error()) }.to_string_lossy().into_owned()
}
