//! Operations that the next one may take back from a tape, to record one for both.

use std::any::Any;

use dfdx::shapes::Unit;

use super::Flow;
use crate::backend::Kernels;

/// A recorded operation that the next one may [take back](super::Track::take_open).
///
/// It may hold its output: a change of that tensor's elements is then made to a copy of them, and an operation on the
/// copy finds that it is not the output.
pub trait Open<E: Unit, D: Kernels<E>>: Any {
    /// The operation without what it held for the one that takes it back.
    fn closed(self: Box<Self>) -> Box<dyn Open<E, D>>;

    /// Runs the backward pass.
    fn backward(self: Box<Self>, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err>;
}
