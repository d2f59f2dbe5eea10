//! Command-line arguments.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pvlu_zoo::registry::ACTIVATIONS;

/// Reproduce the tables of "Parametric Variational Linear Units (PVLUs) in Deep Convolutional Networks".
#[derive(Debug, Parser)]
#[command(name = "reproduce", version, about, arg_required_else_help = true)]
pub struct Cli {
    /// The table.
    #[command(subcommand)]
    pub command: Command,
}

/// The tables that can be reproduced.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Table 1: the six-convolution network on CIFAR-100, without augmentation
    Table1(TableArgs),
    /// Table 2: the same with augmentation
    Table2(TableArgs),
}

/// How much work a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// A few minutes: small counts, one seed
    Quick,
    /// The paper's protocol: all images, 100 epochs, all seeds
    Paper,
}

impl Preset {
    /// Name in the CSV.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Quick => "quick",
            Preset::Paper => "paper",
        }
    }
}

/// Options of a table.
#[derive(Args, Clone, Debug)]
pub struct TableArgs {
    /// Folder with the CIFAR binary files, or its parent [default: $PVLU_ZOO_DATA, else ./data, else the built-in
    /// procedural images]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// How much work [default: paper on CIFAR images, quick on the procedural ones]
    #[arg(long, value_enum)]
    pub preset: Option<Preset>,

    /// Passes over the training images
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub epochs: Option<u64>,

    /// Seeds, one run each
    #[arg(long, value_name = "SEED,...", value_delimiter = ',')]
    pub seeds: Option<Vec<u64>>,

    /// Activations, one run each and seed
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(ACTIVATIONS))]
    pub activations: Option<Vec<String>>,

    /// Use only the first N training images, in file order; the last tenth of each class is held out of them
    #[arg(long, value_name = "N")]
    pub limit_train: Option<NonZeroUsize>,

    /// Use only the first N test images, in file order
    #[arg(long, value_name = "N")]
    pub limit_test: Option<NonZeroUsize>,

    /// Images in a training step
    #[arg(long, value_name = "N")]
    pub batch_size: Option<NonZeroUsize>,

    /// Worker threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,

    /// Folder for the CSV files
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,

    /// No progress and no notes on stderr, only errors
    #[arg(long)]
    pub quiet: bool,
}
