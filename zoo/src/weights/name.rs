//! Names from a file, for people.

use std::fmt;

/// Characters of a name that are shown at most.
const SHOWN: usize = 200;

/// Shows a name of a file on one line: as it is, or quoted and escaped if it is empty or holds anything that a terminal
/// would act on or that looks like the end of the name. A very long one is cut.
pub(super) fn shown(name: &str) -> impl fmt::Display {
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

/// Shows a shape: `[64, 3, 7, 7]`, or `a scalar`.
pub(super) fn shape(dims: &[usize]) -> impl fmt::Display {
    struct Shape<'a>(&'a [usize]);
    impl fmt::Display for Shape<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            if self.0.is_empty() { f.write_str("a scalar") } else { write!(f, "{:?}", self.0) }
        }
    }
    Shape(dims)
}

/// Number of elements of a shape, `None` if it does not fit into a `usize`.
pub(super) fn elements(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1_usize, |product, dim| product.checked_mul(*dim))
}

/// Text that another crate made, perhaps out of bytes of the file, with control characters escaped.
pub(super) fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
