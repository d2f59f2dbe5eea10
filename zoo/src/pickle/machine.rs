//! The stack machine that a pickle is a program for.

mod stack;

use std::borrow::Cow;

use super::cursor::{self, Cursor};
use super::error::PickleError;
use super::node::{Called, Node, Slot, add, kind};
use super::opcode::{self as op, *};

/// Marks that may be open at once. Python's own pickler stops at a depth of about 500 objects.
const MAX_MARKS: usize = 2000;
/// Objects and positions of the memo that a pickle of no length may have.
const FREE: usize = 256;

/// Reads the pickle that `bytes` begin with, of at most so many operations: its objects, the result, and the length of
/// the pickle.
pub(super) fn run(bytes: &[u8], operations: usize) -> Result<(Vec<Node<'_>>, Slot, usize), PickleError> {
    // Python's pickler takes two bytes for an object at least, and one more to note it in the memo.
    let limit = u32::try_from(bytes.len() / 2 + FREE).unwrap_or(u32::MAX);
    let mut machine = Machine {
        cursor: Cursor::new(bytes),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::new(),
        nodes: Vec::new(),
        limit,
        copied: 0,
        empty: None,
    };
    let mut left = operations;
    loop {
        let position = machine.cursor.position();
        let opcode = machine.cursor.byte().map_err(|error| error.at(position, "operation"))?;
        left = left.checked_sub(1).ok_or_else(|| {
            PickleError::new(format!("at most {operations} operations"), "more").at(position, op::name(opcode))
        })?;
        match machine.step(opcode) {
            Ok(None) => {}
            Ok(Some(root)) => return Ok((machine.nodes, root, machine.cursor.position())),
            Err(error) => return Err(error.at(position, op::name(opcode))),
        }
    }
}

struct Machine<'a> {
    cursor: Cursor<'a>,
    stack: Vec<Slot>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: Vec<Option<Slot>>,
    nodes: Vec<Node<'a>>,
    /// Objects, and positions of the memo, that there may be.
    limit: u32,
    /// Entries that were copied out of arguments.
    copied: usize,
    /// The empty tuple, of which Python has one too, and whose pickle is one byte.
    empty: Option<Slot>,
}

impl<'a> Machine<'a> {
    /// Does one operation. The last gives the result.
    fn step(&mut self, opcode: u8) -> Result<Option<Slot>, PickleError> {
        match opcode {
            STOP => return self.pop().map(Some),
            PROTO => match self.cursor.byte()? {
                0..=5 => {}
                other => return Err(PickleError::new("protocol 0 to 5", other.to_string())),
            },
            FRAME => drop(self.cursor.long()?),
            MARK if self.marks.len() < MAX_MARKS => self.marks.push(self.stack.len()),
            MARK => return Err(PickleError::new(format!("at most {MAX_MARKS} open marks"), "more")),
            POP if self.marks.last() == Some(&self.stack.len()) => drop(self.marks.pop()),
            POP => drop(self.pop()?),
            POP_MARK => {
                let mark = self.mark()?;
                self.stack.truncate(mark);
            }
            DUP => {
                let top = self.pop()?;
                self.stack.extend([top, top]);
            }
            NONE | NEWTRUE | NEWFALSE | INT | BININT | BININT1 | BININT2 | LONG | LONG1 | LONG4 | FLOAT | BINFLOAT => {
                self.number(opcode)?;
            }
            STRING | BINSTRING | SHORT_BINSTRING | BINBYTES | SHORT_BINBYTES | BINBYTES8 | BYTEARRAY8 => {
                self.bytes(opcode)?;
            }
            UNICODE | BINUNICODE | SHORT_BINUNICODE | BINUNICODE8 => self.text(opcode)?,
            PUT | BINPUT | LONG_BINPUT | MEMOIZE | GET | BINGET | LONG_BINGET => self.remember(opcode)?,
            EMPTY_TUPLE | TUPLE | TUPLE1 | TUPLE2 | TUPLE3 | EMPTY_LIST | LIST | EMPTY_DICT | DICT | EMPTY_SET
            | FROZENSET => self.collection(opcode)?,
            APPEND | APPENDS | ADDITEMS | SETITEM | SETITEMS => self.extend(opcode)?,
            GLOBAL | STACK_GLOBAL | REDUCE | NEWOBJ | NEWOBJ_EX | INST | OBJ | BUILD | PERSID | BINPERSID => {
                self.object(opcode)?;
            }
            EXT1 | EXT2 | EXT4 => return Err(PickleError::new("a class by its name", "one by a private number")),
            NEXT_BUFFER | READONLY_BUFFER => return Err(PickleError::new("bytes in the pickle", "bytes beside it")),
            other => return Err(PickleError::new("an operation of pickle protocols 0 to 5", format!("{other:#04x}"))),
        }
        Ok(None)
    }

