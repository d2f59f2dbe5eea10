//! What decides the numbers of a run, as text by key: its address, its settings, its images and its pretrained weights.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::{Map, Value};

use crate::digest;

/// The configuration of a run. How many threads work, where files go and what is printed is no part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config(BTreeMap<String, String>);

/// Two configurations that should be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The first key that differs.
    pub key: String,
    /// Of this command.
    pub here: String,
    /// Of what was kept.
    pub kept: String,
}

impl Config {
    /// The same with another value.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Display) -> Self {
        self.0.insert(key.to_owned(), value.to_string());
        self
    }

    /// A value; nothing for a key that there is not.
    pub fn get(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    /// What the run is addressed by: `TABLE/MODEL/ARM/SEED`.
    pub fn id(&self) -> String {
        ["table", "model", "arm", "seed"].map(|key| self.get(key)).join("/")
    }

    /// The address as a name of a file: models and arms have no `-`.
    pub fn stem(&self) -> String {
        self.id().replace('/', "-")
    }

    /// All keys and values, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// As a JSON object.
    pub fn to_json(&self) -> Value {
        self.entries().map(|(key, value)| (key.to_owned(), Value::from(value))).collect::<Map<_, _>>().into()
    }

    /// What [`to_json`](Self::to_json) made; `None` of anything else.
    pub fn of_json(value: &Value) -> Option<Self> {
        let entry = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
        Some(Self(value.as_object()?.iter().map(entry).collect::<Option<_>>()?))
    }

    /// SHA-256 over all keys and values.
    pub fn hash(&self) -> String {
        digest::of_bytes(self.to_json().to_string())
    }

    /// The first difference to a configuration that was kept.
    pub fn difference(&self, kept: &Self) -> Option<Difference> {
        let keys = self.0.keys().chain(kept.0.keys());
        let differs = |key: &&String| self.0.get(*key) != kept.0.get(*key);
        // In alphabetical order, whichever of the two has the key.
        let key = keys.filter(differs).min()?;
        let shown = |of: &Self| of.0.get(key).cloned().unwrap_or_else(|| "nothing".to_owned());
        Some(Difference { key: key.clone(), here: shown(self), kept: shown(kept) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::default().with("table", "table3").with("model", "vgg16").with("arm", "pvlu").with("seed", 2)
    }

    #[test]
    fn a_run_has_an_address_and_a_name() {
        assert_eq!(config().id(), "table3/vgg16/pvlu/2");
        assert_eq!(config().stem(), "table3-vgg16-pvlu-2");
    }

    #[test]
    fn a_difference_is_named_and_changes_the_hash() {
        let (here, kept) = (config().with("epochs", 3), config().with("epochs", 5));
        let difference = here.difference(&kept).unwrap();
        assert_eq!((&*difference.key, &*difference.here, &*difference.kept), ("epochs", "3", "5"));
        assert_eq!(here.difference(&config()).unwrap().kept, "nothing");
        assert_eq!(config().difference(&here).unwrap().here, "nothing");
        assert_eq!(here.difference(&here.clone()), None);
        assert_ne!(here.hash(), kept.hash());
        // Where a value ends counts.
        assert_ne!(Config::default().with("a", "bc").hash(), Config::default().with("ab", "c").hash());
        assert_eq!(here.hash().len(), 64);
        assert_eq!(Config::of_json(&here.to_json()), Some(here));
        assert_eq!(Config::of_json(&serde_json::json!({"epochs": 3})), None);
    }
}
