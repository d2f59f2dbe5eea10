//! The table of objects that a pickle is read into.

use std::borrow::Cow;

use super::error::PickleError;

/// A value: one without parts, or the position of an object in the table.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Node(u32),
}

/// An object with an identity, or of more bytes than a [`Slot`] has room for.
#[derive(Debug)]
pub(super) enum Node<'a> {
    /// An integer of more than 64 bits, which is not kept.
    Long,
    Text(Cow<'a, str>),
    /// Bytes, a bytearray, or a string of Python 2.
    Bytes(Cow<'a, [u8]>),
    List(Vec<Slot>),
    Tuple(Box<[Slot]>),
    Set(Vec<Slot>),
    Dict(Vec<(Slot, Slot)>),
    /// The nodes of a module and of the name in it.
    Global(u32, u32),
    /// The call of a function or class, of which nothing was called.
    Call(Box<Called>),
    /// An object that the program reading the pickle knows by this name.
    Persistent(Slot),
}

/// A call, and what was done to its result. Arguments with names, which no reader here knows, and elements that are
/// appended to the result are not kept.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) function: Slot,
    pub(super) arguments: Slot,
    /// State that was given to the result: mostly a dict of attributes.
    pub(super) state: Slot,
    /// Entries that were set in the result.
    pub(super) entries: Vec<(Slot, Slot)>,
}

/// Description of a value for messages.
pub(super) fn kind(nodes: &[Node<'_>], slot: Slot) -> &'static str {
    match slot {
        Slot::None => "None",
        Slot::Bool(_) => "a bool",
        Slot::Int(_) => "an integer",
        Slot::Float(_) => "a float",
        Slot::Node(index) => match nodes[index as usize] {
            Node::Long => "an integer of more than 64 bits",
            Node::Text(_) => "a string",
            Node::Bytes(_) => "bytes",
            Node::List(_) => "a list",
            Node::Tuple(_) => "a tuple",
            Node::Set(_) => "a set",
            Node::Dict(_) => "a dict",
            Node::Global(..) => "a function or class",
            Node::Call(_) => "the result of a call",
            Node::Persistent(_) => "a persistent object",
        },
    }
}

/// Adds an object to a table that may have `limit` of them, and returns its position.
pub(super) fn add<'a>(nodes: &mut Vec<Node<'a>>, limit: u32, node: Node<'a>) -> Result<u32, PickleError> {
    let index = u32::try_from(nodes.len()).ok().filter(|index| *index < limit);
    let index = index.ok_or_else(|| PickleError::new(format!("at most {limit} objects in so many bytes"), "more"))?;
    nodes.push(node);
    Ok(index)
}