    fn number(&mut self, opcode: u8) -> Result<(), PickleError> {
        let slot = match opcode {
            NONE => Slot::None,
            NEWTRUE => Slot::Bool(true),
            NEWFALSE => Slot::Bool(false),
            BININT => Slot::Int(i32::from_le_bytes(self.cursor.array()?).into()),
            BININT1 => Slot::Int(self.cursor.byte()?.into()),
            BININT2 => Slot::Int(u16::from_le_bytes(self.cursor.array()?).into()),
            BINFLOAT => Slot::Float(f64::from_be_bytes(self.cursor.array()?)),
            FLOAT => {
                let line = self.cursor.line_of_text()?;
                Slot::Float(line.trim().parse().map_err(|_| PickleError::new("a number", "other text"))?)
            }
            LONG1 | LONG4 => {
                let length = if opcode == LONG1 { self.cursor.byte()?.into() } else { self.cursor.length()? };
                let bytes = self.cursor.take(length)?;
                match small(bytes) {
                    Some(number) => Slot::Int(number),
                    None => self.node(Node::Long)?,
                }
            }
            _ => match (opcode, self.cursor.line()?.trim_ascii()) {
                (INT, b"00") => Slot::Bool(false),
                (INT, b"01") => Slot::Bool(true),
                (_, line) => {
                    let digits = line.strip_suffix(b"L").unwrap_or(line);
                    let number = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
                    Slot::Int(number.ok_or_else(|| PickleError::new("an integer of 64 bits", "other text"))?)
                }
            },
        };
        self.stack.push(slot);
        Ok(())
    }

    fn bytes(&mut self, opcode: u8) -> Result<(), PickleError> {
        let length = match opcode {
            STRING => {
                let bytes = cursor::unquoted(self.cursor.line()?)?;
                return self.push(Node::Bytes(bytes));
            }
            SHORT_BINSTRING | SHORT_BINBYTES => self.cursor.byte()?.into(),
            BINSTRING => self.cursor.length()?,
            BINBYTES => self.cursor.word()?,
            _ => self.cursor.long()?,
        };
        let bytes = self.cursor.take(length)?;
        self.push(Node::Bytes(Cow::Borrowed(bytes)))
    }

    fn text(&mut self, opcode: u8) -> Result<(), PickleError> {
        let length = match opcode {
            UNICODE => {
                let text = cursor::raw_unicode(self.cursor.line()?)?;
                return self.push(Node::Text(Cow::Owned(text)));
            }
            SHORT_BINUNICODE => self.cursor.byte()?.into(),
            BINUNICODE => self.cursor.word()?,
            _ => self.cursor.long()?,
        };
        let text = cursor::text(self.cursor.take(length)?)?;
        self.push(Node::Text(Cow::Borrowed(text)))
    }

