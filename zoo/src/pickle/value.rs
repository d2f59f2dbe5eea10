//! The values of a pickle, as its readers see them.

use std::borrow::Cow;

use super::node::{Called, Node, Slot, kind};

/// A value of a pickle. Each method gives the parts of one kind of value, and `None` for the other kinds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'p> {
    nodes: &'p [Node<'p>],
    slot: Slot,
}

/// A call that a pickle asks for, of which nothing was called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'p> {
    nodes: &'p [Node<'p>],
    called: &'p Called,
}

impl<'p> Value<'p> {
    pub(super) fn new(nodes: &'p [Node<'p>], slot: Slot) -> Self {
        Self { nodes, slot }
    }

    fn node(self) -> Option<&'p Node<'p>> {
        match self.slot {
            Slot::Node(index) => self.nodes.get(index as usize),
            _ => None,
        }
    }

    fn of(self, slot: Slot) -> Self {
        Self::new(self.nodes, slot)
    }

    /// Description for messages, e.g. `a list`.
    pub(crate) fn kind(self) -> &'static str {
        kind(self.nodes, self.slot)
    }

    pub(crate) fn is_none(self) -> bool {
        matches!(self.slot, Slot::None)
    }

    pub(crate) fn bool(self) -> Option<bool> {
        match self.slot {
            Slot::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// An integer of 64 bits.
    pub(crate) fn int(self) -> Option<i64> {
        match self.slot {
            Slot::Int(value) => Some(value),
            _ => None,
        }
    }

    /// An integer that is not negative and fits.
    pub(crate) fn usize(self) -> Option<usize> {
        usize::try_from(self.int()?).ok()
    }

    pub(crate) fn float(self) -> Option<f64> {
        match self.slot {
            Slot::Float(value) => Some(value),
            _ => None,
        }
    }

    /// A string, one of Python 2 that is UTF-8, or [bytes](Self::bytes) of any protocol that are ASCII.
    pub(crate) fn text(self) -> Option<&'p str> {
        match self.node()? {
            Node::Call(_) => self.encoded().filter(|text| text.is_ascii()),
            _ => self.string(),
        }
    }

    /// The text without that of a call, so that no depth of calls in calls is followed.
    fn string(self) -> Option<&'p str> {
        match self.node()? {
            Node::Text(text) => Some(text),
            Node::Bytes(bytes) => str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// Returns true if this is the [text](Self::text) `key`, in a time that its length bounds.
    fn is(self, key: &str) -> bool {
        match self.node() {
            Some(Node::Call(_)) => key.is_ascii() && self.encoded() == Some(key),
            _ => self.is_string(key),
        }
    }

    fn is_string(self, key: &str) -> bool {
        match self.node() {
            Some(Node::Text(text)) => text == key,
            Some(Node::Bytes(bytes)) => **bytes == *key.as_bytes(),
            _ => false,
        }
    }

    /// The string that `_codecs.encode` is to encode as Latin-1.
    fn encoded(self) -> Option<&'p str> {
        let call = self.call()?;
        if call.function().global()? != ("_codecs", "encode") {
            return None;
        }
        let [text, encoding] = call.arguments()?;
        let is_latin = encoding.is_string("latin1") || encoding.is_string("latin-1");
        match text.node()? {
            Node::Text(text) => Some(&**text).filter(|_| is_latin),
            _ => None,
        }
    }

    /// Bytes, a string of Python 2, or what protocols 0 to 2 of Python 3 write for bytes: a string that is to be
    /// encoded as Latin-1 by `_codecs.encode`, or `bytes()`.
    pub(crate) fn bytes(self) -> Option<Cow<'p, [u8]>> {
        match self.node()? {
            Node::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
            Node::Call(_) => {
                let call = self.call()?;
                if matches!(call.function().global()?, ("__builtin__" | "builtins", "bytes")) {
                    return call.arguments::<0>().map(|[]| Cow::Borrowed(&[][..]));
                }
                let bytes: Option<Vec<u8>> = self.encoded()?.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
                bytes.map(Cow::Owned)
            }
            _ => None,
        }
    }

    /// Elements of a list, a tuple or a set.
    pub(crate) fn items(self) -> Option<impl ExactSizeIterator<Item = Self>> {
        let items: &[Slot] = match self.node()? {
            Node::List(items) | Node::Set(items) => items,
            Node::Tuple(items) => items,
            _ => return None,
        };
        Some(items.iter().map(move |slot| self.of(*slot)))
    }

    /// Elements of a list or a tuple of exactly `N`.
    pub(crate) fn array<const N: usize>(self) -> Option<[Self; N]> {
        let items: &[Slot] = match self.node()? {
            Node::List(items) => items,
            Node::Tuple(items) => items,
            _ => return None,
        };
        let items: &[Slot; N] = items.try_into().ok()?;
        Some(items.map(|slot| self.of(slot)))
    }

    /// Entries of a dict, or of an object that entries were set in, such as an `OrderedDict`. Of a key that occurs
    /// again, the last entry counts.
    pub(crate) fn entries(self) -> Option<impl ExactSizeIterator<Item = (Self, Self)> + DoubleEndedIterator> {
        let entries: &[(Slot, Slot)] = match self.node()? {
            Node::Dict(entries) => entries,
            Node::Call(call) => &call.entries,
            _ => return None,
        };
        Some(entries.iter().map(move |(key, value)| (self.of(*key), self.of(*value))))
    }

    /// The entry of a string in a dict, or in an object that entries were set in.
    pub(crate) fn get(self, key: &str) -> Option<Self> {
        self.entries()?.rev().find(|(found, _)| found.is(key)).map(|(_, value)| value)
    }

    /// Module and name of a function or class.
    pub(crate) fn global(self) -> Option<(&'p str, &'p str)> {
        let Node::Global(module, name) = self.node()? else { return None };
        let text = |index: u32| self.of(Slot::Node(index)).string();
        Some((text(*module)?, text(*name)?))
    }

    pub(crate) fn call(self) -> Option<Call<'p>> {
        match self.node()? {
            Node::Call(called) => Some(Call { nodes: self.nodes, called }),
            _ => None,
        }
    }

    /// Name of what the program that reads the pickle has to supply.
    pub(crate) fn persistent(self) -> Option<Self> {
        match self.node()? {
            Node::Persistent(name) => Some(self.of(*name)),
            _ => None,
        }
    }
}

impl<'p> Call<'p> {
    /// The callee: a [`global`](Value::global), or the result of another call.
    pub(crate) fn function(self) -> Value<'p> {
        Value::new(self.nodes, self.called.function)
    }

    /// Arguments by position: a tuple.
    pub(crate) fn all_arguments(self) -> Value<'p> {
        Value::new(self.nodes, self.called.arguments)
    }

    /// Arguments by position, if there are exactly `N`.
    pub(crate) fn arguments<const N: usize>(self) -> Option<[Value<'p>; N]> {
        self.all_arguments().array()
    }

    /// State that was set on the result: mostly a dict of its attributes; None if there is none.
    pub(crate) fn state(self) -> Value<'p> {
        Value::new(self.nodes, self.called.state)
    }
}
