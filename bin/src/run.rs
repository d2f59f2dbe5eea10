//! Runs a table: every activation with every seed.

use std::ops::ControlFlow;
use std::sync::Arc;

use pvlu_zoo::data::{Augmentation, Loader, LoaderConfig, Normalization, Split};
use pvlu_zoo::registry;
use pvlu_zoo::train::{Event, FitConfig, History, OptimizerConfig, Outcome, Schedule, Splits, fit};

use crate::args::{Cli, Command, Preset, TableArgs};
use crate::command::start_threads;
use crate::dataset::{Chosen, Parts, Set, choose};
use crate::error::CliError;
use crate::interrupt;
use crate::output::{prepare_folder, print};
use crate::progress::Progress;
use crate::report::{Report, RunResult, Status};
use crate::table::{self, Published, TABLE1, TABLE2, Table, quick};
use crate::tuning;

/// Everything that decides the numbers of a table.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The table.
    pub table: &'static Table,
    /// The preset that filled what the user left open.
    pub preset: Preset,
    /// Name of the data set.
    pub data: &'static str,
    /// Number of classes.
    pub classes: usize,
    /// Warnings about the data set.
    pub warnings: String,
    /// Passes over the training images.
    pub epochs: u64,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Activations.
    pub activations: Vec<String>,
    /// Images in a step.
    pub batch_size: usize,
    /// Values that the user set in the place of the preset's.
    pub overridden: String,
    /// Images trained on.
    pub train: Arc<Split>,
    /// Images held out of training, which pick the epoch.
    pub validation: Arc<Split>,
    /// Test images.
    pub test: Arc<Split>,
    /// Mean and deviation that images are normalised by.
    pub normalization: Normalization,
}

impl Plan {
    /// What the paper prints of an activation: numbers of CIFAR-100, to be held against those alone.
    pub fn published(&self, activation: &str) -> Option<&'static Published> {
        if self.data == "cifar100" { self.table.published(activation) } else { None }
    }
}

/// Runs the command.
pub fn reproduce(cli: &Cli) -> Result<(), CliError> {
    match &cli.command {
        Command::Table1(args) => from_scratch(&TABLE1, args),
        Command::Table2(args) => from_scratch(&TABLE2, args),
        Command::Table3(args) => tuning::run(&tuning::TABLE3, args),
        Command::Table4(args) => tuning::run(&tuning::TABLE4, args),
        Command::Table5(args) => tuning::run(&tuning::TABLE5, args),
        Command::Table6(args) => tuning::run(&tuning::TABLE6, args),
    }
}

/// Runs a table of networks that are trained from scratch.
fn from_scratch(table: &'static Table, args: &TableArgs) -> Result<(), CliError> {
    args.check()?;
    interrupt::install();
    pvlu::kernel::memory::keep_freed_memory();
    start_threads(args.common.threads)?;
    prepare_folder(&args.common.out)?;
    let chosen = choose(Set::Cifar100, &args.common, (quick::TRAIN, quick::TEST))?;
    let notes: Vec<String> = std::iter::once(chosen.note.clone())
        .chain(chosen.dataset.warnings.iter().map(|warning| format!("warning: {warning}")))
        .collect();
    let plan = plan(table, args, chosen)?;
    let mut report = Report::new(&plan, &args.common.out)?;
    let progress = Progress::new(args.common.quiet);
    notes.iter().for_each(|line| progress.note(line));
    progress.note(&format!(
        "preset {}: {} runs of {} epochs over {} images",
        plan.preset.name(),
        plan.seeds.len() * plan.activations.len(),
        plan.epochs,
        plan.train.len()
    ));
    for seed in &plan.seeds {
        for activation in &plan.activations {
            run_one(&plan, activation, *seed, &mut report, &progress).inspect_err(|_| progress.finish())?;
            if interrupt::interrupted() {
                progress.finish();
                return Err(CliError::Interrupted { out: args.common.out.clone() });
            }
        }
    }
    progress.finish();
    print(&report.finish()?)
}

