//! The settings of a training from scratch.

use pvlu::Precision;
use pvlu::activation::Definition;
use pvlu_zoo::data::Augmentation;
use pvlu_zoo::registry::{self, ModelEntry};
use pvlu_zoo::train::FitConfig;

use crate::common::difference::{NONE, NUMERICS, PRECISION};
use crate::common::error::CliError;
use crate::common::shards::batch_text;
use crate::common::training::{Training, augmentation_text};
use crate::zoo::args::TrainArgs;
use crate::zoo::training::{FROM_SCRATCH, augmentation, training};

/// Settings that all seeds of a command share.
#[derive(Clone, Debug)]
pub struct Settings {
    pub entry: &'static ModelEntry,
    pub activation: &'static Definition,
    epochs: u64,
    training: Training,
    pub augmentation: Augmentation,
    pub batch_size: usize,
    pub precision: Precision,
}

impl Settings {
    /// The settings that the options of `zoo train` ask for; an error where two of them contradict each other.
    pub fn of(args: &TrainArgs) -> Result<Self, CliError> {
        let (epochs, mixup) = (args.epochs, args.augmentation.mixup);
        let training = training(&args.training, mixup, &FROM_SCRATCH, &[("--epochs", epochs)])?;
        Ok(Self {
            entry: registry::find(&args.model)?,
            activation: registry::activation(&args.activation)?,
            epochs,
            training,
            augmentation: augmentation(&args.augmentation),
            batch_size: args.batch_size.get(),
            precision: args.machine.precision,
        })
    }

    /// Lines for the user where the epochs end before changes of the learning rate.
    pub fn late_changes(&self) -> Vec<String> {
        self.training.late_changes(&[("--epochs", self.epochs)])
    }

    /// The training with a seed.
    pub fn fit(&self, seed: u64) -> FitConfig {
        self.training.fit(self.epochs, self.training.learning_rate, seed)
    }

    /// The settings as texts by name, for a configuration.
    pub fn texts(&self) -> [(&'static str, String); 11] {
        let Self { entry, activation, epochs, training, augmentation, batch_size, precision } = self;
        [
            ("model", entry.name.to_owned()),
            ("activation", activation.text().to_owned()),
            ("epochs", epochs.to_string()),
            ("batch size", batch_text(*batch_size, training.shards)),
            ("optimizer", training.optimizer_text()),
            ("learning rate", format!("{:e}", training.learning_rate)),
            ("schedule", training.schedule_text()),
            ("regularization", training.regularization_text().unwrap_or(NONE.to_owned())),
            ("augmentation", augmentation_text(*augmentation)),
            (PRECISION, precision.name().to_owned()),
            (NUMERICS, pvlu::NUMERICS_VERSION.to_string()),
        ]
    }
}
