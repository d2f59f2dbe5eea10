//! Reading of a saved training. A checksum finds damage; the numbers in a file are accepted only if a training of these
//! settings can have come to them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pvlu::NUMERICS_VERSION;
use pvlu::layer::Part;
use serde_json::Value;

use super::average::Average;
use super::config::FitConfig;
use super::evaluate::Evaluation;
use super::optimizer::{Moments, Optimizer, OptimizerConfig};
use super::precision::Reduced;
use super::record::EpochRecord;
use super::state::{AVERAGE, FIRST, FitState, MODEL, PRECISION, SECOND, STATE, Sums, checksum};
use crate::model::Model;
use crate::snapshot::{Snapshot, SnapshotError};
use crate::weights::{Dtype, TensorFile, WeightsError, shape, shown};

/// Largest distance of a saved learning rate from that of the schedule, as a share of the base: the cosines of other
/// libraries differ by less.
const RATE_TOLERANCE: f64 = 1e-9;

/// Most images of a step, more than any machine takes at once: a bound on the saved counts.
const MAX_BATCH: u64 = 1 << 24;

/// A saved training, opened to be restored.
#[derive(Debug)]
pub struct SavedFit {
    file: TensorFile,
}

/// A tensor of a model as it has to be in the file.
#[derive(Clone, Copy)]
struct Expected {
    elements: usize,
    /// True if an optimizer may change it.
    is_parameter: bool,
    /// True if the training moves it.
    moves: bool,
}

/// A model's tensors by path.
type ExpectedTensors = BTreeMap<String, Expected>;

