//! The settings of a training from scratch.

use pvlu::Precision;
use pvlu::activation::Definition;
use pvlu_zoo::data::Augmentation;
use pvlu_zoo::registry::{self, ModelEntry};
use pvlu_zoo::train::{FitConfig, OptimizerConfig, Schedule};

use crate::common::difference::{NONE, NUMERICS, PRECISION};
use crate::common::error::CliError;
use crate::common::training::{Training, augmentation_text};
use crate::zoo::args::{OptimizerName, TrainArgs, TrainSchedule};

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
        let is_sgd = args.optimizer == OptimizerName::Sgd;
        for (option, is_given) in [("--momentum", args.momentum.is_some()), ("--nesterov", args.nesterov)] {
            if is_given && !is_sgd {
                return Err(CliError::Usage(format!("{option}: of --optimizer sgd alone")));
            }
        }
        let optimizer = match args.optimizer {
            OptimizerName::Sgd => {
                OptimizerConfig::sgd(args.momentum.unwrap_or(0.9), args.nesterov, args.weight_decay.unwrap_or(5e-4))
            }
            name => OptimizerConfig::Adam {
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                weight_decay: args.weight_decay.unwrap_or(if name == OptimizerName::Adamw { 0.01 } else { 0.0 }),
                decoupled: name == OptimizerName::Adamw,
            },
        };
        if args.nesterov && args.momentum == Some(0.0) {
            return Err(CliError::Usage("--nesterov: needs a --momentum above 0".to_owned()));
        }
        let training = Training {
            optimizer,
            learning_rate: args.learning_rate.unwrap_or(if is_sgd { 0.1 } else { 1e-3 }),
            schedule: schedule(args)?,
            warm_up: args.warm_up,
            label_smoothing: args.label_smoothing,
            mixup: args.mixup,
            average: args.average,
        };
        Ok(Self {
            entry: registry::find(&args.model)?,
            activation: registry::activation(&args.activation)?,
            epochs: args.epochs,
            training,
            augmentation: Augmentation {
                flip: args.flip,
                shift: args.crop.into(),
                cutout: args.cutout.map(usize::from),
                part: args.random_part,
                jitter: args.color_jitter,
            },
            batch_size: args.batch_size.get(),
            precision: args.machine.precision,
        })
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
            ("batch size", batch_size.to_string()),
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

/// The schedule that the options ask for.
fn schedule(args: &TrainArgs) -> Result<Schedule, CliError> {
    let (milestones, factor) = (args.milestones.clone(), args.factor.unwrap_or(0.1));
    let usual = if milestones.is_empty() { TrainSchedule::Cosine } else { TrainSchedule::Step };
    let refused = |message: &str| Err(CliError::Usage(message.to_owned()));
    match (args.schedule.unwrap_or(usual), milestones.is_empty()) {
        (TrainSchedule::Step, true) => refused("--schedule step: needs --milestones, as in --milestones 30,60"),
        (TrainSchedule::Step, false) if !milestones.is_sorted_by(|left, right| left < right) => {
            refused("--milestones: expected epochs that rise, as in 30,60")
        }
        (TrainSchedule::Step, false) => Ok(Schedule::Milestones { epochs: milestones, factor }),
        (_, false) => refused("--milestones: of --schedule step alone"),
        (TrainSchedule::OneCycle, _) if args.warm_up > 0 => {
            refused("--warm-up: --schedule one-cycle has a rise of its own")
        }
        _ if args.warm_up > args.epochs => refused("--warm-up: expected at most as many epochs as --epochs"),
        (TrainSchedule::Constant, true) => Ok(Schedule::Constant),
        (TrainSchedule::Cosine, true) => Ok(Schedule::Cosine),
        (TrainSchedule::OneCycle, true) => Ok(Schedule::OneCycle),
    }
}
