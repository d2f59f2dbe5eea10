//! Bounds of the values that options and protocols give, and the form of names.

/// The most epochs accepted: more than anyone can wait for, and few enough that the number of steps is a `u64`.
pub const MAX_EPOCHS: u64 = 1_000_000;

/// The most pixels of a shift or a square accepted: the side of CIFAR's images.
pub const MAX_PIXELS: usize = pvlu_zoo::data::SIDE;

/// The most images that a budget or a training may name: as many as a set may have.
pub const MAX_IMAGES: usize = 10_000_000;

/// The largest side of a network's images.
pub const MAX_SIDE: usize = 4096;

/// The most characters in the name of an arm or a protocol.
const LONGEST_NAME: usize = 64;

/// True if a name can be that of an arm or a protocol: at most 64 letters, digits and `_`, as in the names of a user's
/// own activations.
pub fn is_name(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(is_word)
}
