//! The input of an activation: elements in memory, or what a batch norm makes of them.

use crate::kernel::Element;
use crate::kernel::cpu::batch_norm::Normalization;
use crate::kernel::cpu::simd::Level;
use crate::kernel::cpu::workspace::Buffer;

/// The input at which a backward pass differentiates.
///
/// The output of a batch norm need not be kept for it: it is computed once more from the batch norm's input, a register
/// at a time or, for formulas that are known only when the program runs, a task at a time, which stays in a core's own
/// cache.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a, E> {
    /// The input, or that of the batch norm.
    pub(super) x: &'a [E],
    /// The batch norm, whose layout is that of the activation.
    pub(super) normalization: Option<&'a Normalization<E>>,
}

impl<'a, E> From<&'a [E]> for Input<'a, E> {
    fn from(x: &'a [E]) -> Self {
        Input { x, normalization: None }
    }
}

impl<'a, E: Element> Input<'a, E> {
    /// The output of a batch norm of `x`.
    pub fn normalized(x: &'a [E], normalization: &'a Normalization<E>) -> Self {
        Input { x, normalization: Some(normalization) }
    }
}

/// The input's elements of a piece from `start` on, where a plane begins; `scratch` is for those that are computed.
pub(super) fn piece<'a, E: Element>(
    level: Level,
    normalization: Option<&Normalization<E>>,
    start: usize,
    x: &'a [E],
    scratch: &'a mut Buffer<E>,
) -> &'a [E] {
    let Some(normalization) = normalization else { return x };
    let values = scratch.take(x.len());
    normalization.write(level, start, x, values);
    values
}
