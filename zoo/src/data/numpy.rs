//! Arrays of NumPy: in pickles, and in files of its own format.
//!
//! A file (`.npy`, and each one in `.npz`) has the bytes `\x93NUMPY`, a version, the length of a header and the header,
//! a dict in the syntax of Python: `{'descr': '|u1', 'fortran_order': False, 'shape': (60000, 28, 28), }`
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};

use crate::pickle::{Call, Value};

/// Most bytes of a header that are read; NumPy itself reads 10,000.
const HEADER: usize = 10_000;

/// Most axes of an array that is read here.
const AXES: usize = 8;

/// Type of the elements of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Integers of one byte without a sign.
    U8,
    /// Other integers: number of bytes, whether they have a sign, whether the most significant byte comes first.
    Int { bytes: usize, signed: bool, big: bool },
    /// Anything else, by its description.
    Other(String),
}

impl Kind {
    /// The type of a description such as `<i8`.
    fn of(description: &str) -> Self {
        let other = || Self::Other(description.to_owned());
        let (order, rest) = match description.as_bytes() {
            [order @ (b'<' | b'>' | b'|' | b'='), ..] => (*order, &description[1..]),
            _ => (b'=', description),
        };
        let (signed, bytes) = match rest {
            "u1" => return Self::U8,
            "i1" => (true, 1),
            "i2" | "i4" | "i8" | "u2" | "u4" | "u8" => (rest.starts_with('i'), usize::from(rest.as_bytes()[1] - b'0')),
            _ => return other(),
        };
        Self::Int { bytes, signed, big: order == b'>' }
    }

    /// Bytes of an element; `None` for what is no integer.
    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Self::U8 => Some(1),
            Self::Int { bytes, .. } => Some(*bytes),
            Self::Other(_) => None,
        }
    }

    /// The integers in these bytes; `None` if the elements are none, if the last one is cut, or if one is larger than
    /// an `i64`.
    pub(super) fn integers(&self, bytes: &[u8]) -> Option<Vec<i64>> {
        let (len, signed, big) = match self {
            Self::U8 => return Some(bytes.iter().copied().map(i64::from).collect()),
            Self::Int { bytes, signed, big } => (*bytes, *signed, *big),
            Self::Other(_) => return None,
        };
        let integer = |element: &[u8]| {
            let last = if big { element.first() } else { element.last() };
            let is_negative = signed && last.is_some_and(|byte| byte & 0x80 != 0);
            let mut wide = [if is_negative { 0xff } else { 0 }; 16];
            element.iter().enumerate().for_each(|(at, byte)| wide[if big { len - 1 - at } else { at }] = *byte);
            i64::try_from(i128::from_le_bytes(wide)).ok()
        };
        if !bytes.len().is_multiple_of(len) {
            return None;
        }
        bytes.chunks_exact(len).map(integer).collect()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::U8 => f.write_str("uint8"),
            Self::Int { bytes, signed, .. } => write!(f, "{}int{}", if *signed { "" } else { "u" }, 8 * bytes),
            Self::Other(description) => f.write_str(description),
        }
    }
}

/// An array in a pickle.
#[derive(Debug)]
pub(super) struct Pickled<'p> {
    pub(super) kind: Kind,
    pub(super) shape: Vec<usize>,
    /// True if the first axis varies fastest.
    pub(super) fortran: bool,
    pub(super) bytes: Cow<'p, [u8]>,
}

/// Returns true if a pickle names a function of NumPy by this name, in the module of any version.
fn is_numpy(call: Call<'_>, modules: [&str; 2], name: &str) -> bool {
    call.function().global().is_some_and(|(module, found)| modules.contains(&module) && found == name)
}