    fn remember(&mut self, opcode: u8) -> Result<(), PickleError> {
        let index = match opcode {
            PUT | GET => {
                let line = self.cursor.line_of_text()?;
                line.trim().parse().map_err(|_| PickleError::new("a position of the memo", "other text"))?
            }
            BINPUT | BINGET => self.cursor.byte()?.into(),
            LONG_BINPUT | LONG_BINGET => self.cursor.word()?,
            _ => self.memo.len() as u64,
        };
        let place = usize::try_from(index).ok().filter(|_| index < u64::from(self.limit));
        if matches!(opcode, GET | BINGET | LONG_BINGET) {
            let slot = place.and_then(|place| self.memo.get(place).copied().flatten());
            let slot = slot.ok_or_else(|| PickleError::new("a filled position of the memo", index.to_string()))?;
            self.stack.push(slot);
            return Ok(());
        }
        let Some(place) = place else {
            return Err(PickleError::new(format!("a position of the memo below {}", self.limit), index.to_string()));
        };
        let top = self.pop()?;
        self.stack.push(top);
        if self.memo.len() <= place {
            self.memo.resize(place + 1, None);
        }
        self.memo[place] = Some(top);
        Ok(())
    }

    fn collection(&mut self, opcode: u8) -> Result<(), PickleError> {
        if opcode == EMPTY_TUPLE {
            let slot = match self.empty {
                Some(slot) => slot,
                None => {
                    *self.empty.insert(add(&mut self.nodes, self.limit, Node::Tuple(Box::default())).map(Slot::Node)?)
                }
            };
            self.stack.push(slot);
            return Ok(());
        }
        let node = match opcode {
            TUPLE1 => Node::Tuple(self.popped::<1>()?.into()),
            TUPLE2 => Node::Tuple(self.popped::<2>()?.into()),
            TUPLE3 => Node::Tuple(self.popped::<3>()?.into()),
            TUPLE => Node::Tuple(self.marked()?.into()),
            EMPTY_LIST => Node::List(Vec::new()),
            LIST => Node::List(self.marked()?),
            EMPTY_DICT => Node::Dict(Vec::new()),
            DICT => Node::Dict(pairs(&self.marked()?)?),
            EMPTY_SET => Node::Set(Vec::new()),
            _ => Node::Set(self.marked()?),
        };
        self.push(node)
    }

    /// Adds values to the collection below them on the stack.
    fn extend(&mut self, opcode: u8) -> Result<(), PickleError> {
        let values = match opcode {
            APPEND => self.popped::<1>()?.to_vec(),
            SETITEM => self.popped::<2>()?.to_vec(),
            _ => self.marked()?,
        };
        let target = self.pop()?;
        self.stack.push(target);
        let found = kind(&self.nodes, target);
        let node = if let Slot::Node(index) = target { self.nodes.get_mut(index as usize) } else { None };
        match (node, opcode) {
            (Some(Node::List(list)), APPEND | APPENDS) | (Some(Node::Set(list)), ADDITEMS) => list.extend(values),
            (Some(Node::Dict(entries)), SETITEM | SETITEMS) => entries.extend(pairs(&values)?),
            (Some(Node::Call(call)), SETITEM | SETITEMS) => call.entries.extend(pairs(&values)?),
            (Some(Node::Call(_)), _) => {}
            (_, SETITEM | SETITEMS) => return Err(PickleError::new("a dict", found)),
            (_, ADDITEMS) => return Err(PickleError::new("a set", found)),
            _ => return Err(PickleError::new("a list", found)),
        }
        Ok(())
    }

