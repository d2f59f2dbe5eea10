//! Groups of options that several commands have.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use pvlu::Precision;
use pvlu_zoo::device::Device;
use pvlu_zoo::weights::Source;

use crate::common::data_name::{self, DataName};
use crate::common::precision;
use crate::common::threads::MAX_THREADS;

/// Worker threads, device and precision that a command computes with.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Machine")]
pub struct MachineArgs {
    /// Worker threads; results do not depend on their number [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    pub threads: Option<u16>,
    /// Device to compute on: cpu, cuda or cuda:N [default: cpu]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<Device>,
    /// Precision of the factors of convolutions and linear layers; reduced ones on the CPU alone
    #[arg(long, value_name = "NAME", value_parser = precision::parser(), default_value = Precision::F32.name())]
    pub precision: Precision,
}

/// Threads and device for commands that compute nothing. Earlier versions of this program accepted them there; they
/// change nothing.
#[derive(Args, Clone, Debug)]
pub struct UnusedMachineArgs {
    #[arg(long, hide = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    threads: Option<u16>,
    #[arg(long, hide = true, value_name = "DEVICE")]
    device: Option<Device>,
}

/// Parser of the source whose tensor names and layouts a file of weights has.
pub fn source() -> impl TypedValueParser<Value = Source> {
    let choice = Source::to_choose_from().map(|source| PossibleValue::new(source.name()).help(source.about()));
    PossibleValuesParser::new(choice).try_map(|name| Source::named(&name).ok_or("no such source"))
}

/// Options of the commands that read weights.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Model")]
pub struct PublishedArgs {
    /// Prepare images as these published weights want them, by the name in `zoo weights list` [default: as the file
    /// says, else as its name, its hash or config.json beside it do, else as the first published weights]
    #[arg(long, value_name = "NAME")]
    pub recipe: Option<String>,
    /// Fetch nothing: published weights have to be on this machine
    #[arg(long)]
    pub offline: bool,
}

/// A model with its weights.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// The model [default: the one that the file is of]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// File of weights, or published weights by a name that `zoo weights path` takes
    #[arg(long, value_name = "FILE")]
    pub weights: PathBuf,
    /// The activation; another than the file's is swapped in [default: the file's, else relu]
    #[arg(long, value_name = "ACTIVATION")]
    pub activation: Option<String>,
    /// Number of classes [default: the file's]
    #[arg(long, value_name = "N")]
    pub classes: Option<usize>,
    /// Naming of the tensors in the file [default: recognized from their names]
    #[arg(long, value_parser = source())]
    pub source: Option<Source>,
    /// Load weights that are infinite or no numbers
    #[arg(long)]
    pub allow_non_finite: bool,
    /// Load the moving average of the weights that a checkpoint of torch keeps beside them
    #[arg(long)]
    pub ema: bool,
    #[command(flatten)]
    pub published: PublishedArgs,
}

/// The images of a command and their normalization.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Data")]
pub struct DataArgs {
    /// The kind of data set
    #[arg(long, value_parser = data_name::parser())]
    pub dataset: DataName,
    /// Folder of the data set, its parent, or its archive [default: $PVLU_ZOO_DATA]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Mean of the pixels in [0, 1], in this order even if the model takes another [default: the model's]
    #[arg(long, value_name = "R,G,B", value_delimiter = ',', num_args = 1, allow_hyphen_values = true)]
    pub mean: Option<Vec<f32>>,
    /// Standard deviation of the pixels in [0, 1], in the order of --mean [default: the model's]
    #[arg(long, value_name = "R,G,B", value_delimiter = ',', num_args = 1, allow_hyphen_values = true)]
    pub std: Option<Vec<f32>>,
    /// Height and width that images are given to the model with, resized to it if they have others [default: to
    /// evaluate, the file's; else that of the set's images, and the model's for a folder]
    #[arg(long, value_name = "PIXELS")]
    pub image: Option<usize>,
}
