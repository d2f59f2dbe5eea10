//! The convolution that minimal filtering computes.

use super::transform::{Filter, Planes};

/// A convolution of stride one with a filter of 3x3.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem<'a, E> {
    pub(super) batch: usize,
    pub(super) x: Planes<'a, E>,
    /// Rings of zeros around the input.
    pub(super) padding: usize,
    pub(super) filter: Filter<'a, E>,
}

impl<E> Problem<'_, E> {
    /// Height and width of the output.
    pub(super) fn output(&self) -> (usize, usize) {
        (self.x.height + 2 * self.padding - 2, self.x.width + 2 * self.padding - 2)
    }
}