/// Fills in what the user left open.
fn plan(table: &'static Table, args: &TableArgs, chosen: Chosen) -> Result<Plan, CliError> {
    let Parts { train, validation, test } = chosen.parts(&args.common, (quick::TRAIN, quick::TEST))?;
    let Chosen { dataset, preset, .. } = chosen;
    let is_quick = preset == Preset::Quick;
    let seeds = args.common.seeds.clone().unwrap_or_else(|| if is_quick { quick::SEEDS } else { table.seeds }.to_vec());
    let activations = args
        .activations
        .clone()
        .unwrap_or_else(|| table.activations.iter().map(|&activation| activation.to_owned()).collect());
    let normalization = match dataset.name {
        "cifar100" => Normalization::CIFAR100,
        _ => Normalization::measured(&train)?,
    };
    Ok(Plan {
        table,
        preset,
        data: dataset.name,
        classes: dataset.classes,
        warnings: dataset.warnings.join("; "),
        epochs: args.epochs.unwrap_or(if is_quick { quick::EPOCHS } else { table::EPOCHS }),
        seeds,
        activations,
        batch_size: args
            .common
            .batch_size
            .map_or(if is_quick { quick::BATCH_SIZE } else { table::BATCH_SIZE }, |size| size.get()),
        overridden: overridden(args),
        train: Arc::new(train),
        validation: Arc::new(validation),
        test: Arc::new(test),
        normalization,
    })
}

/// The options that change numbers, as given.
fn overridden(args: &TableArgs) -> String {
    let mut changed = Vec::new();
    let mut note = |name: &str, value: Option<String>| changed.extend(value.map(|value| format!("{name}={value}")));
    note("epochs", args.epochs.map(|n| n.to_string()));
    note("limit-train", args.common.limit_train.map(|n| n.to_string()));
    note("limit-test", args.common.limit_test.map(|n| n.to_string()));
    note("batch-size", args.common.batch_size.map(|n| n.to_string()));
    changed.join(" ")
}

/// Trains one network and reports it.
fn run_one(plan: &Plan, activation: &str, seed: u64, report: &mut Report, progress: &Progress) -> Result<(), CliError> {
    let run = format!("{} {activation} seed {seed}", plan.table.name);
    let failed = |source| CliError::Training { run: run.clone(), source };
    let mut model = registry::build(plan.table.model, activation, plan.classes, seed)?;
    let splits = splits(plan, seed)?;
    let config = FitConfig {
        epochs: plan.epochs,
        optimizer: OptimizerConfig::adam(),
        learning_rate: table::LEARNING_RATE,
        schedule: Schedule::Constant,
    };
    progress.start_run(&run, plan.epochs);
    let mut write_failure = None;
    let mut observe = |event: Event<'_>| {
        progress.observe(&run, plan.epochs, event);
        if let Event::Epoch(record) = event
            && let Err(error) = report.add_epoch(activation, seed, record)
        {
            write_failure = Some(error);
            return ControlFlow::Break(());
        }
        if interrupt::interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let history = fit(model.as_mut(), &splits, &config, &mut observe).map_err(failed)?;
    if let Some(error) = write_failure {
        return Err(error);
    }
    if history.outcome == Outcome::Interrupted {
        return Ok(());
    }
    report.add_run(RunResult::new(activation, seed, plan.classes, &history))
}

fn splits(plan: &Plan, seed: u64) -> Result<Splits, CliError> {
    let in_order = LoaderConfig::evaluation(EVALUATION_BATCH, plan.normalization);
    let augmentation = if plan.table.augmented {
        Augmentation { flip: true, shift: table::SHIFT, cutout: None }
    } else {
        Augmentation::NONE
    };
    let shuffled = LoaderConfig::training(plan.batch_size, seed, plan.normalization, augmentation);
    Ok(Splits {
        train: Loader::new(plan.train.clone(), shuffled)?,
        validation: Loader::new(plan.validation.clone(), in_order.clone())?,
        test: Loader::new(plan.test.clone(), in_order)?,
    })
}

/// Images in an evaluation batch.
const EVALUATION_BATCH: usize = 128;

impl RunResult {
    /// The numbers of a finished run.
    pub fn new(activation: &str, seed: u64, classes: usize, history: &History) -> Self {
        let final_top1 = history.final_top1().unwrap_or(f64::NAN);
        let selected = history.selected();
        // The paper: "ReLU dies several times in our trials". Its dead networks have the accuracy of a guess.
        let died = history.outcome == Outcome::Diverged || final_top1.is_nan() || final_top1 < 2.0 / classes as f64;
        Self {
            activation: activation.to_owned(),
            seed,
            status: if died { Status::Died } else { Status::Finished },
            final_top1,
            val_selected_epoch: selected.map_or(0, |epoch| epoch.epoch),
            val_selected_top1: selected.map_or(f64::NAN, |epoch| epoch.test.top1),
            peak_top1: history.peak_top1().unwrap_or(f64::NAN),
            seconds: history.epochs.iter().map(|epoch| epoch.seconds).sum(),
        }
    }
}
