//! Arguments of `zoo finetune`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::kept::KeptArgs;
use super::numbers::{positive, share};
use super::options::{DataArgs, MachineArgs, ModelArgs};
use super::training::{AugmentationArgs, MAX_EPOCHS, TrainingArgs};
use crate::common::parts::Part;

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
        value_parser = clap::value_parser!(u64).range(0..=MAX_EPOCHS)
    )]
    pub epochs: u64,
    /// Passes over the training images before --epochs, which train the head alone; a head that the file does not have
    /// is drawn anew
    #[arg(
        long,
        help_heading = "Training",
        value_name = "N",
        default_value = "0",
        value_parser = clap::value_parser!(u64).range(0..=MAX_EPOCHS)
    )]
    pub head_epochs: u64,
    /// Learning rate of the head, where it is trained with other parts, as a multiple of --learning-rate
    #[arg(long, help_heading = "Training", value_name = "TIMES", default_value = "1", value_parser = positive)]
    pub head_rate: f64,
    #[command(flatten)]
    pub training: TrainingArgs,
    /// Images in a training step
    #[arg(long, help_heading = "Training", value_name = "N", default_value = "128")]
    pub batch_size: NonZeroUsize,
    /// Seed of the order of images, of augmentation and of a new head
    #[arg(long, help_heading = "Training", value_name = "SEED", default_value = "0")]
    pub seed: u64,
    /// Several such seeds, with a tuning in --runs for each
    #[arg(
        long,
        help_heading = "Training",
        value_name = "SEED,...",
        value_delimiter = ',',
        conflicts_with_all = ["seed", "out"]
    )]
    pub seeds: Vec<u64>,
    #[command(flatten)]
    pub augmentation: AugmentationArgs,
    /// Short for --flip and --crop by an eighth of the side of the images
    #[arg(long, help_heading = "Augmentation", conflicts_with_all = ["flip", "crop"])]
    pub augment: bool,
    /// Share of the training images of each class that is held out and picks the best epoch of the last phase, whose
    /// network is the result; 0 for none
    #[arg(long, help_heading = "Data", value_name = "SHARE", default_value = "0", value_parser = share)]
    pub held_out: f64,
    /// Use only the first N training images; some of them are held out with --held-out
    #[arg(long, help_heading = "Data", value_name = "N")]
    pub limit_train: Option<NonZeroUsize>,
    /// Use only the first N test images
    #[arg(long, help_heading = "Data", value_name = "N")]
    pub limit_test: Option<NonZeroUsize>,
    /// Leave out image files that cannot be read, and say how many; without it the first one is an error
    #[arg(long, help_heading = "Data")]
    pub skip_unreadable: bool,
    /// File for the tuned model, safetensors; for the best network until then if the tuning is ended early, but with
    /// --runs only if its loss is not finite any more
    #[arg(long, help_heading = "Output", value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the file of --out if it is there
    #[arg(long, help_heading = "Output")]
    pub force: bool,
    /// Folder to keep the tuning in: in it a folder for each seed, with checkpoints to go on from, networks, CSV file
    /// and figure
    #[arg(long, help_heading = "Output", value_name = "DIR")]
    pub runs: Option<PathBuf>,
    #[command(flatten)]
    pub kept: KeptArgs,
    /// Print the results as JSON
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// No progress and no notes on stderr, only errors
    #[arg(long, help_heading = "Output")]
    pub quiet: bool,
}

impl FinetuneArgs {
    /// The first option that was given of those that change nothing unless something is trained, if any.
    pub fn of_training(&self) -> Option<&'static str> {
        let others = [
            ("--augment", self.augment),
            ("--head-rate", self.head_rate != 1.0),
            ("--held-out", self.held_out > 0.0),
            ("--skip-unreadable", self.skip_unreadable),
        ];
        let other = || others.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option);
        self.training.first().or_else(|| self.augmentation.first()).or_else(other)
    }
}
