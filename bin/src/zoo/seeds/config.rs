//! The configuration that tells one training from another.

use std::collections::BTreeMap;

use crate::common::difference::{Difference, NONE, NUMERICS, PRECISION};

/// The configuration of a training: all that its numbers depend on, as texts by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config(pub BTreeMap<String, String>);

impl Config {
    /// The configuration of these texts.
    pub fn of<'a>(texts: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        Self(texts.into_iter().map(|(name, text)| (name.to_owned(), text)).collect())
    }

    /// The configuration as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self.0)
    }

    /// The configuration in a JSON value; `None` if that is none.
    pub fn of_json(value: &serde_json::Value) -> Option<Self> {
        let text = |(name, text): (&String, &serde_json::Value)| Some((name.clone(), text.as_str()?.to_owned()));
        value.as_object()?.iter().map(text).collect::<Option<_>>().map(Self)
    }

    /// The difference to a configuration that was kept: that of the arithmetic if there is one, else the first.
    pub fn difference(&self, kept: &Self) -> Option<Difference> {
        let of = |config: &Self, name: &str| config.0.get(name).cloned().unwrap_or(NONE.to_owned());
        let first = [NUMERICS, PRECISION].into_iter().chain(self.0.keys().chain(kept.0.keys()).map(String::as_str));
        let key = first.into_iter().find(|name| of(self, name) != of(kept, name))?;
        Some(Difference { key: key.to_owned(), here: of(self, key), kept: of(kept, key) })
    }
}
