//! A training that can be interrupted: where it stands, and that on disk.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::evaluate::Evaluation;
use super::fit::EpochRecord;
use super::optimizer::{Moments, Optimizer, OptimizerConfig};
use crate::model::Model;
use crate::snapshot::{Snapshot, SnapshotError};
use crate::weights::{Declared, Dtype, TensorFile, WeightsError, Writer};

/// Where a training stands: all that the rest of it depends on, beside the network, its settings and its images. There is no
/// random state: orders, augmentations and the masks of dropouts are functions of the seed and of what is counted here.
#[derive(Clone, Debug, PartialEq)]
pub struct FitState {
    /// The finished epochs.
    pub epochs: Vec<EpochRecord>,
    /// Steps done of the epoch after them.
    pub steps: u64,
    pub(super) sums: Sums,
    pub(super) optimizer: Optimizer,
    /// Time spent on that epoch.
    pub seconds: f64,
}

/// Sums over the steps of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Loss, by image.
    pub loss: f64,
    /// Images whose largest logit was that of their label.
    pub correct: u64,
    pub images: u64,
}

impl FitState {
    /// The beginning.
    pub fn new(optimizer: OptimizerConfig) -> Self {
        let (sums, optimizer) = (Sums::default(), Optimizer::new(optimizer));
        Self { epochs: Vec::new(), steps: 0, sums, optimizer, seconds: 0.0 }
    }

    /// Saves a network and the state of its training, with what the caller wants to find again beside them. The file is whole
    /// or not there: safetensors, with tensors `model.PATH`, and `first.PATH` and `second.PATH` for the moments of the
    /// optimiser; its metadata say the rest, and a checksum of the tensors.
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
        let tensors: Vec<(String, &Vec<f32>)> =
            model.chain(first).chain(second).filter(|(_, values)| !values.is_empty()).collect();
        let updates: BTreeMap<&str, u64> =
            moments.iter().map(|(path, moments)| (path.as_str(), moments.steps)).collect();
        let Sums { learning_rate, loss, correct, images } = self.sums;
        let mut text = json!({
            "epochs": self.epochs.iter().map(EpochRecord::to_json).collect::<Vec<_>>(),
            "steps": self.steps,
            "learning_rate": learning_rate.to_string(), "loss": loss.to_string(), "correct": correct, "images": images,
            "seconds": self.seconds.to_string(),
            "updates": updates,
        });
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
const MODEL: &str = "model.";
const FIRST: &str = "first.";
const SECOND: &str = "second.";
/// Key of the metadata that holds the state.
const STATE: &str = "pvlu_zoo.training";

/// CRC-32 of a state, what is beside it, and values as a file has them: safetensors itself would not notice a flipped bit.
fn checksum<'a>(state: &Value, metadata: &BTreeMap<String, String>, tensors: impl Iterator<Item = &'a [f32]>) -> u32 {
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

/// A training on disk.
#[derive(Debug)]
pub struct SavedFit {
    file: TensorFile,
}

impl SavedFit {
    /// Opens a file of [`FitState::save`]'s.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, and one that is no such file.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let file = TensorFile::open(path)?;
        if file.metadata().contains_key(STATE) {
            return Ok(Self { file });
        }
        Err(damaged(&file, STATE, "metadata of a training", "none"))
    }

    /// What the caller of [`FitState::save`] put beside it.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        self.file.metadata()
    }

    /// Writes the network's values into `model`, and returns the state.
    ///
    /// # Errors
    ///
    /// A damaged file, and one of another network. The model is then as it was.
    pub fn restore(&self, model: &mut dyn Model, optimizer: OptimizerConfig) -> Result<FitState, WeightsError> {
        let file = &self.file;
        let unclear = |what: &str| damaged(file, what, "what this crate writes", "something else");
        let text = file.metadata().get(STATE).map_or("", String::as_str);
        let mut text: Value = serde_json::from_str(text).map_err(|_| unclear(STATE))?;
        let said = text.as_object_mut().and_then(|text| text.remove("crc32")).and_then(|crc| crc.as_u64());
        let whole = |name: &str| text[name].as_u64().ok_or_else(|| unclear(name));
        let real =
            |name: &str| text[name].as_str().and_then(|text| text.parse::<f64>().ok()).ok_or_else(|| unclear(name));
        let epochs = text["epochs"].as_array().ok_or_else(|| unclear("epochs"))?;
        let epochs: Option<Vec<EpochRecord>> = epochs.iter().map(EpochRecord::of_json).collect();
        let updates = text["updates"].as_object().ok_or_else(|| unclear("updates"))?;

        let mut values = BTreeMap::new();
        let mut moments: BTreeMap<String, Moments> = BTreeMap::new();
        for (path, steps) in updates {
            let steps = steps.as_u64().ok_or_else(|| unclear("updates"))?;
            moments.insert(path.clone(), Moments { steps, ..Moments::default() });
        }
        let mut read = BTreeMap::new();
        for (name, entry) in file.entries() {
            let mut tensor = vec![0.0_f32; entry.shape.iter().product()];
            file.read_into(name, &mut tensor)?;
            read.insert(name, tensor);
        }
        // In the order in which they were written.
        let ordered = [MODEL, FIRST, SECOND].map(|prefix| {
            read.iter().filter(move |(name, _)| name.starts_with(prefix)).map(|(_, tensor)| tensor.as_slice())
        });
        let mut metadata = file.metadata().clone();
        metadata.remove(STATE);
        let found = u64::from(checksum(&text, &metadata, ordered.into_iter().flatten()));
        let expected = said.ok_or_else(|| unclear("crc32"))?;
        if expected != found {
            return Err(damaged(file, "checksum", &format!("{expected:08x}"), &format!("{found:08x}")));
        }
        for (name, tensor) in read {
            if let Some(path) = name.strip_prefix(MODEL) {
                values.insert(path.to_owned(), tensor);
            } else if let Some(path) = name.strip_prefix(FIRST) {
                moments.get_mut(path).ok_or_else(|| unclear(name))?.first = tensor;
            } else if let Some(path) = name.strip_prefix(SECOND) {
                moments.get_mut(path).ok_or_else(|| unclear(name))?.second = tensor;
            } else {
                return Err(unclear(name));
            }
        }
        let state = FitState {
            epochs: epochs.ok_or_else(|| unclear("epochs"))?,
            steps: whole("steps")?,
            sums: Sums {
                learning_rate: real("learning_rate")?,
                loss: real("loss")?,
                correct: whole("correct")?,
                images: whole("images")?,
            },
            optimizer: Optimizer::with(optimizer, moments),
            seconds: real("seconds")?,
        };
        Snapshot::from_values(values).restore(model).map_err(|error| match error {
            SnapshotError::Device(error) => WeightsError::Device(error),
            error => damaged(file, "tensors", "those of the network", &error.to_string()),
        })?;
        Ok(state)
    }
}