    fn object(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            GLOBAL => {
                let global = self.global()?;
                self.stack.push(global);
                Ok(())
            }
            STACK_GLOBAL => {
                let names = self.popped::<2>()?;
                let [Slot::Node(module), Slot::Node(name)] = names else { return Err(self.unlike("a name", names[1])) };
                for (index, slot) in [module, name].into_iter().zip(names) {
                    if !matches!(self.nodes[index as usize], Node::Text(_)) {
                        return Err(self.unlike("a name", slot));
                    }
                }
                self.push(Node::Global(module, name))
            }
            REDUCE | NEWOBJ => {
                let [function, arguments] = self.popped()?;
                self.call(function, arguments)
            }
            NEWOBJ_EX => {
                let [function, arguments, _] = self.popped()?;
                self.call(function, arguments)
            }
            INST => {
                let function = self.global()?;
                let arguments = self.marked()?;
                let arguments = self.node(Node::Tuple(arguments.into()))?;
                self.call(function, arguments)
            }
            OBJ => {
                let mut arguments = self.marked()?.into_iter();
                let function = arguments.next().ok_or_else(|| PickleError::new("a class", "nothing"))?;
                let arguments = self.node(Node::Tuple(arguments.collect()))?;
                self.call(function, arguments)
            }
            BUILD => {
                let [target, state] = self.popped()?;
                self.stack.push(target);
                let found = kind(&self.nodes, target);
                let node = if let Slot::Node(index) = target { self.nodes.get_mut(index as usize) } else { None };
                let Some(Node::Call(call)) = node else { return Err(PickleError::new("an object", found)) };
                call.state = state;
                Ok(())
            }
            PERSID => {
                let name = self.cursor.line_of_text()?;
                let name = self.node(Node::Text(Cow::Borrowed(name)))?;
                self.push(Node::Persistent(name))
            }
            _ => {
                let name = self.pop()?;
                self.push(Node::Persistent(name))
            }
        }
    }

    /// A function or class by the two lines that name it.
    fn global(&mut self) -> Result<Slot, PickleError> {
        let mut name = || -> Result<u32, PickleError> {
            let line = self.cursor.line_of_text()?;
            add(&mut self.nodes, self.limit, Node::Text(Cow::Borrowed(line)))
        };
        let (module, name) = (name()?, name()?);
        self.node(Node::Global(module, name))
    }

    fn call(&mut self, function: Slot, arguments: Slot) -> Result<(), PickleError> {
        let node = |slot: Slot| if let Slot::Node(index) = slot { self.nodes.get(index as usize) } else { None };
        if !matches!(node(function), Some(Node::Global(..) | Node::Call(_) | Node::Persistent(_))) {
            return Err(self.unlike("a function or class", function));
        }
        if !matches!(node(arguments), Some(Node::Tuple(_))) {
            return Err(self.unlike("a tuple of arguments", arguments));
        }
        let entries = self.entries_in(function, arguments)?;
        let call = Called { function, arguments, state: Slot::None, entries };
        self.push(Node::Call(Box::new(call)))
    }

    /// The entries of an `OrderedDict` of Python 2, which are its argument: a list of lists of a key and a value.
    fn entries_in(&mut self, function: Slot, arguments: Slot) -> Result<Vec<(Slot, Slot)>, PickleError> {
        let node = |slot: Slot| if let Slot::Node(index) = slot { self.nodes.get(index as usize) } else { None };
        let is = |index: u32, text: &str| matches!(&self.nodes[index as usize], Node::Text(found) if found == text);
        let Some(Node::Global(module, name)) = node(function) else { return Ok(Vec::new()) };
        if !is(*module, "collections") || !is(*name, "OrderedDict") {
            return Ok(Vec::new());
        }
        let Some(Node::Tuple(arguments)) = node(arguments) else { return Ok(Vec::new()) };
        let [list] = arguments[..] else { return Ok(Vec::new()) };
        let Some(Node::List(list)) = node(list) else { return Ok(Vec::new()) };
        // One list may be the argument of many calls.
        let copied = self.copied + list.len();
        if copied > self.limit as usize {
            return Err(PickleError::new(format!("at most {} entries in arguments", self.limit), "more"));
        }
        let pair = |slot: &Slot| match node(*slot) {
            Some(Node::List(pair)) => pair.as_slice().try_into().ok().map(|[key, value]: [Slot; 2]| (key, value)),
            Some(Node::Tuple(pair)) => (&pair[..]).try_into().ok().map(|[key, value]: [Slot; 2]| (key, value)),
            _ => None,
        };
        let entries = list.iter().map(pair).collect::<Option<Vec<_>>>();
        self.copied = copied;
        entries.ok_or_else(|| PickleError::new("a list of keys with values", "another list"))
    }
}

fn pairs(values: &[Slot]) -> Result<Vec<(Slot, Slot)>, PickleError> {
    let (pairs, []) = values.as_chunks() else { return Err(PickleError::new("a value for every key", "a key alone")) };
    Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
}

/// The number of little-endian two's complement, if it has 64 bits at most.
fn small(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut array = [if negative { 0xff } else { 0 }; 8];
    array.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(array))
}
