//! Command-line arguments of `zoo`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use pvlu_zoo::device::Device;
use pvlu_zoo::weights::Source;

use super::data_name::{self, DataName};
use super::recipe::PublishedArgs;
use crate::common::formula::{examples, help};
use crate::common::manual::{CompletionsArgs, ManArgs};
use crate::common::threads::MAX_THREADS;

/// The models of the zoo: what they are, what they answer, and fine-tuning them.
#[derive(Debug, Parser)]
#[command(name = "zoo", version, arg_required_else_help = true)]
pub struct Zoo {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,

    /// Worker threads, given before the command as earlier versions of this program took them.
    #[arg(long, hide = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    threads: Option<u16>,

    /// Device, given before the command as earlier versions of this program took it.
    #[arg(long, hide = true, value_name = "DEVICE")]
    device: Option<Device>,
}

impl Zoo {
    /// Worker threads and device that the command is to use.
    pub fn machine(&self) -> (Option<u16>, Device) {
        let machine = match &self.command {
            Command::Logits(args) => Some(&args.machine),
            Command::Predict(args) => Some(&args.machine),
            Command::Eval(args) => Some(&args.machine),
            Command::Bench(args) => Some(&args.machine),
            Command::Finetune(args) => Some(&args.machine),
            _ => None,
        };
        let threads = machine.and_then(|machine| machine.threads).or(self.threads);
        (threads, machine.and_then(|machine| machine.device).or(self.device).unwrap_or_default())
    }
}

/// Worker threads and device that a command computes with.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Machine")]
pub struct MachineArgs {
    /// Worker threads; results do not depend on their number [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    threads: Option<u16>,
    /// Device to compute on: cpu, cuda or cuda:N [default: cpu]
    #[arg(long, value_name = "DEVICE")]
    device: Option<Device>,
}

/// The same options for commands that compute nothing. Earlier versions of this program accepted them there; they
/// change nothing.
#[derive(Args, Clone, Debug)]
pub struct UnusedMachineArgs {
    #[arg(long, hide = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    threads: Option<u16>,
    #[arg(long, hide = true, value_name = "DEVICE")]
    device: Option<Device>,
}

const LOGITS: &str = "  zoo logits --weights resnet50.safetensors --input images.safetensors --out logits.safetensors";
const PREDICT: &str = "  zoo predict --weights resnet50.safetensors cat.jpg dog.png";
const EVAL: &str = "  zoo eval --weights tuned.safetensors --dataset folder --data photos\n  \
                    zoo eval --weights cifar10_resnet20.safetensors --dataset cifar10 --data cifar --limit-test 1000";
const CONVERT: &str = "  zoo convert vgg16.weights.h5 vgg16.safetensors --to torchvision";
const BENCH: &str = "  zoo bench --model resnet50 --batch-size 8\n  \
                     zoo bench --model vgg16 --image 32 --activation pvlu --mode train --profile";
const FINETUNE: &str = "  zoo finetune --weights resnet50.safetensors --dataset folder --data photos \\\n      \
                        --train head --epochs 5 --out tuned.safetensors\n  \
                        zoo finetune --weights vgg16.safetensors --activation pvlu --dataset cifar10 \\\n      \
                        --data cifar --head-epochs 2 --epochs 3 --out tuned.safetensors";

/// The commands of `zoo`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the models and their image sizes
    #[command(after_help = "Examples:\n  zoo list\n  zoo list --json")]
    List {
        /// Print the list as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        machine: UnusedMachineArgs,
    },
    /// Describe a model, or a file of weights: its model, its tuning, and what its activations learned
    #[command(after_help = examples(super::info::EXAMPLES), after_long_help = help(super::info::EXAMPLES))]
    Info(super::info::InfoArgs),
    /// Compute logits of inputs as they are
    #[command(after_help = examples(LOGITS), after_long_help = help(LOGITS))]
    Logits(LogitsArgs),
    /// Name what is in images
    #[command(after_help = examples(PREDICT), after_long_help = help(PREDICT))]
    Predict(PredictArgs),
    /// Measure accuracy on a data set
    #[command(after_help = examples(EVAL), after_long_help = help(EVAL))]
    Eval(EvalArgs),
    /// Look at data sets
    #[command(after_help = examples(super::data::info::EXAMPLES))]
    Data {
        /// The command to run on data sets.
        #[command(subcommand)]
        command: super::data::info::DataCommand,
    },
    /// List, find, fetch and verify published weights
    #[command(after_help = examples(super::weights::EXAMPLES))]
    Weights(super::weights::WeightsArgs),
    /// Rewrite a file of weights as safetensors under other names
    #[command(after_help = examples(CONVERT))]
    Convert(ConvertArgs),
    /// Write a model in the format of another program
    #[command(after_help = examples(super::export::EXAMPLES), after_long_help = help(super::export::EXAMPLES))]
    Export(super::export::ExportArgs),
    /// Measure how long a step takes on this machine
    #[command(after_help = examples(BENCH), after_long_help = help(BENCH))]
    Bench(super::bench::BenchArgs),
    /// Fine-tune a pretrained model, with another activation if wanted
    #[command(after_help = examples(FINETUNE), after_long_help = help(FINETUNE))]
    Finetune(FinetuneArgs),
    /// Print a script that completes this program's arguments in a shell
    #[command(hide = true)]
    Completions(CompletionsArgs),
    /// Write a manual page of every command into a folder
    #[command(hide = true)]
    Man(ManArgs),
}

/// Parser of the source whose tensor names and layouts a file of weights has.
fn source() -> impl TypedValueParser<Value = Source> {
    let choice = Source::to_choose_from().map(|source| PossibleValue::new(source.name()).help(source.about()));
    PossibleValuesParser::new(choice).try_map(|name| Source::named(&name).ok_or("no such source"))
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

/// Kinds of tensors that can be trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Parameters of the activations
    Activations,
    /// Scale and shift of the batch norms
    BatchNorm,
    /// Running statistics of the batch norms, which training updates
    Statistics,
    /// Linear layers of the head
    Head,
    /// Weights and biases of the convolutions
    Weights,
    /// Biases of the convolutions, without their weights
    Biases,
    /// All of the parts above
    All,
    /// Nothing: measure, after training a new head if there is one
    None,
}

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

impl FinetuneArgs {
    /// True if the user asked to train nothing, except perhaps a new head.
    pub fn trains_nothing(&self) -> bool {
        self.epochs == 0 || self.train.contains(&Part::None)
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err("expected a positive number".to_owned()),
    }
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value >= 0.0 && value.is_finite() => Ok(value),
        _ => Err("expected a number that is not negative".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::common::formula::lines_of_examples;

    #[test]
    fn every_command_has_examples_that_it_takes() {
        for command in Zoo::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let lines = lines_of_examples(&help);
            assert!(!lines.is_empty(), "{}", command.get_name());
            for line in lines {
                assert_eq!((line[0].as_str(), line[1].as_str()), ("zoo", command.get_name()));
                Zoo::try_parse_from(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
            }
        }
    }

    #[test]
    fn threads_and_device_may_stand_before_the_command_and_behind_it() {
        let machine = |line: &str| Zoo::try_parse_from(line.split(' ')).unwrap().machine();
        assert_eq!(machine("zoo --threads 2 eval --weights w --dataset folder --data d").0, Some(2));
        assert_eq!(machine("zoo eval --weights w --dataset folder --data d --threads 3").0, Some(3));
        assert_eq!(machine("zoo --threads 2 bench --model vgg16 --threads 3").0, Some(3));
        assert_eq!(machine("zoo list --threads 2"), (None, Device::Cpu));
    }
}
