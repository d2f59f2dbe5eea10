//! Options of the commands that train: the optimizer with its schedule, and the changes of the images.

use clap::{Args, ValueEnum};

use super::numbers::{above_zero, alpha, not_negative, positive, share};
use crate::common::shards;

/// The most epochs accepted: more than anyone can wait for, and few enough that the number of steps is a `u64`.
pub const MAX_EPOCHS: u64 = 1_000_000;

/// Optimizers of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OptimizerName {
    /// Stochastic gradient descent with momentum
    Sgd,
    /// Adam, with weight decay in the gradient
    Adam,
    /// Adam with decoupled weight decay
    Adamw,
}

/// Schedules of the learning rate of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScheduleName {
    /// The same learning rate throughout
    Constant,
    /// Multiplied by --factor at the epochs of --milestones
    Step,
    /// A half cosine from the learning rate to zero
    Cosine,
    /// Up to the learning rate in the first three tenths of the steps, then down to almost nothing
    OneCycle,
}

/// The optimizer, its schedule and regularization; of a tuning the same in each phase.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Training")]
pub struct TrainingArgs {
    /// Optimizer, with its usual constants [default: sgd from scratch, adamw to fine-tune]
    #[arg(long, value_enum)]
    pub optimizer: Option<OptimizerName>,
    /// Learning rate, before the schedule's factor [default: 0.1 of sgd from scratch, else 0.001]
    #[arg(long, value_name = "RATE", value_parser = positive)]
    pub learning_rate: Option<f64>,
    /// Share of the last velocity that a step of sgd keeps [default: 0.9]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub momentum: Option<f64>,
    /// Nesterov's momentum in place of the classical one
    #[arg(long)]
    pub nesterov: bool,
    /// Weight decay, of the weights of convolutions and linear layers [default: from scratch 0.0005 of sgd and 0.01 of
    /// adamw, else 0]
    #[arg(long, value_name = "SHARE", value_parser = not_negative)]
    pub weight_decay: Option<f64>,
    /// Schedule of the learning rate [default: step with --milestones, else cosine from scratch, constant to fine-tune]
    #[arg(long, value_enum)]
    pub schedule: Option<ScheduleName>,
    /// Epochs after which the learning rate is multiplied by --factor; fractions are rounded to a step
    #[arg(long, value_name = "EPOCH,...", value_delimiter = ',', value_parser = positive)]
    pub milestones: Vec<f64>,
    /// Factor of the learning rate at each of --milestones [default: 0.1]
    #[arg(long, value_name = "FACTOR", value_parser = positive, requires = "milestones")]
    pub factor: Option<f64>,
    /// Epochs at the beginning in which the learning rate rises in a straight line
    #[arg(long, value_name = "N", default_value = "0", value_parser = clap::value_parser!(u64).range(0..=MAX_EPOCHS))]
    pub warm_up: u64,
    /// Share of label smoothing of the training loss
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub label_smoothing: f64,
    /// Share of a moving average of the network that each step keeps, as 0.999; the average is what is measured and
    /// saved
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub average: Option<f64>,
    /// Shards that a batch is cut into; results depend on their number, and not on that of threads
    #[arg(long, value_name = "N", default_value = "1", value_parser = shards::parser())]
    pub shards: usize,
}

impl TrainingArgs {
    /// The first of these options that was given, if any.
    pub fn first(&self) -> Option<&'static str> {
        let given = [
            ("--optimizer", self.optimizer.is_some()),
            ("--learning-rate", self.learning_rate.is_some()),
            ("--momentum", self.momentum.is_some()),
            ("--nesterov", self.nesterov),
            ("--weight-decay", self.weight_decay.is_some()),
            ("--schedule", self.schedule.is_some()),
            ("--milestones", !self.milestones.is_empty()),
            ("--factor", self.factor.is_some()),
            ("--warm-up", self.warm_up > 0),
            ("--label-smoothing", self.label_smoothing > 0.0),
            ("--average", self.average.is_some()),
            ("--shards", self.shards > 1),
        ];
        first(&given)
    }
}

/// The first option of a list that was given, if any.
fn first(options: &[(&'static str, bool)]) -> Option<&'static str> {
    options.iter().find(|(_, is_given)| *is_given).map(|(option, _)| *option)
}

/// The random changes of training images.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Augmentation")]
pub struct AugmentationArgs {
    /// Mirror half of the training images
    #[arg(long)]
    pub flip: bool,
    /// Shift training images by up to N pixels: the random crop from an image that is padded by N
    #[arg(long, value_name = "N", default_value = "0")]
    pub crop: u16,
    /// Take a random part of each training image, of at least this share of its area, and resize it: 0.08 is usual for
    /// ImageNet
    #[arg(long, value_name = "SHARE", value_parser = above_zero)]
    pub random_part: Option<f64>,
    /// Scale brightness, contrast and saturation of training images, each by up to this share
    #[arg(long, value_name = "SHARE", value_parser = above_zero)]
    pub color_jitter: Option<f64>,
    /// Erase a square with sides of N pixels from each training image
    #[arg(long, value_name = "N")]
    pub cutout: Option<u16>,
    /// Mix each training image with another one, in shares of a beta distribution of this parameter
    #[arg(long, value_name = "ALPHA", value_parser = alpha)]
    pub mixup: Option<f64>,
}

impl AugmentationArgs {
    /// The first of these options that was given, if any.
    pub fn first(&self) -> Option<&'static str> {
        let given = [
            ("--flip", self.flip),
            ("--crop", self.crop > 0),
            ("--random-part", self.random_part.is_some()),
            ("--color-jitter", self.color_jitter.is_some()),
            ("--cutout", self.cutout.is_some()),
            ("--mixup", self.mixup.is_some()),
        ];
        first(&given)
    }
}
