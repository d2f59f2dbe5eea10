//! Tables 3 to 6: pretrained networks, tuned with ReLU and then, side by side, with each arm of the comparison.
//!
//! Every arm of a model and seed goes on from the same values, which the first phase left. The epoch of an arm is selected by the
//! held-out images, never by the test images.

mod pretrained;
mod protocol;
mod report;

use std::ops::ControlFlow;
use std::sync::Arc;

use pvlu::layer::Role;
use pvlu_zoo::data::{Augmentation, Loader, LoaderConfig, Normalization, Split};
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{self, Start};
use pvlu_zoo::snapshot::Snapshot;
use pvlu_zoo::train::{
    Evaluation, Event, FitConfig, History, OptimizerConfig, Outcome, Schedule, Splits, evaluate, fit,
};
use pvlu_zoo::transfer::FreezePolicy;

use self::pretrained::{Origin, Pretrained};
pub use self::protocol::ARMS;
use self::protocol::{Arm, Protocol};
use self::report::{Ended, Report, RunResult};
use crate::args::{Preset, TuningArgs};
use crate::command::start_threads;
use crate::dataset::{Chosen, Parts, choose};
use crate::error::CliError;
use crate::interrupt;
use crate::output::{prepare_folder, print};
use crate::progress::Progress;

/// A table by its subcommand.
pub use self::protocol::{TABLE3, TABLE4, TABLE5, TABLE6};

/// Images in an evaluation batch.
const EVALUATION_BATCH: usize = 128;

/// Images of the quick preset, for training and for testing.
const QUICK_IMAGES: (usize, usize) = (protocol::quick::TRAIN, protocol::quick::TEST);

/// Everything that decides the numbers of a table.
#[derive(Debug)]
struct Plan {
    protocol: &'static Protocol,
    preset: Preset,
    /// Name of the data set.
    data: &'static str,
    classes: usize,
    warnings: String,
    /// Models, and where their weights come from.
    models: Vec<(String, Origin)>,
    seeds: Vec<u64>,
    /// Names of the arms that were asked for.
    arms: Option<Vec<String>>,
    first_epochs: u64,
    epochs: u64,
    first_learning_rate: f64,
    learning_rate: f64,
    batch_size: usize,
    /// Values that the user set in the place of the preset's.
    overridden: String,
    train: Arc<Split>,
    validation: Arc<Split>,
    test: Arc<Split>,
}

/// Runs a table.
pub fn run(protocol: &'static Protocol, args: &TuningArgs) -> Result<(), CliError> {
    args.check()?;
    interrupt::install();
    pvlu::kernel::memory::keep_freed_memory();
    start_threads(args.common.threads)?;
    prepare_folder(&args.common.out)?;
    let chosen = choose(protocol.set, &args.common, QUICK_IMAGES)?;
    let mut notes = vec![chosen.note.clone()];
    notes.extend(chosen.dataset.warnings.iter().map(|warning| format!("warning: {warning}")));
    let plan = plan(protocol, args, chosen)?;
    for (model, origin) in &plan.models {
        notes.push(match origin {
            Origin::File(path) => format!("weights: {model} from {}", path.display()),
            Origin::Procedural => format!(
                "weights: no pretrained {model} given (--weights), so it is trained on {} procedural images first",
                protocol::quick::PRETRAIN
            ),
        });
        let left_out: Vec<&str> = plan.wanted_arms().filter(|arm| !plan.has(model, arm)).map(|arm| arm.name).collect();
        if !left_out.is_empty() {
            notes.push(format!("arms: {model} has no instance for {}", left_out.join(", ")));
        }
    }
    let mut report = Report::new(&plan, &args.common.out)?;
    let progress = Progress::new(args.common.quiet);
    notes.iter().for_each(|line| progress.note(line));
    let done = Runner { plan: &plan, progress: &progress }.all(&mut report);
    progress.finish();
    match done? {
        Some(()) => print(&report.finish()?),
        None => Err(CliError::Interrupted { out: args.common.out.clone() }),
    }
}

