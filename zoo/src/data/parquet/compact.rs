//! The compact protocol of Thrift, in which the headers of pages and the footer are written
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>).

use std::io::{self, Read};

use super::fault::Fault;

/// Maximum depth of what is passed over.
const DEPTH: usize = 16;

/// Codes of the types that values have.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
pub(super) const STRUCT: u8 = 12;

/// A reader of values.
pub(super) struct Compact<R>(pub(super) R);

impl<R: Read> Compact<R> {
    fn byte(&mut self) -> Result<u8, Fault> {
        let mut byte = [0];
        self.0.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Fault::damaged("an integer of too many bytes"))
    }

    /// An integer whose lowest bit is its sign.
    fn integer(&mut self) -> Result<i64, Fault> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Gives every field of a struct, by its number and type, to `field`, which reads it or returns false.
    pub(super) fn fields(
        &mut self,
        field: &mut dyn FnMut(&mut Self, i64, u8) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let mut id = 0;
        loop {
            let begin = self.byte()?;
            let kind = begin & 0xf;
            if kind == 0 {
                return Ok(());
            }
            let beyond = match begin >> 4 {
                0 => self.integer()?.checked_sub(id),
                delta => Some(i64::from(delta)),
            };
            id = beyond
                .and_then(|beyond| id.checked_add(beyond))
                .ok_or_else(|| Fault::damaged("the number of a field"))?;
            if !field(self, id, kind)? {
                self.pass_over(kind, 0)?;
            }
        }
    }

    /// A number that is not negative and fits into 32 bits with a sign.
    pub(super) fn count(&mut self, kind: u8) -> Result<usize, Fault> {
        if kind != I32 {
            return Err(Fault::damaged("a number of another type"));
        }
        let value = self.integer()?;
        i32::try_from(value)
            .ok()
            .and_then(|value| usize::try_from(value).ok())
            .ok_or_else(|| Fault::damaged(format!("a number of {value} where one from 0 on is expected")))
    }

    /// A number of 64 bits that is not negative.
    pub(super) fn long(&mut self, kind: u8) -> Result<u64, Fault> {
        if kind != I64 {
            return Err(Fault::damaged("a number of another type"));
        }
        let value = self.integer()?;
        u64::try_from(value).map_err(|_| Fault::damaged(format!("a number of {value} where one from 0 on is expected")))
    }

    /// Bytes; room for them is made as they arrive.
    pub(super) fn bytes(&mut self, kind: u8) -> Result<Vec<u8>, Fault> {
        if kind != BINARY {
            return Err(Fault::damaged("another type where text is expected"));
        }
        let len = self.varint()?;
        let mut bytes = Vec::new();
        (&mut self.0).take(len).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == len { Ok(bytes) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) }
    }

    /// Has `element` read every struct of a list.
    pub(super) fn structs(
        &mut self,
        kind: u8,
        element: &mut dyn FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if kind != LIST {
            return Err(Fault::damaged("another type where a list is expected"));
        }
        let begin = self.byte()?;
        let len = if begin >> 4 == 15 { self.varint()? } else { u64::from(begin >> 4) };
        if len > 0 && begin & 0xf != STRUCT {
            return Err(Fault::damaged("a list of another type"));
        }
        (0..len).try_for_each(|_| element(self))
    }

    /// The value of a field that is true or false, which its type is.
    pub(super) fn is_true(kind: u8) -> Result<bool, Fault> {
        match kind {
            TRUE => Ok(true),
            FALSE => Ok(false),
            _ => Err(Fault::damaged("another type where true or false is expected")),
        }
    }

    /// Passes over the value of a field. In lists, what is true or false takes a byte.
    fn pass_over(&mut self, kind: u8, depth: usize) -> Result<(), Fault> {
        if depth > DEPTH {
            return Err(Fault::damaged("a header that is too deep"));
        }
        match kind {
            TRUE | FALSE if depth == 0 => {}
            TRUE | FALSE | BYTE => drop(self.byte()?),
            4 | I32 | I64 => drop(self.varint()?),
            DOUBLE => self.skip(8)?,
            BINARY => {
                let len = self.varint()?;
                self.skip(len)?;
            }
            LIST | SET => {
                let begin = self.byte()?;
                let len = if begin >> 4 == 15 { self.varint()? } else { u64::from(begin >> 4) };
                for _ in 0..len {
                    self.pass_over(begin & 0xf, depth + 1)?;
                }
            }
            MAP => {
                let len = self.varint()?;
                let kinds = if len > 0 { self.byte()? } else { 0 };
                for _ in 0..len {
                    self.pass_over(kinds >> 4, depth + 1)?;
                    self.pass_over(kinds & 0xf, depth + 1)?;
                }
            }
            STRUCT => {
                let mut deeper = |this: &mut Self, _, kind: u8| {
                    // The type of a field is its value if it is true or false.
                    if !matches!(kind, TRUE | FALSE) {
                        this.pass_over(kind, depth + 1)?;
                    }
                    Ok(true)
                };
                self.fields(&mut deeper)?;
            }
            _ => return Err(Fault::damaged(format!("a field of the unknown type {kind}"))),
        }
        Ok(())
    }

    fn skip(&mut self, len: u64) -> Result<(), Fault> {
        let skipped = io::copy(&mut (&mut self.0).take(len), &mut io::sink())?;
        if skipped == len { Ok(()) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) }
    }
}
