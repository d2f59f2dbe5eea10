//! Names and shapes from a file, as messages show them.

use std::fmt;

use crate::text::{self, SHOWN};

/// Key of the metadata under which a file names its activation.
#[doc(hidden)]
pub const ACTIVATION_KEY: &str = "pvlu_zoo.activation";

/// Shows a name of a file on one line: as it is, or quoted and escaped if it is empty or holds anything that a terminal
/// would act on or that looks like the end of the name. A very long one is cut.
pub(crate) fn shown(name: &str) -> impl fmt::Display {
    struct Shown<'a>(&'a str);
    impl fmt::Display for Shown<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let plain = |c: char| c.is_alphanumeric() || c.is_ascii_graphic();
            if !self.0.is_empty() && self.0.chars().take(SHOWN).all(plain) {
                text::shown(self.0).fmt(f)
            } else {
                text::quoted(self.0).fmt(f)
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
pub(crate) fn shape<T: fmt::Debug>(dims: &[T]) -> impl fmt::Display {
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
