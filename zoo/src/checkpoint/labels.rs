//! Names of classes in metadata: a JSON array, since names of folders may hold anything, which JSON escapes.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::registry::CLASSES;

/// Most class names that a file may have: the largest number of classes that a model takes.
#[doc(hidden)]
pub const MAX_LABELS: usize = *CLASSES.end();

/// Description of a valid value, for errors.
pub(super) const EXPECTED: &str = "a JSON array of at most 65536 names";
const _: () = assert!(MAX_LABELS == 65_536, "EXPECTED says it");

/// At most [`MAX_LABELS`] names. Further ones are refused where they begin, and not read.
struct Labels(Vec<String>);

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Bounded;
        impl<'de> Visitor<'de> for Bounded {
            type Value = Labels;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Labels, A::Error> {
                let mut labels = Vec::new();
                while let Some(label) = names.next_element()? {
                    if labels.len() == MAX_LABELS {
                        return Err(A::Error::custom("more names than classes"));
                    }
                    labels.push(label);
                }
                Ok(Labels(labels))
            }
        }
        from.deserialize_seq(Bounded)
    }
}

/// The names in a text of metadata; `None` if it is anything else.
pub(super) fn read(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok().map(|Labels(names)| names)
}
