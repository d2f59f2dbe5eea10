//! Command-line arguments.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pvlu_zoo::registry::ACTIVATIONS;

use crate::error::CliError;

/// Epochs accepted: more than anyone can wait for, and few enough that the number of steps is a `u64`.
const MAX_EPOCHS: u64 = 1_000_000;

/// Worker threads accepted: above the cores of any machine, and few enough that their stacks do not exhaust one.
const MAX_THREADS: i64 = 1024;

/// Reproduce the tables of "Parametric Variational Linear Units (PVLUs) in Deep Convolutional Networks".
#[derive(Debug, Parser)]
#[command(name = "reproduce", version, arg_required_else_help = true)]
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
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_EPOCHS))]
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
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    pub threads: Option<u16>,

    /// Folder for the CSV files
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,

    /// No progress and no notes on stderr, only errors
    #[arg(long)]
    pub quiet: bool,
}

impl TableArgs {
    /// What can be said against the options before anything is read or written: runs that are asked for twice.
    pub fn check(&self) -> Result<(), CliError> {
        let repeated = [
            ("--seeds", self.seeds.as_deref().and_then(repeated).map(u64::to_string)),
            ("--activations", self.activations.as_deref().and_then(repeated).cloned()),
        ];
        match repeated.into_iter().find_map(|(name, value)| Some((name, value?))) {
            Some((name, value)) => Err(CliError::Usage(format!("{name} has {value} twice"))),
            None => Ok(()),
        }
    }
}

/// The first value that occurs before.
fn repeated<T: PartialEq>(values: &[T]) -> Option<&T> {
    values.iter().enumerate().find_map(|(index, value)| values[..index].contains(value).then_some(value))
}
