//! The state of a training, in memory and on disk, so that the training can be interrupted.

use std::collections::BTreeMap;
use std::path::Path;

use pvlu::{Error, NUMERICS_VERSION};
use serde_json::{Value, json};

use super::average::Average;
use super::evaluate::Evaluation;
use super::optimizer::{Optimizer, OptimizerConfig};
use super::precision::Reduced;
use super::record::EpochRecord;
use crate::model::Model;
use crate::snapshot::Snapshot;
use crate::weights::{Declared, Dtype, WeightsError, Writer};

/// The state of a training: all that the rest of it depends on, beside the network, its settings and its images. There
/// is no random state: orders, augmentations and the masks of dropouts are functions of the seed and of the counts
/// here.
#[derive(Clone, Debug, PartialEq)]
pub struct FitState {
    /// Records of the finished epochs.
    pub epochs: Vec<EpochRecord>,
    /// Steps done of the epoch under way.
    pub steps: u64,
    pub(super) sums: Sums,
    pub(super) optimizer: Optimizer,
    /// The moving average of the network, once there is one.
    pub(super) average: Option<Average>,
    /// Precision of the steps that were done; `None` before the training begins.
    pub(super) reduced: Option<Reduced>,
    /// Time spent on the epoch under way, in seconds.
    pub seconds: f64,
}

/// Sums over the steps of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Sum of the losses of the images.
    pub loss: f64,
    /// Images whose largest logit was that of their label.
    pub correct: u64,
    pub images: u64,
}

impl FitState {
    /// The state before the first step.
    pub fn new(optimizer: OptimizerConfig) -> Self {
        let (sums, optimizer) = (Sums::default(), Optimizer::new(optimizer));
        Self { epochs: Vec::new(), steps: 0, sums, optimizer, average: None, reduced: None, seconds: 0.0 }
    }

    /// Writes the moving average of the network, if the training has one, into this model of the same kind. It is what
    /// the last evaluations were of.
    ///
    /// # Errors
    ///
    /// Those of the model.
    pub fn put_average_into(&self, model: &mut dyn Model) -> Result<(), Error> {
        self.average.as_ref().map_or(Ok(()), |average| average.put_into(model))
    }

    /// The values of the network that the last evaluations were of: its moving average, if the training has one, else
    /// those that training moves in this model.
    ///
    /// # Errors
    ///
    /// Those of the model.
    pub fn measured(&self, model: &dyn Model) -> Result<Snapshot, Error> {
        match &self.average {
            Some(average) => Ok(Snapshot::from_values(average.values().clone())),
            None => Snapshot::of_moving(model),
        }
    }

    /// Mean loss of the steps of the epoch under way, by image; `None` before the first.
    pub fn mean_loss(&self) -> Option<f64> {
        (self.sums.images > 0).then(|| self.sums.loss / self.sums.images as f64)
    }

    /// Saves a network and the state of its training, with what the caller wants to find again beside them. The file is
    /// whole or not there: safetensors, with tensors `model.PATH`, `first.PATH` and `second.PATH` for the moments of
    /// the optimizer, and `average.PATH`; its metadata say the rest, and a checksum of the tensors.
    ///
    /// # Errors
    ///
    /// A failed write.
    pub fn save(
        &self,
        model: &dyn Model,
        path: &Path,
        metadata: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), WeightsError> {
        let snapshot = Snapshot::of(model)?;
        let moments = self.optimizer.state();
        let model = snapshot.values().iter().map(|(path, values)| (format!("{MODEL}{path}"), values));
        let first = moments.iter().map(|(path, moments)| (format!("{FIRST}{path}"), &moments.first));
        let second = moments.iter().map(|(path, moments)| (format!("{SECOND}{path}"), &moments.second));
        let average = self.average.iter().flat_map(Average::values);
        let average = average.map(|(path, values)| (format!("{AVERAGE}{path}"), values));
        let tensors: Vec<(String, &Vec<f32>)> =
            model.chain(first).chain(second).chain(average).filter(|(_, values)| !values.is_empty()).collect();
        let updates: BTreeMap<&str, u64> =
            moments.iter().map(|(path, moments)| (path.as_str(), moments.steps)).collect();
        let Sums { learning_rate, loss, correct, images } = self.sums;
        let mut text = json!({
            "epochs": self.epochs.iter().map(EpochRecord::to_json).collect::<Vec<_>>(),
            "steps": self.steps,
            "learning_rate": learning_rate.to_string(), "loss": loss.to_string(), "correct": correct, "images": images,
            "seconds": self.seconds.to_string(),
            "updates": updates,
            "numerics": NUMERICS_VERSION,
        });
        if let Some(reduced) = self.reduced.as_ref().and_then(Reduced::to_json) {
            text[PRECISION] = reduced;
        }
        let mut said: BTreeMap<String, String> = metadata.into_iter().collect();
        text["crc32"] = checksum(&text, &said, tensors.iter().map(|(_, values)| values.as_slice())).into();
        said.insert(STATE.to_owned(), text.to_string());
        let declare = |(name, values): &(String, &Vec<f32>)| Declared {
            name: name.clone(),
            dtype: Dtype::of::<f32>(),
            shape: vec![values.len()],
        };
        let mut writer = Writer::create(path, tensors.iter().map(declare).collect(), &said)?;
        tensors.iter().try_for_each(|(name, values)| writer.write(name, values))?;
        writer.finish()
    }
}

