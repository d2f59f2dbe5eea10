//! Limits on the length of a formula.

pub(super) use crate::kernel::cpu::activation::program::MAX_PARAMS;

/// Most characters of a text.
pub const MAX_CHARS: usize = 1000;

/// Deepest nesting of brackets, signs and exponents.
pub const MAX_DEPTH: usize = 64;

/// Most nodes of a formula and its derivatives: a derivative of a formula of 1,000 characters needs fewer unless it was
/// written to be large.
pub const MAX_OPERATIONS: usize = 2000;
