//! The configuration that decides the numbers of a run: its address, its settings, its images and its pretrained
//! weights.
//!
//! Files hold it as a JSON object of texts. The hash of its bytes tells one configuration from another, so each build
//! writes them as earlier ones did.

use std::collections::BTreeMap;
use std::fmt::Display;

use pvlu::Precision;
use pvlu_zoo::text;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::common::difference::{Difference, NUMERICS, PRECISION, SHARDS};

use super::decimal;
use crate::common::difference::NONE;
use crate::common::digest;
use crate::reproduce::protocol::definition::REGULARIZATION;

/// The configuration of a run. The number of threads, the output folder and the verbosity are no part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Name of the table.
    pub table: String,
    /// Name of the model.
    pub model: String,
    /// Name of the arm, or of a training that arms start from.
    pub arm: String,
    /// Seed of everything that is drawn.
    #[serde(with = "decimal")]
    pub seed: u64,
    /// Text of the activation; none for a training that arms start from, whose activation is ReLU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<String>,
    /// Epochs; in tables 3 to 6 of each arm.
    #[serde(with = "decimal")]
    pub epochs: u64,
    /// Images in a step.
    #[serde(with = "decimal")]
    pub batch_size: usize,
    /// Adam's learning rate, as `{:e}` writes it; in tables 3 to 6 at the start of each arm.
    pub learning_rate: String,
    /// Epochs of the first phase, in tables 3 to 6.
    #[serde(default, with = "decimal::optional", skip_serializing_if = "Option::is_none")]
    pub first_epochs: Option<u64>,
    /// Adam's learning rate at the start of the first phase, as `{:e}` writes it, in tables 3 to 6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_learning_rate: Option<String>,
    /// Name of the file of pretrained weights or `procedural`, in tables 3 to 6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretrained: Option<String>,
    /// SHA-256 of the file of pretrained weights in hexadecimal, in tables 3 to 6; empty if there is no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretrained_sha256: Option<String>,
    /// The setting of a trial, by which other runs are chosen; none of a run of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<String>,
    /// The setting that trials chose for the run; none without a sweep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// The values that are tried, and the seeds of the trials; none without a sweep, and in trials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swept: Option<String>,
    /// SHA-256 of the recipe whose values a sweep changes, by which a first phase is trained; none without a sweep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe_sha256: Option<String>,
    /// The program, the preset and the images.
    #[serde(flatten)]
    pub setup: Setup,
    /// Texts by keys that this build does not know, as another build wrote them.
    #[serde(flatten)]
    pub other: BTreeMap<String, String>,
}

/// The part of a configuration on the program, the preset and the images, which all runs of a command share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Version of the program.
    pub version: String,
    /// Version of the arithmetic; none before version 2.
    #[serde(default, with = "decimal::optional", skip_serializing_if = "Option::is_none")]
    pub numerics: Option<u64>,
    /// Kind of device, whose rounding is its own; none before there were several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Name of a reduced precision; none in `f32`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// Shards that a batch is cut into; none of whole batches.
    #[serde(default, with = "decimal::optional", skip_serializing_if = "Option::is_none")]
    pub shards: Option<u64>,
    /// Name of the data set.
    pub data: String,
    /// SHA-256 of the images and labels in hexadecimal.
    pub data_sha256: String,
    /// Warnings on the data set, separated by `; `.
    pub data_warnings: String,
    /// Description of the preset and of the values that were replaced in it.
    pub preset: String,
    /// The options that replaced values of the preset.
    pub overridden: String,
    /// Number of classes in the data set.
    #[serde(with = "decimal")]
    pub classes: usize,
    /// Number of images to train on.
    #[serde(with = "decimal")]
    pub train_images: usize,
    /// Number of images held out of training.
    #[serde(with = "decimal")]
    pub val_images: usize,
    /// Number of images to test on.
    #[serde(with = "decimal")]
    pub test_images: usize,
}

/// Keys whose values are numbers.
const NUMBERS: [&str; 10] = [
    "seed",
    "epochs",
    "batch_size",
    "first_epochs",
    NUMERICS,
    SHARDS,
    "classes",
    "train_images",
    "val_images",
    "test_images",
];

/// The most bytes in a key and in a value that is read, more than this program writes.
const LONGEST: (usize, usize) = (40, 4000);

