//! Settings of a training run.

use super::mixup::Mixup;
use super::optimizer::OptimizerConfig;
use super::schedule::Schedule;
use crate::data::DataError;

/// Settings of a training run.
#[derive(Clone, Debug, PartialEq)]
pub struct FitConfig {
    /// Passes over the training images.
    pub epochs: u64,
    /// Optimizer and its constants.
    pub optimizer: OptimizerConfig,
    /// Learning rate before the schedule's factor.
    pub learning_rate: f64,
    /// Factor on the base learning rate at each step.
    pub schedule: Schedule,
    /// Epochs at the beginning in which the learning rate rises in a straight line, `(step + 1) / steps` of it, before
    /// the schedule begins.
    pub warm_up: u64,
    /// Learning rate of the head as a multiple of that of the trunk.
    pub head_rate: f64,
    /// Share of label smoothing of the training loss, from 0 to 1; evaluations have none.
    pub label_smoothing: f64,
    /// Mixing of the images that are trained on, if any. Of a mixed image the first label counts for the accuracy.
    pub mixup: Option<Mixup>,
    /// Shards that each batch is cut into, at least 1. They are computed at the same time, and their sums are added in
    /// an order that their number determines: so it goes into the results, other than the number of threads; see
    /// [`pvlu::shard`]. Networks on other devices than the CPU have no shards.
    pub shards: usize,
    /// Share of a moving average of the network that each step keeps, at least 0 and less than 1; `None` for no
    /// average. With one, evaluations are of the average, and so is the network that training ends with.
    pub average: Option<f64>,
}

impl FitConfig {
    /// Settings without warm-up, smoothing, mixing, shards and averages.
    #[must_use]
    pub const fn new(epochs: u64, optimizer: OptimizerConfig, learning_rate: f64, schedule: Schedule) -> Self {
        let (warm_up, head_rate, label_smoothing, mixup, shards, average) = (0, 1.0, 0.0, None, 1, None);
        Self { epochs, optimizer, learning_rate, schedule, warm_up, head_rate, label_smoothing, mixup, shards, average }
    }

    /// The learning rate of the trunk at a step, counted from 0 over all epochs of so many steps.
    #[must_use]
    pub fn rate(&self, step: u64, epoch_steps: u64) -> f64 {
        let (warm_up, total) = (self.warm_up.saturating_mul(epoch_steps), epoch_steps.saturating_mul(self.epochs));
        self.learning_rate * self.schedule.factor_after(warm_up, step, epoch_steps, total)
    }

    /// Refuses settings that are out of range, as [`fit`](super::fit()) does.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`], which names the first such setting.
    pub fn check(&self) -> Result<(), DataError> {
        let Self { learning_rate, head_rate, label_smoothing, mixup, average, .. } = self;
        let finite = "a finite number";
        let rate = |rate: f64| rate.is_finite();
        let settings = [
            ("learning rate", *learning_rate, finite, rate(*learning_rate)),
            ("learning rate of the head", *head_rate, finite, rate(*head_rate)),
            ("label smoothing", *label_smoothing, "0 to 1", (0.0..=1.0).contains(label_smoothing)),
            (
                "moving average",
                average.unwrap_or(0.0),
                "from 0 to below 1",
                (0.0..1.0).contains(&average.unwrap_or(0.0)),
            ),
        ];
        match settings.into_iter().find(|(.., holds)| !holds) {
            Some((name, found, expected, _)) => Err(DataError::setting(name, expected, found)),
            None if self.shards == 0 => Err(DataError::setting("shards", "at least 1", 0)),
            None => mixup.as_ref().map_or(Ok(()), Mixup::check),
        }
    }
}
