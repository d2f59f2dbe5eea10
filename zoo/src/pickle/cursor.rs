//! The bytes of a pickle from front to back.

use std::borrow::Cow;

use super::error::PickleError;

/// Position in the bytes of a pickle.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8], PickleError> {
        let wanted = usize::try_from(count).ok().filter(|count| *count <= self.left());
        let Some(count) = wanted else { return Err(PickleError::cut(format!("{count} bytes"), self.left())) };
        let (start, end) = (self.position, self.position + count);
        self.position = end;
        Ok(&self.bytes[start..end])
    }

    /// The next `N` bytes, for a number.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    pub(super) fn byte(&mut self) -> Result<u8, PickleError> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn word(&mut self) -> Result<u64, PickleError> {
        self.array().map(u32::from_le_bytes).map(u64::from)
    }

    /// Length of four bytes that is signed in the protocol.
    pub(super) fn length(&mut self) -> Result<u64, PickleError> {
        let length = self.array().map(i32::from_le_bytes)?;
        u64::try_from(length).map_err(|_| PickleError::new("a length", length.to_string()))
    }

    pub(super) fn long(&mut self) -> Result<u64, PickleError> {
        self.array().map(u64::from_le_bytes)
    }

    /// The text up to the end of the line.
    pub(super) fn line(&mut self) -> Result<&'a [u8], PickleError> {
        let rest = &self.bytes[self.position..];
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            return Err(PickleError::cut("a line", rest.len()));
        };
        self.position += end + 1;
        Ok(&rest[..end])
    }

    /// A line that is UTF-8.
    pub(super) fn line_of_text(&mut self) -> Result<&'a str, PickleError> {
        text(self.line()?)
    }
}

/// Text of a pickle, which is UTF-8.
pub(super) fn text(bytes: &[u8]) -> Result<&str, PickleError> {
    str::from_utf8(bytes)
        .map_err(|error| PickleError::new("UTF-8", format!("byte {:#04x}", bytes[error.valid_up_to()])))
}

/// Bytes between quotation marks with Python's escapes, as protocol 0 writes the strings of Python 2.
pub(super) fn unquoted(line: &[u8]) -> Result<Cow<'_, [u8]>, PickleError> {
    let problem = |found: &str| PickleError::new("a string in quotation marks", found);
    let [first @ (b'\'' | b'"'), inner @ .., last] = line.trim_ascii() else { return Err(problem("none")) };
    if first != last {
        return Err(problem("an open one"));
    }
    if !inner.contains(&b'\\') {
        return Ok(Cow::Borrowed(inner));
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        let [escape, after @ ..] = rest else { return Err(problem("one that ends in a backslash")) };
        rest = after;
        bytes.push(match escape {
            b'\\' | b'\'' | b'"' => *escape,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let [high, low, after @ ..] = rest else { return Err(problem("an escape of one digit")) };
                rest = after;
                let digit = |digit: u8| char::from(digit).to_digit(16).ok_or_else(|| problem("an unknown escape"));
                // Below 256.
                (16 * digit(*high)? + digit(*low)?) as u8
            }
            _ => return Err(problem("an unknown escape")),
        });
    }
    Ok(Cow::Owned(bytes))
}

/// Text with the escapes `\uXXXX` and `\UXXXXXXXX`, in which other bytes stand for the first 256 characters, as
/// protocol 0 writes it.
pub(super) fn raw_unicode(line: &[u8]) -> Result<String, PickleError> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let [byte, after @ ..] = rest {
        rest = after;
        let digits = match (byte, rest.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                text.push(char::from(*byte));
                continue;
            }
        };
        let code = rest.get(1..=digits).and_then(|code| str::from_utf8(code).ok());
        let code = code.and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32);
        text.push(code.ok_or_else(|| PickleError::new("a character", "an escape of none"))?);
        rest = &rest[digits + 1..];
    }
    Ok(text)
}