/// Fills in what the user left open.
fn plan(protocol: &'static Protocol, args: &TuningArgs, chosen: Chosen) -> Result<Plan, CliError> {
    let TuningArgs { common, .. } = args;
    let Parts { train, validation, test } = chosen.parts(common, QUICK_IMAGES)?;
    let Chosen { dataset, preset, .. } = chosen;
    let is_quick = preset == Preset::Quick;
    let usual = if is_quick { protocol.quick_models } else { protocol.models };
    let names = args.models.clone().unwrap_or_else(|| usual.iter().map(|&model| model.to_owned()).collect());
    let mut models = Vec::new();
    for name in names {
        let origin = pretrained::find(protocol, &name, args.weights.as_deref(), is_quick)?;
        models.push((name, origin));
    }
    Ok(Plan {
        protocol,
        preset,
        data: dataset.name,
        classes: dataset.classes,
        warnings: dataset.warnings.join("; "),
        models,
        seeds: common
            .seeds
            .clone()
            .unwrap_or_else(|| if is_quick { protocol::quick::SEEDS } else { protocol::SEEDS }.to_vec()),
        arms: args.arms.clone(),
        first_epochs: args.first_epochs.unwrap_or(if is_quick {
            protocol::quick::FIRST_EPOCHS
        } else {
            protocol::FIRST_EPOCHS
        }),
        epochs: args.epochs.unwrap_or(if is_quick { protocol::quick::EPOCHS } else { protocol::EPOCHS }),
        first_learning_rate: args.first_learning_rate.unwrap_or(protocol.first.learning_rate()),
        learning_rate: args.learning_rate.unwrap_or(protocol::LEARNING_RATE),
        batch_size: common
            .batch_size
            .map_or(if is_quick { protocol::quick::BATCH_SIZE } else { protocol::BATCH_SIZE }, |size| size.get()),
        overridden: overridden(args),
        train: Arc::new(train),
        validation: Arc::new(validation),
        test: Arc::new(test),
    })
}

/// The options that change numbers, as given.
fn overridden(args: &TuningArgs) -> String {
    let common = &args.common;
    let values = [
        ("first-epochs", args.first_epochs.map(|n| n.to_string())),
        ("epochs", args.epochs.map(|n| n.to_string())),
        ("first-learning-rate", args.first_learning_rate.map(|rate| format!("{rate:e}"))),
        ("learning-rate", args.learning_rate.map(|rate| format!("{rate:e}"))),
        ("limit-train", common.limit_train.map(|n| n.to_string())),
        ("limit-test", common.limit_test.map(|n| n.to_string())),
        ("batch-size", common.batch_size.map(|n| n.to_string())),
    ];
    let changed = values.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    changed.collect::<Vec<_>>().join(" ")
}

impl Plan {
    /// The arms that were asked for, in the order of the table.
    fn wanted_arms(&self) -> impl Iterator<Item = &'static Arm> {
        let wanted = |arm: &&Arm| self.arms.as_ref().is_none_or(|names| names.iter().any(|name| name == arm.name));
        self.protocol.arms.iter().filter(wanted)
    }

    /// Whether a model has an instance for an arm.
    fn has(&self, model: &str, arm: &Arm) -> bool {
        registry::find(model).is_ok_and(|entry| entry.check_activation(arm.activation).is_ok())
    }
}

/// Runs what is planned. `None` is an interruption.
struct Runner<'a> {
    plan: &'a Plan,
    progress: &'a Progress,
}

/// A network after the first phase, which the arms go on from.
struct Base {
    snapshot: Snapshot,
    preprocessing: Preprocessing,
    has_batch_norm: bool,
    /// Test accuracy on the images of the arms.
    before: f64,
}

