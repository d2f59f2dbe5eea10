//! The training loop, its events and its results.

use std::ops::ControlFlow;
use std::time::Instant;

use pvlu::kernel::cpu::CpuElement;
use pvlu::layer::{Mode, Switches};
use pvlu::loss::Targets;

use super::average::Average;
use super::config::FitConfig;
use super::evaluate::Evaluation;
use super::mode::in_mode;
use super::precision::Reduced;
use super::record::EpochRecord;
use super::state::{FitState, Sums};
use super::trainee::{Inputs, Trainee};
use super::{TrainError, ranks};
use crate::data::{Batch, Batches, Loader};
use crate::model::Model;
use crate::snapshot::Snapshot;
use crate::transfer::in_head;

/// Images that a run trains on, selects its epoch by, and is tested on. `B` is `Box<dyn Batches>` if the kind of loader
/// is known only when the program runs.
#[derive(Debug)]
pub struct Splits<B = Loader> {
    /// Training images, shuffled and augmented.
    pub train: B,
    /// Images held out of training, in file order: the epoch is selected by these.
    pub validation: B,
    /// Test images, in file order: reported, never selected by.
    pub test: B,
}

/// Progress of a run, which the caller is told. The answer `Break` ends the run after the current step.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A training step was done.
    Step {
        /// Number of the epoch, from 1.
        epoch: u64,
        /// Number of the step within the epoch, from 1.
        step: u64,
        /// Steps in an epoch.
        steps: u64,
        /// Loss of the batch.
        loss: f64,
    },
    /// A batch was evaluated.
    Evaluating,
    /// An epoch was finished.
    Epoch(&'a EpochRecord),
}

/// End of a training run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All epochs were trained.
    Finished,
    /// A training loss was not finite; the run ended with that epoch.
    Diverged,
    /// The caller returned `Break`.
    Interrupted,
}

/// A run, epoch by epoch.
#[derive(Clone, Debug)]
pub struct History {
    /// Records of the finished epochs.
    pub epochs: Vec<EpochRecord>,
    /// The way in which the run ended.
    pub outcome: Outcome,
}

impl History {
    /// Test accuracy after the last epoch.
    pub fn final_top1(&self) -> Option<f64> {
        self.epochs.last().map(|epoch| epoch.test.top1)
    }

    /// The epoch with the best accuracy on the held-out images, the earliest of several: the one an honest selection
    /// would take.
    pub fn selected(&self) -> Option<&EpochRecord> {
        self.epochs.iter().rev().max_by(|a, b| a.validation.top1.total_cmp(&b.validation.top1))
    }

    /// The best test accuracy of any epoch: what the paper reports, and optimistic, for it selects by the test images.
    pub fn peak_top1(&self) -> Option<f64> {
        self.epochs.iter().map(|epoch| epoch.test.top1).max_by(f64::total_cmp)
    }
}

/// A moment of a training at which it can be kept, to go on from it later.
#[derive(Clone, Copy)]
#[doc(hidden)]
pub struct Moment<'a> {
    /// The model with its current tensors.
    pub model: &'a dyn Model,
    /// Everything else that the rest of the training depends on.
    pub state: &'a FitState,
    /// True if the training ends here because the caller returned `Break`: the last moment to keep it.
    pub last: bool,
}

