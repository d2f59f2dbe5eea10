//! Command-line arguments.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pvlu_zoo::registry::{self, ACTIVATIONS};

use crate::error::CliError;
use crate::tuning::ARMS;

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
    /// Table 3: pretrained VGG on CIFAR-10, everything frozen but the activations' parameters
    Table3(TuningArgs),
    /// Table 4: the same on blurred images
    Table4(TuningArgs),
    /// Table 5: pretrained ResNets on CIFAR-10, batch norm trained
    Table5(TuningArgs),
    /// Table 6: the same on CIFAR-100
    Table6(TuningArgs),
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

/// Options of every table.
#[derive(Args, Clone, Debug)]
pub struct CommonArgs {
    /// Folder with the CIFAR binary files, or its parent [default: $PVLU_ZOO_DATA, else ./data, else the built-in
    /// procedural images]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// How much work [default: paper on CIFAR images, quick on the procedural ones]
    #[arg(long, value_enum)]
    pub preset: Option<Preset>,

    /// Seeds, one run each
    #[arg(long, value_name = "SEED,...", value_delimiter = ',')]
    pub seeds: Option<Vec<u64>>,

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

/// Options of a table of networks trained from scratch.
#[derive(Args, Clone, Debug)]
pub struct TableArgs {
    /// Options of every table.
    #[command(flatten)]
    pub common: CommonArgs,

    /// Passes over the training images
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_EPOCHS))]
    pub epochs: Option<u64>,

    /// Activations, one run each and seed
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(ACTIVATIONS))]
    pub activations: Option<Vec<String>>,
}

/// Options of a table of pretrained networks.
#[derive(Args, Clone, Debug)]
pub struct TuningArgs {
    /// Options of every table.
    #[command(flatten)]
    pub common: CommonArgs,

    /// Models, as `zoo list` names them [default: the paper's; under the quick preset smaller ones]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub models: Option<Vec<String>>,

    /// Arms of the comparison, one run each, model and seed [default: all that a model can be had with]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(ARMS))]
    pub arms: Option<Vec<String>>,

    /// Folder with pretrained weights under their usual names, or one file of them [default: under the quick preset the
    /// networks are trained on the procedural images first]
    #[arg(long, value_name = "PATH")]
    pub weights: Option<PathBuf>,

    /// Passes over the training images with ReLU, before the arms part
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_EPOCHS))]
    pub first_epochs: Option<u64>,

    /// Passes over the training images of each arm
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_EPOCHS))]
    pub epochs: Option<u64>,

    /// Adam's learning rate at the start of the phase with ReLU
    #[arg(long, value_name = "RATE", value_parser = learning_rate)]
    pub first_learning_rate: Option<f64>,

    /// Adam's learning rate at the start of each arm
    #[arg(long, value_name = "RATE", value_parser = learning_rate)]
    pub learning_rate: Option<f64>,
}

fn learning_rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if rate.is_normal() && rate > 0.0 { Ok(rate) } else { Err("expected a positive number".to_owned()) }
}

impl TableArgs {
    /// What can be said against the options before anything is read or written: runs that are asked for twice.
    pub fn check(&self) -> Result<(), CliError> {
        refuse_repeated("--seeds", self.common.seeds.as_deref())?;
        refuse_repeated("--activations", self.activations.as_deref())
    }
}

impl TuningArgs {
    /// As [`TableArgs::check`], and models that there are not.
    pub fn check(&self) -> Result<(), CliError> {
        refuse_repeated("--seeds", self.common.seeds.as_deref())?;
        refuse_repeated("--models", self.models.as_deref())?;
        refuse_repeated("--arms", self.arms.as_deref())?;
        let unknown = |error: pvlu_zoo::registry::RegistryError| CliError::Usage(format!("--models: {error}"));
        self.models.iter().flatten().try_for_each(|model| registry::find(model).map(drop).map_err(unknown))
    }
}

fn refuse_repeated<T: PartialEq + std::fmt::Display>(name: &str, values: Option<&[T]>) -> Result<(), CliError> {
    match values.and_then(repeated) {
        Some(value) => Err(CliError::Usage(format!("{name} has {value} twice"))),
        None => Ok(()),
    }
}

/// The first value that occurs before.
fn repeated<T: PartialEq>(values: &[T]) -> Option<&T> {
    values.iter().enumerate().find_map(|(index, value)| values[..index].contains(value).then_some(value))
}