impl Runner<'_> {
    fn all(&self, report: &mut Report<'_>) -> Result<Option<()>, CliError> {
        for (model, origin) in &self.plan.models {
            for &seed in &self.plan.seeds {
                let Some(base) = self.first_phase(model, origin, seed)? else { return Ok(None) };
                for arm in self.plan.wanted_arms().filter(|arm| self.plan.has(model, arm)) {
                    let Some(result) = self.arm(model, origin, seed, arm, &base, report)? else { return Ok(None) };
                    report.add_run(result)?;
                    if interrupt::interrupted() {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(()))
    }

    /// The pretrained network, tuned with ReLU.
    fn first_phase(&self, model: &str, origin: &Origin, seed: u64) -> Result<Option<Base>, CliError> {
        let plan = self.plan;
        let pretrained = match origin {
            Origin::File(path) => pretrained::open_file(plan.protocol, model, path, plan.classes, seed)?,
            Origin::Procedural => {
                let Some(mut network) = pretrained::train(model, plan.classes, seed, self.progress)? else {
                    return Ok(None);
                };
                if plan.protocol.transfer {
                    let in_head = |path: &str| pvlu_zoo::transfer::in_head(path);
                    pvlu_zoo::init::he_of(network.net_mut(), seed, &in_head)
                        .map_err(|source| self.failed(model, source))?;
                }
                let preprocessing = Preprocessing::small(Normalization::measured(&plan.train)?);
                let (height, width) = network.image();
                let preprocessing = preprocessing.whole((height, width));
                Pretrained {
                    model: network,
                    preprocessing: preprocessing.map_err(|error| CliError::Usage(error.to_string()))?,
                    fresh_head: plan.protocol.transfer,
                }
            }
        };
        let Pretrained { model: mut network, preprocessing, fresh_head } = pretrained;
        let run = format!("{} {model} seed {seed}, first phase", plan.protocol.name);
        let policy = plan.protocol.first_policy(fresh_head);
        let tuned = Tuning {
            run: &run,
            seed,
            epochs: plan.first_epochs,
            learning_rate: plan.first_learning_rate,
            policy,
            filtered: false,
            measured: false,
        };
        let history = self.tune(network.as_mut(), preprocessing, &tuned, &mut |_| Ok(()))?;
        match history.outcome {
            Outcome::Interrupted => return Ok(None),
            Outcome::Diverged => return Err(CliError::Diverged { run }),
            Outcome::Finished => {}
        }
        let mut has_batch_norm = false;
        let mut look = |tensor: pvlu_zoo::model::TensorView<'_>| has_batch_norm |= tensor.slot.role == Role::Scale;
        network.tensors(&mut look).map_err(|source| self.failed(model, source))?;
        let snapshot = Snapshot::of(network.as_ref()).map_err(|source| self.failed(model, source))?;
        let Some(before) = self.measure(network.as_mut(), preprocessing, &run)? else { return Ok(None) };
        Ok(Some(Base { snapshot, preprocessing, has_batch_norm, before: before.top1 }))
    }

    /// One arm from where the first phase ended.
    fn arm(
        &self,
        model: &str,
        origin: &Origin,
        seed: u64,
        arm: &'static Arm,
        base: &Base,
        report: &mut Report<'_>,
    ) -> Result<Option<RunResult>, CliError> {
        let plan = self.plan;
        let run = format!("{} {model} {} seed {seed}", plan.protocol.name, arm.name);
        let mut result = RunResult {
            model: model.to_owned(),
            origin: origin.name(),
            arm,
            seed,
            trained: 0,
            before: base.before,
            ended: Ended::Unchanged,
        };
        let Some(policy) = plan.protocol.policy(arm, base.has_batch_norm) else { return Ok(Some(result)) };
        let mut network = pretrained::build(model, plan.classes, Start::Unfilled)?;
        base.snapshot.restore(network.as_mut())?;
        if arm.activation != "relu" {
            network = network.swap_activation(arm.activation)?;
        }
        policy.apply(network.net_mut());
        result.trained = network.trained_parameters().map_err(|source| self.failed(model, source))?;
        let tuning = Tuning {
            run: &run,
            seed,
            epochs: plan.epochs,
            learning_rate: plan.learning_rate,
            policy,
            filtered: plan.protocol.filtered,
            measured: true,
        };
        let mut record = |epoch: &_| report.add_epoch(model, arm, seed, epoch);
        let history = self.tune(network.as_mut(), base.preprocessing, &tuning, &mut record)?;
        if history.outcome == Outcome::Interrupted {
            return Ok(None);
        }
        result.ended = Ended::Trained(history);
        Ok(Some(result))
    }

    /// Trains a network; `record` is told each epoch.
    fn tune(
        &self,
        model: &mut dyn Model,
        preprocessing: Preprocessing,
        tuning: &Tuning<'_>,
        record: &mut dyn FnMut(&pvlu_zoo::train::EpochRecord) -> Result<(), CliError>,
    ) -> Result<History, CliError> {
        let Tuning { run, seed, epochs, learning_rate, policy, filtered, measured } = *tuning;
        policy.apply(model.net_mut());
        model.seed_dropout(seed);
        let splits = self.splits(preprocessing, seed, filtered, measured)?;
        let config =
            FitConfig { epochs, optimizer: OptimizerConfig::adam(), learning_rate, schedule: Schedule::Cosine };
        self.progress.start_run(run, epochs);
        let mut failure = None;
        let mut observe = |event: Event<'_>| {
            self.progress.observe(run, epochs, event);
            if let Event::Epoch(epoch) = event
                && let Err(error) = record(epoch)
            {
                failure = Some(error);
                return ControlFlow::Break(());
            }
            if interrupt::interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let history = fit(model, &splits, &config, &mut observe)
            .map_err(|source| CliError::Training { run: run.to_owned(), source })?;
        failure.map_or(Ok(history), Err)
    }

    fn splits(
        &self,
        preprocessing: Preprocessing,
        seed: u64,
        filtered: bool,
        measured: bool,
    ) -> Result<Splits, CliError> {
        let plan = self.plan;
        let (height, width) = preprocessing.input();
        let side = height.min(width);
        let augmentation = if plan.protocol.augmented {
            // The square is measured on CIFAR's images.
            let cutout = plan.protocol.set.cutout() * side / pvlu_zoo::data::SIDE;
            Augmentation { flip: true, shift: side / protocol::SHIFT, cutout: Some(cutout) }
        } else {
            Augmentation::NONE
        };
        let filter = filtered.then_some(protocol::FILTER);
        let shuffled = LoaderConfig::training(plan.batch_size, seed, preprocessing, augmentation);
        let in_order = || LoaderConfig { filter, ..LoaderConfig::evaluation(EVALUATION_BATCH, preprocessing) };
        let part = |split: &Arc<Split>| if measured { Arc::clone(split) } else { Arc::new(split.limit(0)) };
        Ok(Splits {
            train: Loader::new(Arc::clone(&plan.train), LoaderConfig { filter, ..shuffled })?,
            validation: Loader::new(part(&plan.validation), in_order())?,
            test: Loader::new(part(&plan.test), in_order())?,
        })
    }

    /// A network on the test images of the arms.
    fn measure(
        &self,
        model: &mut dyn Model,
        preprocessing: Preprocessing,
        run: &str,
    ) -> Result<Option<Evaluation>, CliError> {
        let splits = self.splits(preprocessing, 0, self.plan.protocol.filtered, true)?;
        let mut go_on = || if interrupt::interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        evaluate(model, &splits.test, &mut go_on).map_err(|source| CliError::Training { run: run.to_owned(), source })
    }

    fn failed(&self, model: &str, source: pvlu::Error) -> CliError {
        CliError::Model { model: registry::find(model).map_or("model", |entry| entry.name), source }
    }
}

/// How a network is trained.
#[derive(Clone, Copy)]
struct Tuning<'a> {
    run: &'a str,
    seed: u64,
    epochs: u64,
    learning_rate: f64,
    policy: FreezePolicy,
    /// Whether images are filtered.
    filtered: bool,
    /// Whether each epoch is measured on held-out and test images.
    measured: bool,
}
