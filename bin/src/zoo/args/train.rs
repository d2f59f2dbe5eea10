//! Arguments of `zoo train`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::kept::KeptArgs;
use super::numbers::share;
use super::options::{DataArgs, MachineArgs};
use super::training::{AugmentationArgs, MAX_EPOCHS, TrainingArgs};

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
    #[command(flatten)]
    pub augmentation: AugmentationArgs,
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
    #[command(flatten)]
    pub training: TrainingArgs,
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
