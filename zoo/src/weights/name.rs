//! Names from a file, for people.

use std::fmt;

/// Characters of a name that are shown at most.
const SHOWN: usize = 200;

/// Shows a name of a file on one line: as it is, or quoted and escaped if it is empty or holds anything that a terminal
/// would act on or that looks like the end of the name. A very long one is cut.
pub(crate) fn shown(name: &str) -> impl fmt::Display {
    struct Shown<'a>(&'a str);
    impl fmt::Display for Shown<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let (name, rest) = match self.0.char_indices().nth(SHOWN) {
                Some((end, _)) => (&self.0[..end], "..."),
                None => (self.0, ""),
            };
            let plain = |c: char| c.is_alphanumeric() || c.is_ascii_graphic();
            if !name.is_empty() && name.chars().all(plain) {
                write!(f, "{name}{rest}")
            } else {
                write!(f, "{name:?}{rest}")
            }
        }
    }
    Shown(name)
}

/// The layer that a tensor of a file belongs to: `conv1` of `conv1.weight` and of `conv1/kernel`.
pub(crate) fn layer_of(key: &str) -> &str {
    key.rsplit_once(['.', '/']).map_or(key, |(layer, _)| layer)
}

/// Dimensions of a shape that are shown at most.
const RANK: usize = 8;

/// Shows a shape: `[64, 3, 7, 7]`, or `a scalar`. One of very many dimensions is cut.
pub(super) fn shape<T: fmt::Debug>(dims: &[T]) -> impl fmt::Display {
    struct Shape<'a, T>(&'a [T]);
    impl<T: fmt::Debug> fmt::Display for Shape<'_, T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.0 {
                [] => f.write_str("a scalar"),
                dims if dims.len() <= RANK => write!(f, "{dims:?}"),
                dims => write!(f, "{:?} and {} dimensions more", &dims[..RANK], dims.len() - RANK),
            }
        }
    }
    Shape(dims)
}

/// Number of elements of a shape, `None` if it does not fit into a `usize`.
pub(super) fn elements(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1_usize, |product, dim| product.checked_mul(*dim))
}

/// Characters of a message of another crate that are shown at most.
const QUOTED: usize = 500;

/// A message that another crate made, perhaps out of bytes of the file: on one line, and cut if it is very long.
pub(super) fn printable(message: &str) -> String {
    let mut text = String::new();
    for c in message.chars().take(QUOTED) {
        if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
    }
    if message.chars().nth(QUOTED).is_some() {
        text.push_str("...");
    }
    text
}
