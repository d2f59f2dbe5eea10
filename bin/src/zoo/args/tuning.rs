//! Arguments of `zoo finetune`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::options::{DataArgs, MachineArgs, ModelArgs};
use crate::common::parts::Part;

/// Schedules of the learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScheduleName {
    /// The same learning rate throughout
    Constant,
    /// A half cosine from the learning rate to zero
    Cosine,
}

/// Command-line arguments of `zoo finetune`.
#[derive(Args, Clone, Debug)]
pub struct FinetuneArgs {
    #[command(flatten)]
    pub machine: MachineArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub data: DataArgs,
    /// Parts to train; a head that the file does not have is drawn anew if it is one of them
    #[arg(long, help_heading = "Training", value_enum, value_delimiter = ',', default_value = "activations")]
    pub train: Vec<Part>,
    /// Passes over the training images
    #[arg(
        long,
        help_heading = "Training",
        value_name = "N",
        default_value = "3",
        value_parser = clap::value_parser!(u64).range(0..=1_000_000)
    )]
    pub epochs: u64,
    /// Passes over the training images before --epochs, which train the head alone; a head that the file does not have
    /// is drawn anew
    #[arg(
        long,
        help_heading = "Training",
        value_name = "N",
        default_value = "0",
        value_parser = clap::value_parser!(u64).range(0..=1_000_000)
    )]
    pub head_epochs: u64,
    /// Learning rate of Adam
    #[arg(long, help_heading = "Training", value_name = "RATE", default_value = "0.001", value_parser = positive)]
    pub learning_rate: f64,
    /// Learning rate of the head, where it is trained with other parts, as a multiple of --learning-rate
    #[arg(long, help_heading = "Training", value_name = "TIMES", default_value = "1", value_parser = positive)]
    pub head_rate: f64,
    /// Schedule of the learning rate
    #[arg(long, help_heading = "Training", value_enum, default_value = "constant")]
    pub schedule: ScheduleName,
    /// Weight decay, of the weights of convolutions and linear layers
    #[arg(long, help_heading = "Training", value_name = "SHARE", default_value = "0", value_parser = not_negative)]
    pub weight_decay: f64,
    /// Images in a training step
    #[arg(long, help_heading = "Training", value_name = "N", default_value = "128")]
    pub batch_size: NonZeroUsize,
    /// Seed of the order of images, of augmentation and of a new head
    #[arg(long, help_heading = "Training", value_name = "SEED", default_value = "0")]
    pub seed: u64,
    /// Flip the training images and shift them by up to an eighth of their side
    #[arg(long, help_heading = "Training")]
    pub augment: bool,
    /// Use only the first N training images
    #[arg(long, help_heading = "Data", value_name = "N")]
    pub limit_train: Option<NonZeroUsize>,
    /// Use only the first N test images
    #[arg(long, help_heading = "Data", value_name = "N")]
    pub limit_test: Option<NonZeroUsize>,
    /// File for the tuned model, safetensors; for the best network until then if the tuning is ended early
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the file of --out if it is there
    #[arg(long)]
    pub force: bool,
    /// Print the results as JSON
    #[arg(long)]
    pub json: bool,
    /// No progress and no notes on stderr, only errors
    #[arg(long)]
    pub quiet: bool,
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err("expected a positive number".to_owned()),
    }
}

pub(super) fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value >= 0.0 && value.is_finite() => Ok(value),
        _ => Err("expected a number that is not negative".to_owned()),
    }
}
