//! A reader of Python pickles, protocols 0 to 5, that keeps what a pickle says as data and runs nothing.
//!
//! A pickle is a program for a stack machine. Python's own reader imports and calls whatever the program names; here a
//! call stays a [`Call`]: the name of the function, its arguments, and what would have been set on its result. The
//! reader of a value decides by name which calls it understands.
//!
//! Objects that a pickle shares are shared here too, since every object is in one table and values are positions in it.
//! So a pickle of a few bytes cannot describe more than a few objects, whatever it refers to again; but objects can
//! contain themselves, so that a walk over values has to bound its depth.
//!
//! Memory: at most 128 times the length of the pickle and 64 KiB; `zoo/tests/hostile` measures it. Strings are not
//! copied, but for those that protocol 0 escapes.

mod cursor;
mod error;
mod machine;
mod node;
mod opcode;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use self::error::PickleError;
use self::node::{Node, Slot};
pub(crate) use self::value::{Call, Value};

/// A pickle that has been read: the table of its objects, and which of them is the result.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    nodes: Vec<Node<'a>>,
    root: Slot,
    consumed: usize,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle that `bytes` begin with. What follows it is left alone.
    ///
    /// # Errors
    ///
    /// Bytes that end before the pickle does ([`PickleError::is_cut`]), an operation that is unknown, needs what is not
    /// on the stack, or takes more room than a pickler of Python would ever make it take.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, PickleError> {
        Self::read_within(bytes, usize::MAX)
    }

    /// As [`read`](Self::read), of a pickle of at most so many operations. Each takes a constant number of bytes of
    /// memory at most, so that a pickle which is mostly long strings can be held to little more than its own length.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read), and more operations.
    pub(crate) fn read_within(bytes: &'a [u8], operations: usize) -> Result<Self, PickleError> {
        let (nodes, root, consumed) = machine::run(bytes, operations)?;
        Ok(Self { nodes, root, consumed })
    }

    /// The object that was pickled.
    pub(crate) fn root(&self) -> Value<'_> {
        Value::new(&self.nodes, self.root)
    }

    /// The names of all persistent objects, used or not, in the order of the pickle.
    pub(crate) fn persistent(&self) -> impl Iterator<Item = Value<'_>> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Persistent(name) => Some(Value::new(&self.nodes, *name)),
            _ => None,
        })
    }

    /// Length of the pickle in bytes.
    pub(crate) fn consumed(&self) -> usize {
        self.consumed
    }
}