fn damaged(file: &TensorFile, what: &str, expected: &str, found: &str) -> WeightsError {
    WeightsError::Structure {
        path: file.path().to_owned(),
        what: what.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

/// Numbers as text, because JSON has no NaN; they are read again to the bit.
impl EpochRecord {
    /// As [`of_json`](Self::of_json) reads it.
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

    /// `None` if it is not what [`to_json`](Self::to_json) makes.
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
mod tests {
    use std::ops::ControlFlow;
    use std::sync::Arc;

    use super::*;
    use crate::data::{Augmentation, Dataset, Loader, LoaderConfig, Normalization};
    use crate::registry::build;
    use crate::train::{Event, FitConfig, History, Outcome, Schedule, Splits, fit_from};

    fn config() -> FitConfig {
        let optimizer = OptimizerConfig::adam();
        FitConfig { epochs: 2, optimizer, learning_rate: 1e-3, schedule: Schedule::Cosine }
    }

    fn splits() -> Splits {
        let Dataset { train, test, .. } = Dataset::procedural(10, 40, 20, 5).unwrap();
        let normalization = Normalization::measured(&train).unwrap();
        let in_order = LoaderConfig::evaluation(10, normalization);
        let test = Arc::new(test);
        Splits {
            train: Loader::new(Arc::new(train), LoaderConfig::training(16, 3, normalization, Augmentation::STANDARD))
                .unwrap(),
            validation: Loader::new(Arc::clone(&test), in_order.clone()).unwrap(),
            test: Loader::new(test, in_order).unwrap(),
        }
    }

    /// Trains from a state until `stop_at` events were seen, and saves the last moment.
    fn train(model: &mut dyn Model, state: FitState, stop_at: usize, path: &Path) -> History {
        model.seed_dropout(9);
        let mut events = 0;
        let mut observe = |_: Event<'_>| {
            events += 1;
            if events >= stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut keep = |moment: crate::train::Moment<'_>| {
            if moment.last {
                moment.state.save(moment.model, path, [("who".to_owned(), "me".to_owned())]).unwrap();
            }
            ControlFlow::Continue(())
        };
        fit_from(model, &splits(), &config(), state, &mut observe, &mut keep).unwrap()
    }

    fn lasting(history: &History) -> Vec<EpochRecord> {
        history.epochs.iter().map(|epoch| EpochRecord { seconds: 0.0, ..*epoch }).collect()
    }

    #[test]
    fn a_training_goes_on_to_the_bit_from_wherever_it_was_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.safetensors");
        let new = || FitState::new(OptimizerConfig::adam());
        // With dropout, batch norm has none; the other way round for the second.
        for (name, activation) in [("sequential6conv", "pvlu"), ("cifar_resnet20", "relu")] {
            let mut whole = build(name, activation, 10, 1).unwrap();
            let history = train(whole.as_mut(), new(), usize::MAX, &path);
            assert_eq!(history.outcome, Outcome::Finished);
            let end = Snapshot::of(whole.as_ref()).unwrap();
            // Three steps an epoch, two and two batches of evaluation, the record: after a step, after the last one, within
            // each evaluation, after the epoch, and in the second epoch.
            for stop_at in [1, 3, 4, 6, 8, 10] {
                let mut model = build(name, activation, 10, 1).unwrap();
                let stopped = train(model.as_mut(), new(), stop_at, &path);
                assert_eq!(stopped.outcome, Outcome::Interrupted);
                // Other values, which are overwritten.
                let mut model = build(name, activation, 10, 2).unwrap();
                let kept = SavedFit::open(&path).unwrap();
                assert_eq!(kept.metadata()["who"], "me");
                let state = kept.restore(model.as_mut(), OptimizerConfig::adam()).unwrap();
                assert_eq!((state.epochs.len(), state.steps > 0), (stop_at / 8, stop_at != 8), "{stop_at}");
                let resumed = train(model.as_mut(), state, usize::MAX, &path);
                assert_eq!(lasting(&resumed), lasting(&history), "{name} {stop_at}");
                assert!(Snapshot::of(model.as_ref()).unwrap() == end, "{name} {stop_at}");
            }
        }
    }

    #[test]
    fn a_damaged_file_is_refused_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.safetensors");
        let mut model = build("cifar_resnet20", "relu", 10, 1).unwrap();
        train(model.as_mut(), FitState::new(OptimizerConfig::adam()), 2, &path);
        let bytes = std::fs::read(&path).unwrap();
        let mut other = build("cifar_resnet20", "relu", 10, 2).unwrap();
        let before = Snapshot::of(other.as_ref()).unwrap();
        let flip = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            bytes
        };
        // A digit of the state, and of what is beside it: `me` becomes `mf`.
        let place = |of: &[u8]| bytes.windows(of.len()).position(|window| window == of).unwrap() + of.len() - 1;
        let (digit, letter) = (place(br#"\"images\":3"#), place(b"me"));
        // A bit of a weight, one of the moments, half of the file, nothing.
        let all = [flip(bytes.len() / 2), flip(bytes.len() - 5), bytes[..bytes.len() / 2].to_vec(), Vec::new()];
        for damaged in all.into_iter().chain([flip(digit), flip(letter)]) {
            std::fs::write(&path, damaged).unwrap();
            let found = SavedFit::open(&path).and_then(|kept| kept.restore(other.as_mut(), OptimizerConfig::adam()));
            let error = found.unwrap_err().to_string();
            assert!(error.contains("kept.safetensors") && !error.contains('\n'), "{error}");
        }
        std::fs::write(&path, &bytes).unwrap();
        let kept = SavedFit::open(&path).unwrap();
        let mut larger = build("cifar_resnet32", "relu", 10, 2).unwrap();
        assert!(kept.restore(larger.as_mut(), OptimizerConfig::adam()).is_err());
        assert!(Snapshot::of(other.as_ref()).unwrap() == before);
        kept.restore(other.as_mut(), OptimizerConfig::adam()).unwrap();
        assert!(Snapshot::of(other.as_ref()).unwrap() != before);
    }

    #[test]
    fn epochs_are_read_again_to_the_bit() {
        let evaluation = |top1: f64| Evaluation { images: 3, top1, top5: 1.0 / 3.0, loss: f64::INFINITY };
        let record = EpochRecord {
            epoch: 7,
            learning_rate: 1e-3 / 3.0,
            train_loss: f64::NAN,
            train_top1: 0.1 + 0.2,
            validation: evaluation(5e-324),
            test: evaluation(f64::MAX),
            seconds: 0.5,
        };
        let text = record.to_json().to_string();
        let read = EpochRecord::of_json(&serde_json::from_str(&text).unwrap()).unwrap();
        assert!(read.train_loss.is_nan());
        assert_eq!(EpochRecord { train_loss: 0.0, ..read }, EpochRecord { train_loss: 0.0, ..record });
        assert!(EpochRecord::of_json(&json!({"epoch": 1})).is_none());
    }
}
