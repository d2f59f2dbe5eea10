//! Arguments of `zoo train`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::kept::KeptArgs;
use super::numbers::{above_zero, alpha, not_negative, positive, share};
use super::options::{DataArgs, MachineArgs};

/// The most epochs accepted: more than anyone can wait for, and few enough that the number of steps is a `u64`.
const MAX_EPOCHS: u64 = 1_000_000;

/// Optimizers of a training from scratch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OptimizerName {
    /// Stochastic gradient descent with momentum
    Sgd,
    /// Adam, with weight decay in the gradient
    Adam,
    /// Adam with decoupled weight decay
    Adamw,
}

/// Schedules of the learning rate of a training from scratch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TrainSchedule {
    /// The same learning rate throughout
    Constant,
    /// Multiplied by --factor at the epochs of --milestones
    Step,
    /// A half cosine from the learning rate to zero
    Cosine,
    /// Up to the learning rate in the first three tenths of the steps, then down to almost nothing
    OneCycle,
}

/// Command-line arguments of `zoo train`.
#[derive(Args, Clone, Debug)]
pub struct TrainArgs {
    #[command(flatten)]
    pub machine: MachineArgs,
    /// The model, as `zoo list` names it
    #[arg(long, help_heading = "Model", value_name = "NAME")]
    pub model: String,
    /// The activation, by name or as a formula
    #[arg(long, help_heading = "Model", value_name = "ACTIVATION", default_value = "relu")]
    pub activation: String,
    #[command(flatten)]
    pub data: DataArgs,
    /// Share of the training images of each class that is held out and picks the best epoch; 0 for none
    #[arg(long, help_heading = "Data", value_name = "SHARE", default_value = "0.1", value_parser = share)]
    pub held_out: f64,
    /// Use only the first N training images; some of them are held out
    #[arg(long, help_heading = "Data", value_name = "N")]
    pub limit_train: Option<NonZeroUsize>,
    /// Use only the first N test images
    #[arg(long, help_heading = "Data", value_name = "N")]
    pub limit_test: Option<NonZeroUsize>,
    /// Leave out image files that cannot be read, and say how many; without it the first one is an error
    #[arg(long, help_heading = "Data")]
    pub skip_unreadable: bool,
    /// Mirror half of the training images
    #[arg(long, help_heading = "Augmentation")]
    pub flip: bool,
    /// Shift training images by up to N pixels: the random crop from an image that is padded by N
    #[arg(long, help_heading = "Augmentation", value_name = "N", default_value = "0")]
    pub crop: u16,
    /// Take a random part of each training image, of at least this share of its area, and resize it: 0.08 is usual for
    /// ImageNet
    #[arg(long, help_heading = "Augmentation", value_name = "SHARE", value_parser = above_zero)]
    pub random_part: Option<f64>,
    /// Scale brightness, contrast and saturation of training images, each by up to this share
    #[arg(long, help_heading = "Augmentation", value_name = "SHARE", value_parser = above_zero)]
    pub color_jitter: Option<f64>,
    /// Erase a square with sides of N pixels from each training image
    #[arg(long, help_heading = "Augmentation", value_name = "N")]
    pub cutout: Option<u16>,
    /// Mix each training image with another one, in shares of a beta distribution of this parameter
    #[arg(long, help_heading = "Augmentation", value_name = "ALPHA", value_parser = alpha)]
    pub mixup: Option<f64>,
    /// Passes over the training images
    #[arg(
        long,
        help_heading = "Training",
        value_name = "N",
        default_value = "100",
        value_parser = clap::value_parser!(u64).range(1..=MAX_EPOCHS)
    )]
    pub epochs: u64,
    /// Images in a training step
    #[arg(long, help_heading = "Training", value_name = "N", default_value = "128")]
    pub batch_size: NonZeroUsize,
    /// Optimizer, with its usual constants
    #[arg(long, help_heading = "Training", value_enum, default_value = "sgd")]
    pub optimizer: OptimizerName,
    /// Learning rate, before the schedule's factor [default: 0.1 of sgd, else 0.001]
    #[arg(long, help_heading = "Training", value_name = "RATE", value_parser = positive)]
    pub learning_rate: Option<f64>,
    /// Share of the last velocity that a step of sgd keeps [default: 0.9]
    #[arg(long, help_heading = "Training", value_name = "SHARE", value_parser = share)]
    pub momentum: Option<f64>,
    /// Nesterov's momentum in place of the classical one
    #[arg(long, help_heading = "Training")]
    pub nesterov: bool,
    /// Weight decay, of the weights of convolutions and linear layers [default: 0.0005 of sgd, 0.01 of adamw, else 0]
    #[arg(long, help_heading = "Training", value_name = "SHARE", value_parser = not_negative)]
    pub weight_decay: Option<f64>,
    /// Schedule of the learning rate [default: step with --milestones, else cosine]
    #[arg(long, help_heading = "Training", value_enum)]
    pub schedule: Option<TrainSchedule>,
    /// Epochs after which the learning rate is multiplied by --factor; fractions are rounded to a step
    #[arg(long, help_heading = "Training", value_name = "EPOCH,...", value_delimiter = ',', value_parser = positive)]
    pub milestones: Vec<f64>,
    /// Factor of the learning rate at each of --milestones [default: 0.1]
    #[arg(long, help_heading = "Training", value_name = "FACTOR", value_parser = positive, requires = "milestones")]
    pub factor: Option<f64>,
    /// Epochs at the beginning in which the learning rate rises in a straight line
    #[arg(
        long,
        help_heading = "Training",
        value_name = "N",
        default_value = "0",
        value_parser = clap::value_parser!(u64).range(0..=MAX_EPOCHS)
    )]
    pub warm_up: u64,
    /// Share of label smoothing of the training loss
    #[arg(long, help_heading = "Training", value_name = "SHARE", default_value = "0", value_parser = share)]
    pub label_smoothing: f64,
    /// Share of a moving average of the network that each step keeps, as 0.999; the average is what is measured and
    /// saved
    #[arg(long, help_heading = "Training", value_name = "SHARE", value_parser = share)]
    pub average: Option<f64>,
    /// Seeds of the start values, the order of images and everything that is drawn; one training each
    #[arg(long, help_heading = "Training", value_name = "SEED,...", value_delimiter = ',', default_value = "0")]
    pub seeds: Vec<u64>,
    /// Folder for the trainings: a folder in it for each seed, with networks, CSV file and figure
    #[arg(long, help_heading = "Output", value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub kept: KeptArgs,
    /// Print the results as JSON
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// No progress and no notes on stderr, only errors
    #[arg(long, help_heading = "Output")]
    pub quiet: bool,
}
