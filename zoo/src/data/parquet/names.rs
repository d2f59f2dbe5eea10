//! Names of the classes, in the metadata of a file.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::fault::Fault;

/// Classes that a set may have.
pub(super) const CLASSES: usize = 1 << 16;

/// The names of the classes of a column, in the metadata that Hugging Face writes; `None` if they are not there.
pub(super) fn names(json: &[u8], column: &str) -> Result<Option<Vec<String>>, Fault> {
    let wrong = |found: &str| Fault::damaged(format!("names of the classes of the column {column} {found}"));
    let mut from = serde_json::Deserializer::from_slice(json);
    let found = At(&["info", "features", column, "names"]).deserialize(&mut from);
    let found = found.and_then(|found| from.end().map(|()| found));
    let found = found.map_err(|error| Fault::damaged(format!("metadata of Hugging Face that are no JSON: {error}")))?;
    let names = match found {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(names)) => names,
        Some(_) => return Err(wrong("that are no list")),
    };
    if names.len() > CLASSES {
        return Err(wrong(&format!("that are {}, more than {CLASSES}", names.len())));
    }
    let name = |value| if let Value::String(name) = value { Some(name) } else { None };
    let names: Option<Vec<String>> = names.into_iter().map(name).collect();
    let names = names.ok_or_else(|| wrong("that are not all text"))?;
    let mut seen = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
        return Err(wrong(&format!("of which two are {twice}")));
    }
    Ok(Some(names))
}

/// Reads what lies in maps under these keys, one in the other, and passes over all else.
struct At<'a>(&'a [&'a str]);

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        match self.0 {
            [] => Value::deserialize(from).map(Some),
            _ => from.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the description of columns")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            match self.0 {
                [first, rest @ ..] if key == *first => found = map.next_value_seed(At(rest))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
}
