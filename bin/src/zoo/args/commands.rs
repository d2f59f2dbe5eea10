//! Arguments of the commands that run a model, and of `zoo convert`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use pvlu_zoo::weights::Source;

use super::options::{DataArgs, MachineArgs, ModelArgs, PublishedArgs, UnusedMachineArgs, source};

/// Command-line arguments of `zoo logits`.
#[derive(Args, Clone, Debug)]
pub struct LogitsArgs {
    #[command(flatten)]
    pub machine: MachineArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Safetensors file with a tensor `input` of [N, 3, height, width], taken as it is
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// Safetensors file for a tensor `logits` of [N, classes]
    #[arg(long, value_name = "FILE", alias = "output")]
    pub out: PathBuf,
    /// Replace the output if it is there
    #[arg(long)]
    pub force: bool,
}

/// Command-line arguments of `zoo predict`.
#[derive(Args, Clone, Debug)]
pub struct PredictArgs {
    #[command(flatten)]
    pub machine: MachineArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    /// PNG, JPEG, WebP, BMP or Netpbm files
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// Height and width that images are given to the model with [default: the file's, else the original's]
    #[arg(long, value_name = "PIXELS")]
    pub image: Option<usize>,
    /// Print JSON: an image that cannot be read has `error` instead of `top`
    #[arg(long)]
    pub json: bool,
}

/// Command-line arguments of `zoo eval`.
#[derive(Args, Clone, Debug)]
pub struct EvalArgs {
    #[command(flatten)]
    pub machine: MachineArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub data: DataArgs,
    /// Use only the first N test images
    #[arg(long, alias = "limit", value_name = "N", help_heading = "Data")]
    pub limit_test: Option<NonZeroUsize>,
    /// Images evaluated at once
    #[arg(long, value_name = "N", default_value = "128")]
    pub batch_size: NonZeroUsize,
    /// Print the accuracy as JSON
    #[arg(long)]
    pub json: bool,
}

/// Command-line arguments of `zoo convert`.
#[derive(Args, Clone, Debug)]
pub struct ConvertArgs {
    #[command(flatten)]
    pub machine: UnusedMachineArgs,
    /// File of weights to read, or published weights by a name that `zoo weights path` takes
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// Safetensors file to write
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// The model [default: the one that the file is of]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Naming of the tensors in the file [default: recognized from their names]
    #[arg(long, value_parser = source())]
    pub source: Option<Source>,
    /// Naming of the tensors to write
    #[arg(long, value_parser = source(), default_value = Source::Native.name())]
    pub to: Source,
    /// Take over weights that are infinite or no numbers
    #[arg(long)]
    pub allow_non_finite: bool,
    /// Take over the moving average of the weights that a checkpoint of torch keeps beside them
    #[arg(long)]
    pub ema: bool,
    #[command(flatten)]
    pub published: PublishedArgs,
    /// Replace the output if it is there
    #[arg(long)]
    pub force: bool,
}
