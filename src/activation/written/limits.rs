//! How long a formula may be.

pub(super) use crate::kernel::cpu::activation::program::MAX_PARAMS;

/// Most characters of a text.
pub const MAX_CHARS: usize = 1000;

/// Deepest nesting.
pub const MAX_DEPTH: usize = 64;

/// Most nodes of a formula and its derivatives: a derivative of a formula of 1,000 characters needs fewer unless it was
/// written to be large.
pub const MAX_OPERATIONS: usize = 2000;
