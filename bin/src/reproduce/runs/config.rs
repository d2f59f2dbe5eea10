//! What decides the numbers of a run, as text by key: its address, its settings, its images and its pretrained weights.

use std::collections::BTreeMap;
use std::fmt::Display;

use pvlu_zoo::text;
use serde_json::{Map, Value};

pub use crate::common::difference::{Difference, NUMERICS};

use crate::common::difference::NONE;
use crate::common::digest;

/// The configuration of a run. How many threads work, where files go and what is printed is no part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config(BTreeMap<String, String>);

/// Characters of a key and of a value at most, more than any program of ours writes.
const LONGEST: (usize, usize) = (40, 4000);

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

    /// What [`to_json`](Self::to_json) made; `None` of anything else, of keys that are no words, and of values that are
    /// longer than any of ours or hold controls.
    pub fn of_json(value: &Value) -> Option<Self> {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let entry = |(key, value): (&String, &Value)| {
            let value = value.as_str()?;
            let fits = key.len() <= LONGEST.0 && value.len() <= LONGEST.1;
            let clean = key.bytes().all(is_word) && !value.contains(char::is_control);
            (fits && clean).then(|| (key.clone(), value.to_owned()))
        };
        Some(Self(value.as_object()?.iter().map(entry).collect::<Option<_>>()?))
    }

    /// SHA-256 over all keys and values.
    pub fn hash(&self) -> String {
        digest::of_bytes(self.to_json().to_string())
    }

    /// A difference to a configuration that was kept.
    pub fn difference(&self, kept: &Self) -> Option<Difference> {
        self.difference_but(kept, &[])
    }

    /// The same, where some keys may differ.
    pub fn difference_but(&self, kept: &Self, may_differ: &[&str]) -> Option<Difference> {
        let keys = self.0.keys().chain(kept.0.keys());
        let differs = |key: &&String| !may_differ.contains(&key.as_str()) && self.0.get(*key) != kept.0.get(*key);
        // What explains the other differences first; else in alphabetical order, whichever of the two has the key.
        let key = keys.filter(differs).min_by_key(|key| (*key != NUMERICS, *key))?;
        let shown = |of: &Self| of.0.get(key).map_or_else(|| NONE.to_owned(), |value| text::shown(value).to_string());
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

    #[test]
    fn another_arithmetic_is_said_before_all_that_differs() {
        let (old, new) = (config().with("epochs", 1), config().with(NUMERICS, 3));
        let difference = new.difference(&old).unwrap();
        assert_eq!(difference.to_string(), "computed by a program before numerics version 3");
        let difference = new.difference(&old.clone().with(NUMERICS, 2)).unwrap();
        assert_eq!(difference.to_string(), "computed with numerics version 2, here it is 3");
        let difference = old.difference_but(&new, &[NUMERICS]).unwrap();
        assert_eq!(difference.to_string(), "there epochs is nothing, here 1");
        assert_eq!(old.difference_but(&new, &[NUMERICS, "epochs"]), None);
    }

    #[test]
    fn what_a_terminal_would_act_on_is_refused_or_escaped_and_what_is_long_is_cut() {
        let json = |key: &str, value: &str| Config::of_json(&serde_json::json!({ key: value }));
        assert!(json("data_warnings", "it's \"odd\", \u{e9}").is_some());
        for (key, value) in [("a\u{1b}[2J", ""), ("a", "\u{1b}[2J"), ("a", "\n"), ("A", ""), (&"a".repeat(41), "")] {
            assert_eq!(json(key, value), None, "{key:?} {value:?}");
        }
        assert_eq!(json("a", &"x".repeat(4001)), None);
        let kept = json("a", &format!("\u{202e}'{}", "x".repeat(300))).unwrap();
        let difference = Config::default().difference(&kept).unwrap();
        assert_eq!(difference.kept, format!("\\u{{202e}}'{}...", "x".repeat(text::SHOWN - 2)));
    }
}
