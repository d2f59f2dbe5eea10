//! The binary `zoo`: one file a command.

mod args;
mod bench;
mod best;
mod classes;
mod convert;
mod course;
mod data;
mod eval;
mod export;
mod finetune;
mod info;
mod keep;
mod logits;
mod named;
mod predict;
mod prepare;
mod recipe;
mod seeds;
mod settings;
mod targets;
mod train;
mod trained_on;
mod training;
mod tune;
mod weights;

#[doc(hidden)]
pub use args::Zoo;

use std::process::ExitCode;

use args::Command;
use pvlu_zoo::registry::Registry;

use crate::common::error::CliError;
use crate::common::named::environment;
use crate::common::threads::start_threads;
use crate::common::{command, device, interrupt, manual, precision, shards};

/// The whole program `zoo`, with the models and activations of a registry.
pub fn main(registry: Registry) -> ExitCode {
    command::main(registry, run)
}

/// Runs the command that the arguments name, on their threads and device and in their precision.
pub fn run(cli: &Zoo) -> Result<(), CliError> {
    match &cli.command {
        Command::Finetune(_) | Command::Train(_) => interrupt::install_with_termination(),
        _ => interrupt::install(),
    }
    pvlu::kernel::memory::keep_freed_memory();
    let (threads, device) = cli.machine();
    cli.shards().map_or(Ok(()), |shards| shards::check(shards, device))?;
    precision::choose(cli.precision(), device, cli.is_quiet())?;
    start_threads(threads)?;
    device::choose(device)?;
    match &cli.command {
        Command::List { json, .. } => info::list(*json),
        Command::Info(args) => info::info(&args.located(&environment)?),
        Command::Logits(args) => logits::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Data { command } => data::info::run(command),
        Command::Weights(args) => weights::run(args),
        Command::Convert(args) => convert::run(args),
        Command::Export(args) => export::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Finetune(args) => finetune::run(args),
        Command::Train(args) => train::run(args),
        Command::Completions(args) => manual::completions::<Zoo>(args),
        Command::Man(args) => manual::pages::<Zoo>(args),
    }
}