/// Trains a model and evaluates it after every epoch.
///
/// If the head alone is trained, of a model of the registry or a classifier
/// [in parts](crate::model::Classifier::in_parts), on the CPU, and the trunk can be [compiled](pvlu::compiled), the
/// head is trained on the features of the compiled trunk. These are computed once for all epochs where an image is the
/// same in all of them, as without augmentation, and there is room in 1 GiB for those of the set. The results do not
/// depend on whether they are kept; they are those of the whole network but for rounding.
///
/// # Errors
///
/// A setting out of range, an image that cannot be read, and an error of the model.
pub fn fit<B: Batches>(
    model: &mut dyn Model,
    splits: &Splits<B>,
    config: &FitConfig,
    observe: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<History, TrainError> {
    fit_from(model, splits, config, FitState::new(config.optimizer), observe, &mut |_| ControlFlow::Continue(()))
}

/// As [`fit`], from where another training of the same settings and images was: with the network and the state of one
/// of its moments the rest is the same, bit for bit.
///
/// The caller sets the precision and seeds the dropouts as at the beginning; the counts of these are moved on here.
/// `keep` is shown every moment at which the training can be kept: after every step and every epoch, and where it ends
/// because `observe` returned `Break`. If `keep` returns `Break`, the training ends too.
///
/// # Errors
///
/// As for [`fit`]; [`TrainError::Precision`] if a layer of the network computes in another precision than in the steps
/// that were done, and [`TrainError::RanksDiffer`] if several processes [train together](super::among) and are not
/// about to do the same.
pub fn fit_from<B: Batches>(
    model: &mut dyn Model,
    splits: &Splits<B>,
    config: &FitConfig,
    state: FitState,
    observe: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    keep: &mut dyn FnMut(Moment<'_>) -> ControlFlow<()>,
) -> Result<History, TrainError> {
    config.check()?;
    let reduced = Reduced::of(model);
    if let Some(done) = &state.reduced
        && let Some((layer, kept, here)) = done.difference(&reduced)
    {
        return Err(TrainError::Precision { layer: layer.to_owned(), kept, here });
    }
    ranks::agree(model, config, [state.epochs.len() as u64, state.steps, splits.train.batches() as u64])?;
    let mut state = FitState { reduced: Some(reduced), ..state };
    if config.average.is_some() && state.average.is_none() {
        state.average = Some(Average::of(model)?);
    }
    in_mode(model, Mode::Train, |model| {
        // Features of mixed images are not those of the images.
        let trainee = if config.mixup.is_some() { Trainee::whole(model) } else { Trainee::new(model)? };
        let trainee = trainee.in_shards(config.shards)?;
        Fit { trainee, config, steps: splits.train.batches() as u64, state, observe, keep }.run(splits)
    })
}

/// A training under way.
struct Fit<'a> {
    trainee: Trainee<'a>,
    config: &'a FitConfig,
    /// Steps in an epoch.
    steps: u64,
    state: FitState,
    observe: &'a mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    keep: &'a mut dyn FnMut(Moment<'_>) -> ControlFlow<()>,
}

impl Fit<'_> {
    /// Trains for all epochs that are left.
    fn run<B: Batches>(mut self, splits: &Splits<B>) -> Result<History, TrainError> {
        let done = self.state.epochs.len() as u64 * self.steps + self.state.steps;
        self.trainee.model.switches(&mut |switches| {
            if let Switches::Dropout(dropout) = switches {
                dropout.passes += done;
            }
        });
        if self.state.epochs.last().is_some_and(|epoch| !epoch.train_loss.is_finite()) {
            return self.ended(Outcome::Diverged);
        }
        let Splits { train, validation, test } = splits;
        let left = self.config.epochs.saturating_sub(self.state.epochs.len() as u64);
        // Images are mixed with others of their batch, of which each process then needs all.
        let learned = if self.config.mixup.is_some() { None } else { self.trainee.portion() };
        let portions = [learned, ranks::evaluated(), ranks::evaluated()];
        let sets = [train, validation, test].into_iter().zip(portions);
        let mut inputs = sets.map(|(images, portion)| self.trainee.inputs(images, left, portion));
        let inputs = std::array::from_fn(|_| inputs.next());
        let [Some(train), Some(validation), Some(test)] = inputs else { return self.ended(Outcome::Interrupted) };
        let inputs = [train, validation, test];
        while (self.state.epochs.len() as u64) < self.config.epochs {
            match self.epoch(&inputs)? {
                Some(loss) if loss.is_finite() => {}
                Some(_) => return self.ended(Outcome::Diverged),
                None => return self.ended(Outcome::Interrupted),
            }
        }
        self.ended(Outcome::Finished)
    }

    /// The training so far. The network of a training that is finished is the average, if there is one.
    fn ended(self, outcome: Outcome) -> Result<History, TrainError> {
        if let Some(average) = self.state.average.filter(|_| outcome != Outcome::Interrupted) {
            average.put_into(self.trainee.model)?;
        }
        Ok(History { epochs: self.state.epochs, outcome })
    }

    /// Evaluates the network, or its average, on held-out and test images; `None` from an interrupt on.
    fn evaluate(&mut self, sets: [&Inputs<'_>; 2]) -> Result<[Option<Evaluation>; 2], TrainError> {
        let current = self.state.average.as_ref().map(|average| {
            let current = Snapshot::of_moving(self.trainee.model)?;
            average.put_into(self.trainee.model)?;
            Ok::<_, TrainError>(current)
        });
        let current = current.transpose()?;
        let evaluations = self.trainee.evaluate(sets, &mut || (self.observe)(Event::Evaluating));
        if let Some(current) = current {
            current.put_back(self.trainee.model)?;
        }
        evaluations
    }

    /// Trains and evaluates for one epoch, or the rest of one, and returns its training loss; `None` if interrupted.
    fn epoch(&mut self, [train, validation, test]: &[Inputs<'_>; 3]) -> Result<Option<f64>, TrainError> {
        let start = Instant::now();
        let before = self.state.seconds;
        if self.train(train, start, before)?.is_break() {
            return Ok(None);
        }
        let evaluations = self.evaluate([validation, test])?;
        let [Some(validation), Some(test)] = evaluations else {
            self.state.seconds = before + start.elapsed().as_secs_f64();
            let _ = self.moment(true);
            return Ok(None);
        };
        let Sums { learning_rate, loss, correct, images } = self.state.sums;
        let record = EpochRecord {
            epoch: self.state.epochs.len() as u64 + 1,
            learning_rate,
            train_loss: loss / images as f64,
            train_top1: correct as f64 / images as f64,
            validation,
            test,
            seconds: before + start.elapsed().as_secs_f64(),
        };
        self.state.epochs.push(record);
        (self.state.steps, self.state.sums, self.state.seconds) = (0, Sums::default(), 0.0);
        let stop = ranks::any((self.observe)(Event::Epoch(&record)).is_break());
        // After the last epoch there is nothing left to interrupt.
        let stop = stop && (self.state.epochs.len() as u64) < self.config.epochs;
        let stop = stop && record.train_loss.is_finite();
        let kept = !ranks::any(self.moment(stop).is_break());
        Ok((!stop && kept).then_some(record.train_loss))
    }

    /// Trains on the rest of one pass over the training images.
    fn train(&mut self, images: &Inputs<'_>, start: Instant, before: f64) -> Result<ControlFlow<()>, TrainError> {
        let Self { config, steps, .. } = *self;
        let classes = self.trainee.model.classes();
        let epoch = self.state.epochs.len() as u64 + 1;
        if self.state.sums.images == 0 {
            self.state.sums.learning_rate = config.rate((epoch - 1) * steps, steps);
        }
        // The state was kept after a step that diverged, before the evaluation.
        if !self.state.sums.loss.is_finite() {
            return Ok(ControlFlow::Continue(()));
        }
        for batch in images.epoch_from(epoch, usize::try_from(self.state.steps).unwrap_or(usize::MAX)) {
            let mut batch = batch?;
            let done = (epoch - 1) * steps + self.state.steps;
            let learning_rate = config.rate(done, steps);
            let image_len = self.trainee.model.image_len();
            let mut mixed = config.mixup.map(|mixup| mixup.apply(&mut batch, image_len, epoch, self.state.steps));
            // Whole batches were read, of which this process learns from a part.
            if let Some(((others, _), portion)) = mixed.as_mut().zip(self.trainee.portion()) {
                let own = portion.images(0, batch.len()).unwrap_or_default();
                *others = others.get(own).unwrap_or_default().to_vec();
                batch = portion.of_batch(0, batch).unwrap_or(Batch { images: Vec::new(), labels: Vec::new() });
            }
            let targets = Targets {
                labels: &batch.labels,
                smoothing: config.label_smoothing,
                mixed: mixed.as_ref().map(|(others, share)| (others.as_slice(), *share)),
            };
            let mut result = self.trainee.step(batch.images, &targets)?;
            if result.loss.is_finite() {
                let rate = |path: &str| if in_head(path) { learning_rate * config.head_rate } else { learning_rate };
                self.state.optimizer.update_each(self.trainee.model, &mut result.gradients, &rate)?;
                if let Some((average, decay)) = self.state.average.as_mut().zip(config.average) {
                    average.add(self.trainee.model, decay)?;
                }
            }
            let own = (f32::cpu().top_k_correct)(&result.logits, classes, &batch.labels, 1);
            let of_all = ranks::gathered([batch.labels.len() as f64, own as f64]);
            let [count, correct] = [0, 1].map(|of| of_all.iter().map(|numbers| numbers[of] as u64).sum::<u64>());
            let sums = &mut self.state.sums;
            sums.learning_rate = learning_rate;
            sums.loss += result.loss * count as f64;
            sums.correct += correct;
            sums.images += count;
            self.state.steps += 1;
            self.state.seconds = before + start.elapsed().as_secs_f64();
            let event = Event::Step { epoch, step: self.state.steps, steps, loss: result.loss };
            let stop = ranks::any((self.observe)(event).is_break());
            if ranks::any(self.moment(stop).is_break()) || stop {
                return Ok(ControlFlow::Break(()));
            }
            if !result.loss.is_finite() {
                break;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn moment(&mut self, last: bool) -> ControlFlow<()> {
        (self.keep)(Moment { model: self.trainee.model, state: &self.state, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(epoch: u64, validation: f64, test: f64) -> EpochRecord {
        let evaluation = |top1| Evaluation { images: 1, top1, top5: 1.0, loss: 0.0 };
        EpochRecord {
            epoch,
            learning_rate: 0.1,
            train_loss: 1.0,
            train_top1: 0.5,
            validation: evaluation(validation),
            test: evaluation(test),
            seconds: 0.0,
        }
    }

    #[test]
    fn selection_looks_at_the_held_out_images_and_takes_the_earliest() {
        let epochs = vec![record(1, 0.2, 0.9), record(2, 0.5, 0.3), record(3, 0.5, 0.8), record(4, 0.1, 0.4)];
        let history = History { epochs, outcome: Outcome::Finished };
        assert_eq!(history.selected().map(|epoch| (epoch.epoch, epoch.test.top1)), Some((2, 0.3)));
        assert_eq!(history.final_top1(), Some(0.4));
        assert_eq!(history.peak_top1(), Some(0.9));
    }

    #[test]
    fn a_run_without_epochs_has_no_results() {
        let history = History { epochs: Vec::new(), outcome: Outcome::Interrupted };
        assert!(history.selected().is_none() && history.final_top1().is_none() && history.peak_top1().is_none());
    }
}
