//! Command-line arguments of `zoo`.

mod commands;
mod kept;
mod numbers;
mod options;
mod train;
mod training;
mod tuning;

pub use commands::{ConvertArgs, EvalArgs, LogitsArgs, PredictArgs};
pub use kept::LogName;
pub use options::{DataArgs, MachineArgs, ModelArgs, PublishedArgs, UnusedMachineArgs};
pub use train::TrainArgs;
pub use training::{AugmentationArgs, OptimizerName, ScheduleName, TrainingArgs};
pub use tuning::FinetuneArgs;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use pvlu::Precision;
use pvlu_zoo::device::Device;

use crate::common::formula::{examples, help};
use crate::common::manual::{CompletionsArgs, ManArgs};
use crate::common::ranks::Ranked;
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

impl Ranked for Zoo {
    fn outputs(&mut self) -> Option<Vec<&mut PathBuf>> {
        match &mut self.command {
            Command::Finetune(args) => Some(args.runs.iter_mut().chain(&mut args.out).collect()),
            Command::Train(args) => Some(vec![&mut args.out]),
            Command::Eval(_) => Some(Vec::new()),
            _ => None,
        }
    }
}

impl Zoo {
    /// Worker threads and device that the command is to use.
    pub fn machine(&self) -> (Option<u16>, Device) {
        let machine = self.machine_args();
        let threads = machine.and_then(|machine| machine.threads).or(self.threads);
        (threads, machine.and_then(|machine| machine.device).or(self.device).unwrap_or_default())
    }

    /// Precision that the command is to compute in.
    pub fn precision(&self) -> Precision {
        self.machine_args().map_or(Precision::F32, |machine| machine.precision)
    }

    /// Shards that the command cuts batches into; `None` of a command that does not train.
    pub fn shards(&self) -> Option<usize> {
        match &self.command {
            Command::Finetune(args) => Some(args.training.shards),
            Command::Train(args) => Some(args.training.shards),
            _ => None,
        }
    }

    /// True if the command is to print nothing but errors on stderr.
    pub fn is_quiet(&self) -> bool {
        match &self.command {
            Command::Finetune(args) => args.quiet,
            Command::Train(args) => args.quiet,
            _ => false,
        }
    }

    fn machine_args(&self) -> Option<&MachineArgs> {
        match &self.command {
            Command::Logits(args) => Some(&args.machine),
            Command::Predict(args) => Some(&args.machine),
            Command::Eval(args) => Some(&args.machine),
            Command::Bench(args) => Some(&args.machine),
            Command::Finetune(args) => Some(&args.machine),
            Command::Train(args) => Some(&args.machine),
            _ => None,
        }
    }
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
                        --data cifar --head-epochs 2 --epochs 3 --out tuned.safetensors\n  \
                        zoo finetune --weights resnet50.safetensors --dataset folder --data photos \\\n      \
                        --train all --held-out 0.1 --epochs 20 --seeds 0,1,2 --runs tuned";

const TRAIN: &str = "  zoo train --model cifar_resnet20 --activation pvlu --dataset cifar10 --data cifar \\\n      \
                     --epochs 200 --flip --crop 4 --out resnet20\n  \
                     zoo train --model cifar_resnet20 --dataset cifar10 --data cifar --epochs 182 \\\n      \
                     --weight-decay 1e-4 --milestones 90.909,136.364 --flip --crop 4 --seeds 0,1,2 --out he";

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
    Finetune(Box<FinetuneArgs>),
    /// Train a model from scratch, one training for each seed
    #[command(after_help = examples(TRAIN), after_long_help = help(TRAIN))]
    Train(Box<TrainArgs>),
    /// Print a script that completes this program's arguments in a shell
    #[command(hide = true)]
    Completions(CompletionsArgs),
    /// Write a manual page of every command into a folder
    #[command(hide = true)]
    Man(ManArgs),
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