/// The array that a value of a pickle describes; `None` if it is none.
pub(super) fn pickled(value: Value<'_>) -> Option<Pickled<'_>> {
    let call = value.call()?;
    if is_numpy(call, ["numpy.core.multiarray", "numpy._core.multiarray"], "_reconstruct") {
        let [_, shape, dtype, fortran, bytes] = call.state().array()?;
        let fortran = fortran.bool().or_else(|| fortran.int().map(|flag| flag != 0))?;
        return Some(Pickled { kind: kind(dtype)?, shape: dims(shape)?, fortran, bytes: bytes.bytes()? });
    }
    // Protocol 5.
    if is_numpy(call, ["numpy.core.numeric", "numpy._core.numeric"], "_frombuffer") {
        let [bytes, dtype, shape, order] = call.arguments()?;
        let fortran = order.text()? == "F";
        return Some(Pickled { kind: kind(dtype)?, shape: dims(shape)?, fortran, bytes: bytes.bytes()? });
    }
    None
}

/// The integer that a value of a pickle describes as one of NumPy; `None` if it is none.
pub(super) fn pickled_integer(value: Value<'_>) -> Option<i64> {
    let call = value.call()?;
    if !is_numpy(call, ["numpy.core.multiarray", "numpy._core.multiarray"], "scalar") {
        return None;
    }
    let [dtype, bytes] = call.arguments()?;
    match kind(dtype)?.integers(&bytes.bytes()?)?[..] {
        [integer] => Some(integer),
        _ => None,
    }
}

fn dims(shape: Value<'_>) -> Option<Vec<usize>> {
    let items = shape.items().filter(|items| items.len() <= AXES)?;
    items.map(Value::usize).collect()
}

/// The type that `numpy.dtype('u1', False, True)` is, with the order of bytes that its state gives.
fn kind(dtype: Value<'_>) -> Option<Kind> {
    let call = dtype.call().filter(|call| is_numpy(*call, ["numpy", "numpy"], "dtype"))?;
    let [name, _, _] = call.arguments()?;
    let order = call.state().items().and_then(|mut state| state.nth(1)).and_then(Value::text).unwrap_or("=");
    Some(Kind::of(&format!("{order}{}", name.text()?)))
}

/// Header of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
}

impl Header {
    /// Reads the header that a file begins with. The error says what was found instead of one.
    pub(super) fn read(reader: &mut dyn Read) -> Result<Self, String> {
        let io = |error: io::Error| crate::text::system(&error);
        let mut begin = [0; 8];
        reader.read_exact(&mut begin).map_err(io)?;
        let [0x93, b'N', b'U', b'M', b'P', b'Y', version, _] = begin else {
            return Err("no signature of NumPy".to_owned());
        };
        let mut len = [0; 4];
        match version {
            1 => reader.read_exact(&mut len[..2]).map_err(io)?,
            2 | 3 => reader.read_exact(&mut len).map_err(io)?,
            _ => return Err(format!("version {version} of NumPy's format")),
        }
        let len = u32::from_le_bytes(len) as usize;
        if len > HEADER {
            return Err(format!("a header of {len} bytes"));
        }
        let mut header = vec![0; len];
        reader.read_exact(&mut header).map_err(io)?;
        let header = String::from_utf8_lossy(&header);
        Self::parse(&header).ok_or_else(|| format!("the header {}", crate::text::quoted(header.trim_end())))
    }

    fn parse(header: &str) -> Option<Self> {
        let (mut kind, mut fortran, mut shape) = (None, None, None);
        let mut rest = header.trim().strip_prefix('{')?.trim_start();
        while !rest.starts_with('}') {
            let (key, after) = string(rest)?;
            let value = after.trim_start().strip_prefix(':')?.trim_start();
            rest = match key {
                "descr" if value.starts_with('[') => {
                    // A type of several fields.
                    kind = Some(Kind::Other("a type of several fields".to_owned()));
                    &value[value.rfind(']')? + 1..]
                }
                "descr" => {
                    let (description, rest) = string(value)?;
                    kind = Some(Kind::of(description));
                    rest
                }
                "fortran_order" => {
                    let is_true = value.strip_prefix("True");
                    fortran = Some(is_true.is_some());
                    is_true.or_else(|| value.strip_prefix("False"))?
                }
                "shape" => {
                    let (dims, rest) = value.strip_prefix('(')?.split_once(')')?;
                    let dims = dims.split(',').map(str::trim).filter(|dim| !dim.is_empty());
                    shape = Some(dims.map(|dim| dim.parse().ok()).collect::<Option<Vec<usize>>>()?);
                    rest
                }
                _ => return None,
            };
            rest = rest.trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        let shape = shape.filter(|shape| shape.len() <= AXES)?;
        (rest == "}").then_some(Self { kind: kind?, fortran: fortran?, shape })
    }
}

/// A string in single or double quotes that `text` begins with, and what follows it.
fn string(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    text[1..].split_once(quote)
}

#[cfg(test)]
mod tests;
