//! The way in which a network is trained, as the options of a command or a protocol say it, and its texts for the
//! configurations by which one training is told from another.

use std::fmt::Write as _;

use pvlu_zoo::data::Augmentation;
use pvlu_zoo::train::{FitConfig, Mixup, OptimizerConfig, Schedule};

/// Optimizer, learning rate, schedule and regularization of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// The optimizer and its constants.
    pub optimizer: OptimizerConfig,
    /// Learning rate before the schedule's factor; of pretrained networks in a protocol that of each arm.
    pub learning_rate: f64,
    /// Factor on the learning rate at each step.
    pub schedule: Schedule,
    /// Epochs at the beginning in which the learning rate rises.
    pub warm_up: u64,
    /// Share of label smoothing of the training loss.
    pub label_smoothing: f64,
    /// Parameter of the distribution by which images are mixed; `None` if they are not.
    pub mixup: Option<f64>,
    /// Share of a moving average of the network that each step keeps; `None` for no average.
    pub average: Option<f64>,
    /// Shards that a batch is cut into, at least 1.
    pub shards: usize,
}

impl Training {
    /// The settings of a training of some epochs from a learning rate, with a seed. Every training gets its settings
    /// here, but for the one that stands in for pretrained weights.
    pub fn fit(&self, epochs: u64, learning_rate: f64, seed: u64) -> FitConfig {
        FitConfig {
            warm_up: self.warm_up,
            label_smoothing: self.label_smoothing,
            mixup: self.mixup.map(|alpha| Mixup { alpha, seed }),
            average: self.average,
            shards: self.shards,
            ..FitConfig::new(epochs, self.optimizer, learning_rate, self.schedule.clone())
        }
    }

    /// Lines for the user where the epochs of a phase end before changes of the learning rate. Each phase is named by
    /// the option that gives its epochs; one without epochs is passed over.
    pub fn late_changes(&self, phases: &[(&str, u64)]) -> Vec<String> {
        let changes = match &self.schedule {
            Schedule::Milestones { epochs, .. } => epochs.clone(),
            Schedule::Step { every, .. } => vec![*every as f64],
            _ => return Vec::new(),
        };
        let late = |(option, end): &(&str, u64)| {
            let late = changes.iter().filter(|epoch| *end > 0 && **epoch >= *end as f64).map(ToString::to_string);
            let late = late.collect::<Vec<_>>().join(", ");
            let ends = format!("warning: {option} {end} ends before the learning rate changes after epoch {late}");
            (!late.is_empty()).then_some(ends)
        };
        phases.iter().filter_map(late).collect()
    }

    /// The optimizer with its constants in one line, as a configuration holds it.
    pub fn optimizer_text(&self) -> String {
        match self.optimizer {
            OptimizerConfig::Sgd { momentum, nesterov, weight_decay } => {
                format!("sgd momentum={momentum:e} nesterov={nesterov} weight_decay={weight_decay:e}")
            }
            OptimizerConfig::Adam { beta1, beta2, epsilon, weight_decay, decoupled } => {
                let name = if decoupled { "adamw" } else { "adam" };
                format!("{name} beta1={beta1:e} beta2={beta2:e} epsilon={epsilon:e} weight_decay={weight_decay:e}")
            }
        }
    }

    /// The schedule in one line, as a configuration holds it.
    pub fn schedule_text(&self) -> String {
        let mut text = match &self.schedule {
            Schedule::Constant => "constant".to_owned(),
            Schedule::Cosine => "cosine".to_owned(),
            Schedule::OneCycle => "one-cycle".to_owned(),
            Schedule::Step { every, factor } => format!("step every={every} factor={factor:e}"),
            Schedule::Milestones { epochs, factor } => format!("step milestones={epochs:?} factor={factor:e}"),
        };
        if self.warm_up > 0 {
            let _ = write!(text, " warm_up={}", self.warm_up);
        }
        text
    }

    /// Smoothing, mixing and averages in one line, as a configuration holds them; `None` if there are none.
    pub fn regularization_text(&self) -> Option<String> {
        let smoothing = (self.label_smoothing > 0.0).then(|| format!("label_smoothing={:e}", self.label_smoothing));
        let mixup = self.mixup.map(|alpha| format!("mixup={alpha:e}"));
        let average = self.average.map(|share| format!("average={share:e}"));
        let said: Vec<String> = [smoothing, mixup, average].into_iter().flatten().collect();
        (!said.is_empty()).then(|| said.join(" "))
    }
}

/// An augmentation in one line, as a configuration holds it.
pub fn augmentation_text(augmentation: Augmentation) -> String {
    let Augmentation { flip, shift, cutout, part, jitter } = augmentation;
    let mut text = format!("flip={flip} shift={shift} cutout={}", cutout.unwrap_or(0));
    for (name, share) in [("part", part), ("jitter", jitter)] {
        text.extend(share.map(|share| format!(" {name}={share:e}")));
    }
    text
}
