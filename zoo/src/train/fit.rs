//! The training loop.

use std::ops::ControlFlow;
use std::time::Instant;

use pvlu::kernel::cpu::cross_entropy::top_k_correct;
use pvlu::layer::Mode;

use super::TrainError;
use super::evaluate::{Evaluation, evaluate};
use super::optimizer::{Optimizer, OptimizerConfig};
use super::schedule::Schedule;
use crate::data::{Batches, Loader};
use crate::model::Model;

/// What a run trains on, selects by, and is judged on; `Box<dyn Batches>` where it is not known where the images are.
#[derive(Debug)]
pub struct Splits<B = Loader> {
    /// Training images, shuffled and augmented.
    pub train: B,
    /// Images held out of training, in file order: the epoch is selected by these.
    pub validation: B,
    /// Test images, in file order: reported, never selected by.
    pub test: B,
}

/// How a run trains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitConfig {
    /// Passes over the training images.
    pub epochs: u64,
    /// Optimiser and its constants.
    pub optimizer: OptimizerConfig,
    /// Base learning rate.
    pub learning_rate: f64,
    /// What the base is multiplied by at each step.
    pub schedule: Schedule,
}

/// One epoch of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochRecord {
    /// Number of the epoch, from 1.
    pub epoch: u64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Mean training loss over the epoch, each batch at the parameters it was computed with.
    pub train_loss: f64,
    /// Training accuracy over the same batches, augmented and with dropout.
    pub train_top1: f64,
    /// On the held-out images after the epoch.
    pub validation: Evaluation,
    /// On the test images after the epoch.
    pub test: Evaluation,
    /// Wall-clock time of the epoch with its evaluations.
    pub seconds: f64,
}

/// Tells the caller where a run is. The answer `Break` ends it after the current step.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A training step was done.
    Step {
        /// Epoch from 1.
        epoch: u64,
        /// Step within the epoch, from 1.
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

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All epochs were trained.
    Finished,
    /// A training loss was not finite; the run ended with that epoch.
    Diverged,
    /// The caller said `Break`.
    Interrupted,
}

/// A run, epoch by epoch.
#[derive(Clone, Debug)]
pub struct History {
    /// The finished epochs.
    pub epochs: Vec<EpochRecord>,
    /// How it ended.
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

/// Trains a model and evaluates it after every epoch.
///
/// # Errors
///
/// An image that cannot be read, and whatever the model gives.
pub fn fit<B: Batches>(
    model: &mut dyn Model,
    splits: &Splits<B>,
    config: &FitConfig,
    observe: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<History, TrainError> {
    let Splits { train, validation, test } = splits;
    let mut history = History { epochs: Vec::new(), outcome: Outcome::Finished };
    let mut optimizer = Optimizer::new(config.optimizer);
    for epoch in 1..=config.epochs {
        let start = Instant::now();
        let Some(trained) = train_epoch(model, &mut optimizer, train, config, epoch, observe)? else {
            history.outcome = Outcome::Interrupted;
            break;
        };
        let mut evaluating = || observe(Event::Evaluating);
        let Some(validation) = evaluate(model, validation, &mut evaluating)? else {
            history.outcome = Outcome::Interrupted;
            break;
        };
        let Some(test) = evaluate(model, test, &mut evaluating)? else {
            history.outcome = Outcome::Interrupted;
            break;
        };
        let record = EpochRecord {
            epoch,
            learning_rate: trained.learning_rate,
            train_loss: trained.loss,
            train_top1: trained.top1,
            validation,
            test,
            seconds: start.elapsed().as_secs_f64(),
        };
        history.epochs.push(record);
        let stop = observe(Event::Epoch(&record)).is_break();
        if !trained.loss.is_finite() {
            history.outcome = Outcome::Diverged;
            break;
        }
        if stop && epoch < config.epochs {
            history.outcome = Outcome::Interrupted;
            break;
        }
    }
    Ok(history)
}

/// Means over one epoch of training.
struct Trained {
    learning_rate: f64,
    loss: f64,
    top1: f64,
}

/// One pass over the training images; `None` if interrupted.
fn train_epoch(
    model: &mut dyn Model,
    optimizer: &mut Optimizer,
    loader: &dyn Batches,
    config: &FitConfig,
    epoch: u64,
    observe: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<Option<Trained>, TrainError> {
    model.set_mode(Mode::Train);
    let classes = model.classes();
    let steps = loader.batches() as u64;
    let total = steps.saturating_mul(config.epochs);
    let mut trained = Trained { learning_rate: config.learning_rate, loss: 0.0, top1: 0.0 };
    let mut images = 0;
    for (step, batch) in (1..).zip(loader.epoch(epoch)) {
        let batch = batch?;
        let done = (epoch - 1) * steps + step - 1;
        trained.learning_rate = config.learning_rate * config.schedule.factor(done, steps, total);
        let mut result = model.step(batch.images, &batch.labels)?;
        if result.loss.is_finite() {
            optimizer.update(model, &mut result.gradients, trained.learning_rate)?;
        }
        let count = batch.labels.len();
        trained.loss += result.loss * count as f64;
        trained.top1 += top_k_correct(&result.logits, classes, &batch.labels, 1) as f64;
        images += count;
        if observe(Event::Step { epoch, step, steps, loss: result.loss }).is_break() {
            return Ok(None);
        }
        if !result.loss.is_finite() {
            break;
        }
    }
    trained.loss /= images as f64;
    trained.top1 /= images as f64;
    Ok(Some(trained))
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