/// Keys of values that a sweep can change.
pub const VARIED: [&str; 9] = [
    "trial",
    "chosen",
    "learning_rate",
    "epochs",
    "batch_size",
    "optimizer",
    "schedule",
    "augmentation",
    REGULARIZATION,
];

impl Config {
    /// The address of the run: `TABLE/MODEL/ARM/SEED`, and of a trial with its setting as a fifth part.
    pub fn id(&self) -> String {
        let id = self.id_of(&self.seed);
        self.trial.as_ref().map_or(id.clone(), |setting| format!("{id}/{setting}"))
    }

    /// The address with another text instead of the seed.
    pub fn id_of(&self, seed: &dyn Display) -> String {
        format!("{}/{}/{}/{seed}", self.table, self.model, self.arm)
    }

    /// The address as the stem of a file name. It is unique, since models and arms have no `-`,
    /// and the setting of a trial comes last.
    pub fn stem(&self) -> String {
        self.id().replace('/', "-")
    }

    /// All keys and values, as texts.
    pub fn entries(&self) -> BTreeMap<String, String> {
        let json = self.to_json();
        let entries = json.as_object().into_iter().flatten();
        entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
    }

    /// The keys and values as a JSON object of texts, sorted by keys.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("a struct of texts is a JSON object")
    }

    /// The configuration that [`to_json`](Self::to_json) wrote, in this build or an earlier one.
    ///
    /// # Errors
    ///
    /// Anything else than an object of texts, keys with other characters than lowercase letters, digits and `_`, values
    /// that are too long or hold control characters, and, by name, a key that is missing or whose value is no number as
    /// it is printed. No error shows anything of the file, whose content need not be safe to print.
    pub fn of_json(value: &Value) -> Result<Self, String> {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let is_entry = |(key, value): (&String, &Value)| {
            let is_key = key.len() <= LONGEST.0 && key.bytes().all(is_word);
            let is_text = |value: &str| value.len() <= LONGEST.1 && !value.contains(char::is_control);
            is_key && value.as_str().is_some_and(is_text)
        };
        let Some(entries) = value.as_object().filter(|entries| entries.iter().all(is_entry)) else {
            return Err("expected a configuration".to_owned());
        };
        for key in NUMBERS {
            let text = entries.get(key).and_then(Value::as_str);
            expect(key, text.is_none_or(|text| decimal::parse::<u64>(text).is_some()))?;
        }
        Self::deserialize(value).map_err(|error| format!("expected the configuration of a run: {error}"))
    }

    /// SHA-256 over all keys and values, in hexadecimal.
    pub fn hash(&self) -> String {
        digest::of_bytes(self.to_json().to_string())
    }

    /// The first difference to a configuration that was kept, if there is any.
    pub fn difference(&self, kept: &Self) -> Option<Difference> {
        self.difference_but(kept, &[])
    }

    /// The first difference to a configuration that was kept, apart from keys that may differ.
    pub fn difference_but(&self, kept: &Self, may_differ: &[&str]) -> Option<Difference> {
        let (here, there) = (self.entries(), kept.entries());
        let differs = |key: &&String| !may_differ.contains(&key.as_str()) && here.get(*key) != there.get(*key);
        // The version of the arithmetic comes first, then precision and shards, since they explain other differences;
        // then alphabetical order over the keys of both.
        let all = here.keys().chain(there.keys()).filter(differs);
        let key = all.min_by_key(|key| (*key != NUMERICS, *key != PRECISION, *key != SHARDS, *key))?;
        let missing = match key.as_str() {
            PRECISION => Precision::F32.name(),
            SHARDS => "1",
            _ => NONE,
        };
        let shown = |of: &BTreeMap<String, String>| {
            of.get(key).map_or_else(|| missing.to_owned(), |value| text::shown(value).to_string())
        };
        Some(Difference { key: key.clone(), here: shown(&here), kept: shown(&there) })
    }
}

/// An error about a key of a configuration, unless its value `is_known`. It shows nothing of the value.
pub(super) fn expect(key: &str, is_known: bool) -> Result<(), String> {
    if is_known { Ok(()) } else { Err(format!("expected a known {key} of a run, found another")) }
}

#[cfg(test)]
pub(crate) mod tests;