impl SavedFit {
    /// Opens a file that [`FitState::save`] wrote.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, and one that is no such file.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        Self::new(TensorFile::open(path)?)
    }

    /// Opens such a file that is in memory. `name` stands for its path in messages.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn from_bytes(name: impl Into<PathBuf>, bytes: impl Into<Arc<[u8]>>) -> Result<Self, WeightsError> {
        Self::new(TensorFile::from_bytes(name, bytes)?)
    }

    fn new(file: TensorFile) -> Result<Self, WeightsError> {
        let kept = Self { file };
        kept.expect(kept.metadata().contains_key(STATE), STATE, "metadata of a training", "none")?;
        Ok(kept)
    }

    /// Metadata of the file, with what the caller of [`FitState::save`] added to it.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        self.file.metadata()
    }

    /// Writes the network's values into `model`, and returns the state of its training by `config` in epochs of `steps`
    /// steps.
    ///
    /// # Errors
    ///
    /// A damaged file, one of another network or of another [`NUMERICS_VERSION`], [`WeightsError::Precision`] for one
    /// of a training in another precision than the model's, and a file whose numbers no training of that kind can have
    /// come to: counts beyond the epochs, the steps or the images, shares outside of 0 to 1, another learning rate than
    /// the schedule's, moments of the optimizer that are not those of the network's parameters. The model is then as it
    /// was.
    pub fn restore(&self, model: &mut dyn Model, config: &FitConfig, steps: u64) -> Result<FitState, WeightsError> {
        let text = self.metadata().get(STATE).map_or("", String::as_str);
        let mut text: Value = serde_json::from_str(text).map_err(|_| self.unclear(STATE))?;
        let said = text.as_object_mut().and_then(|text| text.remove("crc32")).and_then(|crc| crc.as_u64());
        let layout = layout(model)?;
        let updates = text["updates"].as_object().ok_or_else(|| self.unclear("updates"))?;
        for name in self.file.entries().keys() {
            self.check_tensor(name, &layout)?;
        }
        let of_model = self.file.entries().keys().filter(|name| name.starts_with(MODEL)).count();
        let expected = layout.values().filter(|tensor| tensor.elements > 0).count();
        self.expect(of_model == expected, "tensors", format!("{expected} of the network"), of_model)?;
        let mut read = BTreeMap::new();
        for (name, entry) in self.file.entries() {
            let mut tensor = vec![0.0_f32; entry.shape.iter().product()];
            self.file.read_into(name, &mut tensor)?;
            read.insert(name.as_str(), tensor);
        }
        self.check_sum(&text, &read, said)?;
        // A file from before versions were written does not say which it is of.
        let version = text.get("numerics").map_or_else(|| NUMERICS_VERSION.to_string(), Value::to_string);
        let of_this = format!("{NUMERICS_VERSION}, that of this program");
        self.expect(version == NUMERICS_VERSION.to_string(), "numerics version", of_this, version)?;
        let reduced = Reduced::of_json(text.get(PRECISION)).ok_or_else(|| self.unclear(PRECISION))?;
        if let Some((layer, kept, here)) = reduced.difference(&Reduced::of(model)) {
            let (path, layer) = (self.file.path().to_owned(), layer.to_owned());
            return Err(WeightsError::Precision { path, layer, kept, here });
        }

        let epochs = text["epochs"].as_array().ok_or_else(|| self.unclear("epochs"))?;
        let epochs: Option<Vec<EpochRecord>> = epochs.iter().map(EpochRecord::of_json).collect();
        let whole = |name: &str| text[name].as_u64().ok_or_else(|| self.unclear(name));
        let real = |name: &str| {
            text[name].as_str().and_then(|text| text.parse::<f64>().ok()).ok_or_else(|| self.unclear(name))
        };
        let state = FitState {
            epochs: epochs.ok_or_else(|| self.unclear("epochs"))?,
            steps: whole("steps")?,
            sums: Sums {
                learning_rate: real("learning_rate")?,
                loss: real("loss")?,
                correct: whole("correct")?,
                images: whole("images")?,
            },
            optimizer: Optimizer::new(config.optimizer),
            average: None,
            reduced: Some(reduced),
            seconds: real("seconds")?,
        };
        self.check_counts(&state, config, steps)?;
        let done = (state.epochs.len() as u64).saturating_mul(steps).saturating_add(state.steps);
        let average = self.average(&layout, &mut read, config.average.is_some(), done)?;
        let moments = self.moments(updates, &layout, &mut read, (config.optimizer, done))?;
        let values = read.into_iter().filter_map(|(name, tensor)| {
            name.strip_prefix(MODEL).map(|path| (path_of(path, &layout).unwrap_or_default(), tensor))
        });
        Snapshot::from_values(values.collect()).restore(model).map_err(|error| match error {
            SnapshotError::Device(error) => WeightsError::Device(error),
            error => self.damaged("tensors", "those of the network", error),
        })?;
        Ok(FitState { optimizer: Optimizer::with(config.optimizer, moments), average, ..state })
    }

    /// A tensor must be one of the network's or a moment of one, with as many elements, before room is made for it.
    fn check_tensor(&self, name: &str, layout: &ExpectedTensors) -> Result<(), WeightsError> {
        let (entry, shown) = (&self.file.entries()[name], shown(name).to_string());
        let (kind, path) = [MODEL, FIRST, SECOND, AVERAGE]
            .into_iter()
            .find_map(|kind| name.strip_prefix(kind).map(|path| (kind, path)))
            .ok_or_else(|| self.unclear(&shown))?;
        let known = path_of(path, layout).map(|path| layout[&path]);
        let Expected { elements, is_parameter, .. } =
            known.ok_or_else(|| self.damaged(&shown, "a tensor of the network", "another"))?;
        let may_be = [MODEL, AVERAGE].contains(&kind) || is_parameter;
        self.expect(may_be, &shown, "moments of trained tensors alone", "others")?;
        let (expected, found) =
            (format!("F32 of {elements} elements"), format!("{} of {}", entry.dtype, shape(&entry.shape)));
        self.expect(entry.dtype == Dtype::F32 && entry.shape == [elements], &shown, expected, found)
    }

    fn check_sum(&self, text: &Value, read: &BTreeMap<&str, Vec<f32>>, said: Option<u64>) -> Result<(), WeightsError> {
        // In the order in which they were written.
        let ordered = [MODEL, FIRST, SECOND, AVERAGE].map(|prefix| {
            read.iter().filter(move |(name, _)| name.starts_with(prefix)).map(|(_, tensor)| tensor.as_slice())
        });
        let mut metadata = self.metadata().clone();
        metadata.remove(STATE);
        let found = u64::from(checksum(text, &metadata, ordered.into_iter().flatten()));
        let expected = said.ok_or_else(|| self.unclear("crc32"))?;
        self.expect(expected == found, "checksum", format!("{expected:08x}"), format!("{found:08x}"))
    }

    fn check_counts(&self, state: &FitState, config: &FitConfig, steps: u64) -> Result<(), WeightsError> {
        let FitState { epochs, sums, seconds, .. } = state;
        let done = epochs.len() as u64;
        self.expect(done <= config.epochs, "epochs", format!("at most {}", config.epochs), done)?;
        let ended = done == config.epochs || epochs.last().is_some_and(|epoch| !epoch.train_loss.is_finite());
        let most = if ended { 0 } else { steps };
        self.expect(state.steps <= most, "steps", format!("at most {most}"), state.steps)?;
        self.expect(seconds.is_finite() && *seconds >= 0.0, "seconds", "a time", seconds)?;
        let rate = |step: u64| {
            let rate = config.rate(step, steps);
            (rate, config.learning_rate.abs().max(rate.abs()) * RATE_TOLERANCE)
        };
        let check_rate = |what: &str, found: f64, step: u64| {
            let (expected, tolerance) = rate(step);
            self.expect((found - expected).abs() <= tolerance, what, expected, found)
        };
        for (number, epoch) in (1..).zip(epochs) {
            let what = format!("epoch {number}");
            self.expect(epoch.epoch == number, &what, number, epoch.epoch)?;
            let is_time = epoch.seconds.is_finite() && epoch.seconds >= 0.0;
            self.expect(is_time, &format!("{what}: seconds"), "a time", epoch.seconds)?;
            let evaluations = [("held out", epoch.validation), ("test", epoch.test)];
            let is_share = share(epoch.train_top1) || epoch.train_top1.is_nan() && !epoch.train_loss.is_finite();
            self.expect(is_share, &what, "a share of the images", epoch.train_top1)?;
            for (part, Evaluation { images, top1, top5, .. }) in evaluations {
                let is_share = |top| if images == 0 { f64::is_nan(top) } else { share(top) };
                let what = format!("{what}: {part}");
                self.expect(
                    is_share(top1) && is_share(top5),
                    &what,
                    "shares of the images",
                    format!("{top1}, {top5}"),
                )?;
            }
            // A cross-entropy is never negative.
            self.expect(
                epoch.train_loss.is_nan() || epoch.train_loss >= 0.0,
                &format!("{what}: loss"),
                "no negative number",
                epoch.train_loss,
            )?;
            if epoch.train_loss.is_finite() {
                // The last step's, if it had one.
                let step = number.saturating_mul(steps).saturating_sub(1);
                check_rate(&format!("{what}: learning rate"), epoch.learning_rate, step)?;
            } else {
                self.expect(number == done, &what, "a finite loss before the last epoch", epoch.train_loss)?;
                self.expect(epoch.learning_rate.is_finite(), &what, "a finite learning rate", epoch.learning_rate)?;
            }
        }
        let Sums { learning_rate, loss, correct, images, .. } = *sums;
        if state.steps == 0 {
            let none = *sums == Sums::default() && *seconds == 0.0;
            return self.expect(none, "steps", "no images before the first step", images);
        }
        check_rate("learning rate", learning_rate, done.saturating_mul(steps).saturating_add(state.steps - 1))?;
        self.expect(images >= state.steps, "images", format!("at least {}, one a step", state.steps), images)?;
        let most = state.steps.saturating_mul(MAX_BATCH);
        self.expect(images <= most, "images", format!("at most {most}, {MAX_BATCH} a step"), images)?;
        self.expect(loss.is_nan() || loss >= 0.0, "loss", "no negative number", loss)?;
        self.expect(correct <= images, "correct", format!("at most {images}, as many as images"), correct)
    }

    /// Takes the averages out of the tensors that were read: of all tensors that the training moves, if it has averages
    /// and has begun, else none.
    fn average(
        &self,
        layout: &ExpectedTensors,
        read: &mut BTreeMap<&str, Vec<f32>>,
        has_average: bool,
        done: u64,
    ) -> Result<Option<Average>, WeightsError> {
        let names: Vec<&str> = read.keys().copied().filter(|name| name.starts_with(AVERAGE)).collect();
        let mut values = BTreeMap::new();
        for name in names {
            let path = name.strip_prefix(AVERAGE).and_then(|said| path_of(said, layout));
            if let Some((path, tensor)) = path.zip(read.remove(name)) {
                values.insert(path, tensor);
            }
        }
        if values.is_empty() && (done == 0 || !has_average) {
            return Ok(None);
        }
        let moving = |(_, tensor): &(&String, &Expected)| has_average && tensor.moves && tensor.elements > 0;
        let expected: Vec<&String> = layout.iter().filter(moving).map(|(path, _)| path).collect();
        let is_all = values.keys().eq(expected.iter().copied());
        let of = format!("averages of {} tensors, those that move", expected.len());
        self.expect(is_all, "averages", of, format!("of {}", values.len()))?;
        Ok(Some(Average::from_values(values)))
    }

    /// Takes the moments of the optimizer out of the tensors that were read. Each may have had at most `done` updates.
    fn moments(
        &self,
        updates: &serde_json::Map<String, Value>,
        layout: &ExpectedTensors,
        read: &mut BTreeMap<&str, Vec<f32>>,
        (optimizer, done): (OptimizerConfig, u64),
    ) -> Result<BTreeMap<String, Moments>, WeightsError> {
        let mut moments = BTreeMap::new();
        for (said, steps) in updates {
            let what = format!("updates of {}", shown(said));
            let steps = steps.as_u64().ok_or_else(|| self.unclear(&what))?;
            self.expect((1..=done).contains(&steps), &what, format!("1 to {done}"), steps)?;
            let path = path_of(said, layout).filter(|path| layout[path].is_parameter);
            let path = path.ok_or_else(|| self.damaged(&what, "a trained tensor of the network", "another"))?;
            let mut take = |kind: &str| read.remove(format!("{kind}{said}").as_str()).unwrap_or_default();
            let (first, second) = (take(FIRST), take(SECOND));
            let elements = layout[&path].elements;
            let of_second = if matches!(optimizer, OptimizerConfig::Adam { .. }) { elements } else { 0 };
            let lens = [first.len(), second.len()];
            let expected = [elements, of_second];
            self.expect(lens == expected, &what, format!("moments of {expected:?} elements"), format!("{lens:?}"))?;
            let negative = second.iter().find(|value| **value < 0.0);
            let found = negative.map_or(0.0, |value| *value);
            self.expect(negative.is_none(), &what, "second moments that are squares", found)?;
            moments.insert(path, Moments { steps, first, second });
        }
        let left = read.keys().find(|name| !name.starts_with(MODEL));
        left.map_or(Ok(moments), |name| {
            Err(self.damaged(&shown(name).to_string(), "moments of what was updated", "others"))
        })
    }

    fn expect(&self, holds: bool, what: &str, expected: impl Display, found: impl Display) -> Result<(), WeightsError> {
        if holds { Ok(()) } else { Err(self.damaged(what, expected, found)) }
    }

    fn unclear(&self, what: &str) -> WeightsError {
        self.damaged(what, "what this crate writes", "something else")
    }

    fn damaged(&self, what: &str, expected: impl Display, found: impl Display) -> WeightsError {
        WeightsError::Structure {
            path: self.file.path().to_owned(),
            what: what.to_owned(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }
}

/// Returns true for a number in [0, 1], as a share of images is.
fn share(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

fn layout(model: &dyn Model) -> Result<ExpectedTensors, WeightsError> {
    let mut layout = BTreeMap::new();
    let mut show = |tensor: crate::model::TensorView<'_>| {
        let slot = tensor.slot;
        let (elements, moves) = (tensor.values.len(), slot.trained || slot.updated);
        let expected = Expected { elements, is_parameter: slot.kind.is_parameter(), moves };
        layout.insert(slot.path.to_owned(), expected);
    };
    model.tensors(&mut show).map_err(WeightsError::Device)?;
    Ok(layout)
}

/// The path in the network of a path in a file, if there is one. Trunk and head had numbers before they had names.
fn path_of(said: &str, layout: &ExpectedTensors) -> Option<String> {
    if layout.contains_key(said) {
        return Some(said.to_owned());
    }
    let (part, rest) = said.split_once('.')?;
    let part = match part {
        "0" => Part::Trunk,
        "1" => Part::Head,
        _ => return None,
    };
    Some(format!("{}.{rest}", part.name())).filter(|path| layout.contains_key(path))
}

#[cfg(test)]
mod tests;