/// Prefixes of the names in the file.
pub(super) const MODEL: &str = "model.";
pub(super) const FIRST: &str = "first.";
pub(super) const SECOND: &str = "second.";
pub(super) const AVERAGE: &str = "average.";
/// Key of the metadata that holds the state.
pub(super) const STATE: &str = "pvlu_zoo.training";
/// Key of the state that holds the precision of layers whose factors are rounded, if there are any.
pub(super) const PRECISION: &str = "precision";

/// CRC-32 of a state, the metadata beside it, and the tensors' values as bytes of the file: safetensors itself would
/// not notice a flipped bit.
pub(super) fn checksum<'a>(
    state: &Value,
    metadata: &BTreeMap<String, String>,
    tensors: impl Iterator<Item = &'a [f32]>,
) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(state.to_string().as_bytes());
    for (key, value) in metadata {
        hasher.update(key.as_bytes());
        hasher.update(value.as_bytes());
    }
    let mut bytes = Vec::new();
    for values in tensors {
        for piece in values.chunks(1 << 14) {
            bytes.clear();
            bytes.extend(piece.iter().flat_map(|value| value.to_le_bytes()));
            hasher.update(&bytes);
        }
    }
    hasher.finalize()
}

/// Numbers as text, because JSON has no NaN; they are read again to the bit.
impl EpochRecord {
    /// The record as JSON, which [`of_json`](Self::of_json) reads.
    pub fn to_json(&self) -> Value {
        let Self { epoch, learning_rate, train_loss, train_top1, validation, test, seconds } = self;
        let of = |evaluation: &Evaluation| {
            let Evaluation { images, top1, top5, loss } = evaluation;
            json!([images.to_string(), top1.to_string(), top5.to_string(), loss.to_string()])
        };
        json!({
            "epoch": epoch, "learning_rate": learning_rate.to_string(), "train_loss": train_loss.to_string(),
            "train_top1": train_top1.to_string(), "validation": of(validation), "test": of(test),
            "seconds": seconds.to_string(),
        })
    }

    /// The record in a JSON value; `None` if that is not one that [`to_json`](Self::to_json) makes.
    pub fn of_json(value: &Value) -> Option<Self> {
        let real = |value: &Value| value.as_str()?.parse::<f64>().ok();
        let of = |value: &Value| {
            let [images, top1, top5, loss] = value.as_array()?.as_slice() else { return None };
            let images = images.as_str()?.parse().ok()?;
            Some(Evaluation { images, top1: real(top1)?, top5: real(top5)?, loss: real(loss)? })
        };
        Some(Self {
            epoch: value["epoch"].as_u64()?,
            learning_rate: real(&value["learning_rate"])?,
            train_loss: real(&value["train_loss"])?,
            train_top1: real(&value["train_top1"])?,
            validation: of(&value["validation"])?,
            test: of(&value["test"])?,
            seconds: real(&value["seconds"])?,
        })
    }
}

#[cfg(test)]
mod tests;
