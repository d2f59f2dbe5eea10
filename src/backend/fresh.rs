//! The last outputs of layers on this thread, on the CPU.
//!
//! To find out if another tensor shares a buffer costs a copy of it if one does
//! ([`view::exclusive`](crate::kernel::view)). An output that was just made is mostly held by the next layer alone, a
//! tensor from elsewhere mostly by its owner too: only the former are tried.

use std::cell::Cell;

thread_local! {
    /// Addresses, the newest first: as many as the branches of a block have ends, and some.
    static LAST: Cell<[usize; 4]> = const { Cell::new([0; 4]) };
}

/// Notes that an output lies at an address.
pub(super) fn note(address: usize) {
    let [a, b, c, _] = LAST.get();
    LAST.set([address, a, b, c]);
}

/// Notes that a second tensor holds the buffer at an address.
pub(super) fn forget(address: usize) {
    LAST.set(LAST.get().map(|other| if other == address { 0 } else { other }));
}

/// True if the buffer at an address is the output of one of the last layers.
pub(super) fn is(address: usize) -> bool {
    LAST.get().contains(&address)
}
