//! The settings of a tuning.

use pvlu::Precision;
use pvlu::activation::Definition;
use pvlu_zoo::data::Augmentation;
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::registry;
use pvlu_zoo::train::FitConfig;
use pvlu_zoo::transfer::FreezePolicy;

use super::args::FinetuneArgs;
use super::training::{TUNING, augmentation, training};
use crate::common::difference::{NONE, NUMERICS, PRECISION};
use crate::common::error::CliError;
use crate::common::parts::{Part, names, policy};
use crate::common::shards::batch_text;
use crate::common::training::{Training, augmentation_text};

/// Augmentation shifts images by at most their side divided by this: 4 pixels of 32.
const SHIFT: usize = 8;

/// Settings of a tuning.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The activation to tune with; `None` for the file's.
    pub activation: Option<&'static Definition>,
    /// Parts that the second phase trains.
    pub policy: FreezePolicy,
    /// True if the user asked to train nothing, except perhaps a new head.
    pub trains_nothing: bool,
    /// Passes over the training images in the second phase.
    pub epochs: u64,
    /// Passes over the training images in the first phase, which trains the head alone.
    pub head_epochs: u64,
    /// Optimizer, learning rate at the start of a phase, and schedule.
    training: Training,
    /// Learning rate of the head in the second phase, as a multiple of that of the other parts.
    pub head_rate: f64,
    /// Images in a training step, and in an evaluation batch.
    pub batch_size: usize,
    /// Seed of the order of images, of augmentation and of a new head.
    pub seed: u64,
    /// Changes of the training images.
    augmentation: Augmentation,
    /// True if training images are flipped and shifted by a share of their side.
    augment: bool,
    /// Precision of the factors of convolutions and linear layers.
    pub precision: Precision,
}

impl Settings {
    /// The settings that the options of `zoo finetune` ask for.
    pub fn of(args: &FinetuneArgs) -> Result<Self, CliError> {
        if args.train.contains(&Part::None) && args.train.iter().any(|part| *part != Part::None) {
            return Err(CliError::Usage("--train: none stands alone: leave out none or the other parts".to_owned()));
        }
        let policy = policy(&args.train);
        let phases =
            [("--epochs", args.epochs, policy != FreezePolicy::NONE), ("--head-epochs", args.head_epochs, true)];
        let trained = phases.into_iter().filter(|(_, epochs, trains)| *trains && *epochs > 0);
        let trained: Vec<(&str, u64)> = trained.map(|(option, epochs, _)| (option, epochs)).collect();
        let training = training(&args.training, args.augmentation.mixup, &TUNING, &trained)?;
        let settings = Self {
            activation: args.model.activation.as_deref().map(registry::activation).transpose()?,
            policy,
            trains_nothing: args.epochs == 0 || args.train.contains(&Part::None),
            epochs: args.epochs,
            head_epochs: args.head_epochs,
            training,
            head_rate: args.head_rate,
            batch_size: args.batch_size.get(),
            seed: args.seeds.first().copied().unwrap_or(args.seed),
            augmentation: augmentation(&args.augmentation),
            augment: args.augment,
            precision: args.machine.precision,
        };
        settings.refuse_unused(args).map(|()| settings)
    }

    /// Refuses options that would change nothing.
    fn refuse_unused(&self, args: &FinetuneArgs) -> Result<(), CliError> {
        if let Some(option) = args.of_training().filter(|_| !self.trains()) {
            let how = "leave it out, or train something by --train with --epochs, or by --head-epochs";
            return Err(CliError::Usage(format!("{option}: nothing is trained: {how}")));
        }
        if self.head_rate != 1.0 && !(self.tunes() && self.policy.head) {
            let why = "the head is not trained with other parts: leave it out, or name head in --train";
            return Err(CliError::Usage(format!("--head-rate: {why}")));
        }
        Ok(())
    }

    /// Lines for the user where a phase ends before changes of the learning rate.
    pub fn late_changes(&self) -> Vec<String> {
        let epochs = if self.tunes() { self.epochs } else { 0 };
        self.training.late_changes(&[("--head-epochs", self.head_epochs), ("--epochs", epochs)])
    }

    /// The seed of a head that the file does not have; `None` if none will be trained.
    pub fn fresh_head(&self) -> Option<u64> {
        (self.head_epochs > 0 || self.policy.head).then_some(self.seed)
    }

    /// The way in which training images with this preprocessing are changed.
    pub fn augmentation(&self, preprocessing: Preprocessing) -> Augmentation {
        let (height, width) = preprocessing.input();
        let changed = Augmentation { flip: true, shift: height.min(width) / SHIFT, ..self.augmentation };
        if self.augment { changed } else { self.augmentation }
    }

    /// The same settings with another seed.
    pub fn with_seed(&self, seed: u64) -> Self {
        Self { seed, ..self.clone() }
    }

    /// True if there is a second phase, which trains something.
    pub fn tunes(&self) -> bool {
        self.epochs > 0 && self.policy != FreezePolicy::NONE
    }

    /// True if anything is trained at all.
    pub fn trains(&self) -> bool {
        self.head_epochs > 0 || self.tunes()
    }

    /// The configuration of a phase of some epochs, which trains the parts that a policy names.
    pub fn fit(&self, policy: FreezePolicy, epochs: u64) -> FitConfig {
        let head_rate = if policy == FreezePolicy::HEAD { 1.0 } else { self.head_rate };
        FitConfig { head_rate, ..self.training.fit(epochs, self.training.learning_rate, self.seed) }
    }

    /// The settings as texts by name, for a configuration.
    pub fn texts(&self, preprocessing: Preprocessing) -> [(&'static str, String); 13] {
        let Self { policy, epochs, head_epochs, training, head_rate, batch_size, seed, precision, .. } = self;
        let trained = if self.tunes() { names(*policy).join(",") } else { NONE.to_owned() };
        [
            ("seed", seed.to_string()),
            ("train", trained),
            ("epochs", epochs.to_string()),
            ("head epochs", head_epochs.to_string()),
            ("batch size", batch_text(*batch_size, training.shards)),
            ("optimizer", training.optimizer_text()),
            ("learning rate", format!("{:e}", training.learning_rate)),
            ("head rate", format!("{head_rate:e}")),
            ("schedule", training.schedule_text()),
            ("regularization", training.regularization_text().unwrap_or(NONE.to_owned())),
            ("augmentation", augmentation_text(self.augmentation(preprocessing))),
            (PRECISION, precision.name().to_owned()),
            (NUMERICS, pvlu::NUMERICS_VERSION.to_string()),
        ]
    }
}
