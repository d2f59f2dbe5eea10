//! Messages of Protocol Buffers: fields that are each a number with a kind, and a value.
//!
//! Only what ONNX files take of it: varints, 32-bit floats, and fields with a length, which are texts, bytes and other
//! messages. See <https://protobuf.dev/programming-guides/encoding/>.

/// Kinds of fields, as they stand in the lowest three bits of a tag.
const VARINT: u64 = 0;
const LENGTH: u64 = 2;
const FIXED32: u64 = 5;

/// The fields of a message, one after the other, without the length that stands before it in another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(Vec<u8>);

impl Message {
    /// The bytes of the fields.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Adds a field of an integer that is not negative.
    #[must_use]
    pub fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3 | VARINT);
        self.varint(value);
        self
    }

    /// Adds a field of an integer: a negative one as its two's complement, which takes ten bytes.
    #[must_use]
    pub fn integer(self, field: u64, value: i64) -> Self {
        self.number(field, value.cast_unsigned())
    }

    /// Adds a field of a 32-bit float.
    #[must_use]
    pub fn float(mut self, field: u64, value: f32) -> Self {
        self.varint(field << 3 | FIXED32);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Adds a field of a text.
    #[must_use]
    pub fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    /// Adds a field of another message.
    #[must_use]
    pub fn message(self, field: u64, message: &Message) -> Self {
        self.bytes(field, &message.0)
    }

    /// Adds the tag and the length of a field whose `length` bytes follow the message.
    #[must_use]
    pub fn begin(mut self, field: u64, length: u64) -> Self {
        self.varint(field << 3 | LENGTH);
        self.varint(length);
        self
    }

    /// Adds the fields of another message to this one.
    #[must_use]
    pub fn append(mut self, message: &Message) -> Self {
        self.0.extend_from_slice(&message.0);
        self
    }

    fn bytes(self, field: u64, bytes: &[u8]) -> Self {
        let mut begun = self.begin(field, bytes.len() as u64);
        begun.0.extend_from_slice(bytes);
        begun
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests;
