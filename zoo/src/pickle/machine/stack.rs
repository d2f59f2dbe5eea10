//! The stack of the machine, its marks, and the table of its objects.

use super::Machine;
use crate::pickle::error::PickleError;
use crate::pickle::node::{Node, Slot, add, kind};

impl<'a> Machine<'a> {
    pub(super) fn unlike(&self, expected: &str, found: Slot) -> PickleError {
        PickleError::new(expected, kind(&self.nodes, found))
    }

    /// Adds an object to the table.
    pub(super) fn node(&mut self, node: Node<'a>) -> Result<Slot, PickleError> {
        add(&mut self.nodes, self.limit, node).map(Slot::Node)
    }

    pub(super) fn push(&mut self, node: Node<'a>) -> Result<(), PickleError> {
        let slot = self.node(node)?;
        self.stack.push(slot);
        Ok(())
    }

    /// Height of the stack at the last mark.
    pub(super) fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    /// The value on top of the stack, above the last mark.
    pub(super) fn pop(&mut self) -> Result<Slot, PickleError> {
        self.popped().map(|[slot]| slot)
    }

    pub(super) fn popped<const N: usize>(&mut self) -> Result<[Slot; N], PickleError> {
        let above = &self.stack[self.floor()..];
        let Some((_, values)) = above.split_last_chunk() else {
            return Err(PickleError::new(format!("{N} on the stack"), above.len().to_string()));
        };
        let values = *values;
        self.stack.truncate(self.stack.len() - N);
        Ok(values)
    }

    /// Takes the last mark away and gives its height.
    pub(super) fn mark(&mut self) -> Result<usize, PickleError> {
        self.marks.pop().ok_or_else(|| PickleError::new("a mark on the stack", "none"))
    }

    /// The values above the last mark, taken off the stack.
    pub(super) fn marked(&mut self) -> Result<Vec<Slot>, PickleError> {
        let mark = self.mark()?;
        Ok(self.stack.drain(mark..).collect())
    }
}
