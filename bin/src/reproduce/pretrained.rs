//! Tables 3 to 6: pretrained networks, tuned with ReLU and then, side by side, with each arm of the comparison.
//!
//! Every arm of a model and seed starts from the values that the first phase reached. The epoch of an arm is selected
//! by the held-out images, never by the test images.

mod images;
mod source;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use pvlu::layer::ParamKind;
use pvlu_zoo::data::{Augmentation, Gaussian, Loader, LoaderConfig, Normalization, SIDE, Split};
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{self, Start};
use pvlu_zoo::snapshot::Snapshot;
use pvlu_zoo::train::{FitConfig, History, OptimizerConfig, Outcome, Schedule, Splits, evaluate};
use pvlu_zoo::transfer::{FreezeError, FreezePolicy};

use self::source::{Origin, Pretrained};
use crate::common::error::CliError;
use crate::common::interrupt;
use crate::common::memory::check_batch;
use crate::common::named::environment;
use crate::reproduce::args::{TuningArgs, all_of, of_table};
use crate::reproduce::data::{Chosen, Parts, choose};
use crate::reproduce::overrides::{Overrides, Told, Usual};
use crate::reproduce::protocol::preset::Preset;
use crate::reproduce::protocol::pretrained as protocol;
use crate::reproduce::protocol::pretrained::{Arm, FILTER, FIRST, PRETRAIN, Protocol};
use crate::reproduce::runs::config::Config;
use crate::reproduce::runs::inspect;
use crate::reproduce::runs::planned::Planned;
use crate::reproduce::runs::record::{Record, Status};
use crate::reproduce::runs::store::Job;
use crate::reproduce::runs::work::{Context, Plan, Work};

/// Images in an evaluation batch.
const EVALUATION_BATCH: usize = 128;

/// Numbers of training and test images under the quick preset.
const QUICK_IMAGES: (usize, usize) = (protocol::quick::TRAIN, protocol::quick::TEST);

/// A table of pretrained networks.
pub struct Tuning {
    protocol: &'static Protocol,
    classes: usize,
    first_epochs: u64,
    epochs: u64,
    first_learning_rate: f64,
    learning_rate: f64,
    batch_size: usize,
    /// Augmentation of training images; its shift and square are in pixels of a 32x32 image.
    augmentation: Augmentation,
    /// Filter of the arms' images, in training and testing.
    filter: Option<Gaussian>,
    parts: Parts,
    /// Names of the models, each with the origin of its weights.
    models: Vec<(String, Origin)>,
    /// The arms of the comparison.
    arms: Vec<Arm>,
    plan: Plan,
    /// The network after the first phase that the last run started from.
    base: Option<Base>,
}

/// A network after the first phase, from which the arms start.
struct Base {
    /// The configuration of the first phase.
    config: Config,
    snapshot: Snapshot,
    preprocessing: Preprocessing,
    has_batch_norm: bool,
    /// Test accuracy on the images of the arms.
    before: f64,
}

/// The settings of a training.
struct Phase<'a> {
    title: &'a str,
    config: &'a Config,
    epochs: u64,
    learning_rate: f64,
    policy: FreezePolicy,
    /// True if images are filtered, in a table that has a filter.
    filtered: bool,
    /// True if each epoch is evaluated on held-out and test images.
    measured: bool,
}

impl Tuning {
    /// Finds images and weights, and sets the options that the user did not give by the preset.
    pub fn new(protocol: &'static Protocol, args: &TuningArgs) -> Result<Self, CliError> {
        let common = &args.common;
        let chosen = choose(protocol.set, common, QUICK_IMAGES)?;
        let parts = chosen.parts(common, QUICK_IMAGES)?;
        let Chosen { dataset, preset, .. } = &chosen;
        let is_quick = *preset == Preset::Quick;
        let names = match &args.models {
            Some(models) => models.clone(),
            None => preset.pick(protocol.quick_models, protocol.models).iter().map(|&model| model.to_owned()).collect(),
        };
        let mut models = Vec::new();
        for name in names {
            let located = |weights| source::located(protocol, &name, weights, args.offline, &environment);
            let weights = args.weights.as_deref().map(located).transpose()?;
            let origin = match source::find(protocol, &name, weights.as_deref(), is_quick) {
                // A network that the user did not name needs no weights.
                Err(CliError::NoWeights { .. }) if is_quick && args.models.is_none() => Origin::Procedural,
                found => found?,
            };
            models.push((name, origin));
        }
        let seeds =
            common.seeds.clone().unwrap_or_else(|| preset.pick(protocol::quick::SEEDS, protocol::SEEDS).to_vec());
        let usual = Usual {
            epochs: preset.pick(protocol::quick::EPOCHS, protocol::EPOCHS),
            learning_rate: protocol::LEARNING_RATE,
            batch_size: preset.pick(protocol::quick::BATCH_SIZE, protocol::BATCH_SIZE),
            images: chosen.usual(QUICK_IMAGES),
        };
        let arms = match &args.arms {
            None => protocol.arms.to_vec(),
            Some(lists) => asked_for(protocol, &all_of(lists).collect::<Vec<_>>())?,
        };
        let mut tuning = Self {
            protocol,
            arms,
            classes: dataset.classes,
            first_epochs: args.first_epochs.unwrap_or(first_epochs(*preset)),
            epochs: common.epochs.unwrap_or(usual.epochs),
            first_learning_rate: args.first_learning_rate.unwrap_or(protocol.first.learning_rate()),
            learning_rate: common.learning_rate.unwrap_or(usual.learning_rate),
            batch_size: common.batch_size.map_or(usual.batch_size, NonZeroUsize::get),
            augmentation: images::augmentation(protocol, args),
            filter: images::filter(protocol, args),
            parts,
            models,
            plan: Plan { table: protocol.name, notes: chosen.notes(), runs: Vec::new() },
            base: None,
        };
        let overrides = tuning.overrides(args, *preset, &usual);
        tuning.list_runs((&chosen, &overrides), &seeds)?;
        Ok(tuning)
    }

    /// The values that differ from the preset's. Options that the table does not use are noted.
    fn overrides(&mut self, args: &TuningArgs, preset: Preset, usual: &Usual) -> Overrides {
        let Protocol { name, cutout: side, filtered, first, .. } = *self.protocol;
        let notes = &mut self.plan.notes;
        let rate = |rate: f64| format!("{rate:e}");
        let shift = of_table("shift", args.common.shift, (name, side.is_some()), notes);
        let cutout = of_table("cutout", args.cutout, (name, side.is_some()), notes);
        let sigma = of_table("filter-sigma", args.filter_sigma, (name, filtered), notes);
        let radius = of_table("filter-radius", args.filter_radius, (name, filtered), notes);
        let first_rate = args.first_learning_rate.map(rate);
        Overrides::default()
            .with("first-epochs", args.first_epochs, first_epochs(preset), Told::Count("first epochs"))
            .with("first-learning-rate", first_rate, rate(first.learning_rate()), Told::Value("first learning rate"))
            .with("shift", shift.map(usize::from), protocol::SHIFT, Told::Value("shift"))
            .with("cutout", cutout.map(usize::from), side.unwrap_or(0), Told::Value("cutout"))
            .with("filter-sigma", sigma, FILTER.sigma, Told::Value("filter sigma"))
            .with("filter-radius", radius.map(usize::from), FILTER.radius, Told::Value("filter radius"))
            .with_common(&args.common, usual)
    }

    /// Fills in the runs of the plan, and its notes on the weights.
    fn list_runs(&mut self, (chosen, overrides): (&Chosen, &Overrides), seeds: &[u64]) -> Result<(), CliError> {
        let setup = chosen.setup(&self.parts, overrides);
        for (model, origin) in &self.models {
            self.plan.notes.push(match origin {
                Origin::File(path) => format!("weights: {model} from {}", path.display()),
                Origin::Procedural => format!(
                    "weights: no pretrained {model} given or found (--weights), so it is trained on {} procedural \
                     images first",
                    protocol::quick::PRETRAIN
                ),
            });
            let hash = origin.hash()?;
            for &seed in seeds {
                let first = Config {
                    table: self.protocol.name.to_owned(),
                    model: model.clone(),
                    arm: FIRST.to_owned(),
                    seed,
                    activation: None,
                    epochs: self.epochs,
                    batch_size: self.batch_size,
                    learning_rate: format!("{:e}", self.learning_rate),
                    first_epochs: Some(self.first_epochs),
                    first_learning_rate: Some(format!("{:e}", self.first_learning_rate)),
                    pretrained: Some(origin.name()),
                    pretrained_sha256: Some(hash.clone()),
                    setup: setup.clone(),
                    other: BTreeMap::new(),
                };
                let mut after = vec![(first.clone(), self.first_epochs)];
                if *origin == Origin::Procedural {
                    after.insert(0, (pretraining(&first), protocol::quick::PRETRAIN_EPOCHS));
                }
                self.plan.runs.extend(self.arms.iter().map(|arm| Planned {
                    config: of_arm(&first, arm),
                    epochs: if arm.trained { self.epochs } else { 0 },
                    after: after.clone(),
                }));
            }
        }
        let (runs, epochs) = (self.plan.runs.len(), self.epochs);
        self.plan.notes.push(format!(
            "preset {}: {runs} runs of {epochs} epochs after {} with ReLU, over {} images",
            overrides.of(chosen.preset),
            self.first_epochs,
            self.parts.train.len()
        ));
        Ok(())
    }

    fn arm(&self, config: &Config) -> Result<Arm, CliError> {
        let arm = self.arms.iter().find(|arm| arm.name == config.arm);
        arm.copied().ok_or_else(|| CliError::Usage(format!("{}: no such arm", config.id())))
    }

    /// The pretrained network, tuned with ReLU.
    fn first_phase(&self, first: &Config, context: &Context<'_>) -> Result<Option<Base>, CliError> {
        let (name, seed) = (&*first.model, first.seed);
        let Some(pretrained) = self.pretrained(first, context)? else { return Ok(None) };
        let Pretrained { model: mut network, preprocessing, fresh_head } = pretrained;
        let title = format!("{} {name} seed {seed}, first phase", self.protocol.name);
        let phase = Phase {
            title: &title,
            config: first,
            epochs: self.first_epochs,
            learning_rate: self.first_learning_rate,
            policy: self.protocol.first_policy(fresh_head),
            filtered: false,
            measured: false,
        };
        let Some(history) = self.tune(network.as_mut(), preprocessing, &phase, context)? else { return Ok(None) };
        if history.outcome == Outcome::Diverged {
            return Err(CliError::Diverged { run: title });
        }
        let has_batch_norm = has_batch_norm(network.as_ref()).map_err(|source| failed(name, source))?;
        let snapshot = Snapshot::of(network.as_ref()).map_err(|source| failed(name, source))?;
        let splits = self.splits(preprocessing, 0, true, true)?;
        let before = evaluate(network.as_mut(), &splits.test, &mut interrupt::flow)
            .map_err(|source| CliError::Training { run: title, source })?;
        let Some(before) = before else { return Ok(None) };
        Ok(Some(Base { config: first.clone(), snapshot, preprocessing, has_batch_norm, before: before.top1 }))
    }

    /// The network before the first phase: from a file, or from a training on procedural images; `None` if interrupted.
    fn pretrained(&self, first: &Config, context: &Context<'_>) -> Result<Option<Pretrained>, CliError> {
        let (name, seed) = (&*first.model, first.seed);
        match self.models.iter().find(|(model, _)| model == name) {
            Some((_, Origin::File(path))) => {
                Ok(Some(source::open_file(self.protocol, name, path, self.classes, seed)?))
            }
            _ => {
                let Some(mut network) = source::train(&pretraining(first), self.classes, context)? else {
                    return Ok(None);
                };
                if self.protocol.transfer {
                    let in_head = |path: &str| pvlu_zoo::transfer::in_head(path);
                    pvlu_zoo::init::he_of(network.net_mut(), seed, &in_head).map_err(|source| failed(name, source))?;
                }
                let preprocessing = Preprocessing::small(Normalization::measured(&self.parts.train)?);
                let (height, width) = network.image();
                let preprocessing = preprocessing.whole((height, width));
                Ok(Some(Pretrained {
                    model: network,
                    preprocessing: preprocessing.map_err(|error| CliError::Usage(error.to_string()))?,
                    fresh_head: self.protocol.transfer,
                }))
            }
        }
    }

    /// Trains a network, from its checkpoint if there is one; `None` if interrupted.
    fn tune(
        &self,
        model: &mut dyn Model,
        preprocessing: Preprocessing,
        phase: &Phase<'_>,
        context: &Context<'_>,
    ) -> Result<Option<History>, CliError> {
        let Phase { title, config, epochs, learning_rate, policy, filtered, measured } = *phase;
        freeze(policy, model, epochs)?;
        check_batch(model, self.parts.train.len().min(self.batch_size), true, "--batch-size")?;
        let seed = config.seed;
        let fit = FitConfig { epochs, optimizer: OptimizerConfig::adam(), learning_rate, schedule: Schedule::Cosine };
        let splits = self.splits(preprocessing, seed, filtered, measured)?;
        context.store.train(&Job { title, config, fit, splits, seed }, model, context.progress)
    }

    fn splits(
        &self,
        preprocessing: Preprocessing,
        seed: u64,
        filtered: bool,
        measured: bool,
    ) -> Result<Splits, CliError> {
        let (height, width) = preprocessing.input();
        let side = height.min(width);
        let scaled = |pixels: usize| pixels * side / SIDE;
        let Augmentation { flip, shift, cutout } = self.augmentation;
        let augmentation = Augmentation { flip, shift: scaled(shift), cutout: cutout.map(scaled) };
        let filter = self.filter.filter(|_| filtered);
        let shuffled = LoaderConfig::training(self.batch_size, seed, preprocessing, augmentation);
        let in_order = || LoaderConfig { filter, ..LoaderConfig::evaluation(EVALUATION_BATCH, preprocessing) };
        let part = |split: &Arc<Split>| if measured { Arc::clone(split) } else { Arc::new(split.limit(0)) };
        Ok(Splits {
            train: Loader::new(Arc::clone(&self.parts.train), LoaderConfig { filter, ..shuffled })?,
            validation: Loader::new(part(&self.parts.validation), in_order())?,
            test: Loader::new(part(&self.parts.test), in_order())?,
        })
    }

    /// The network of an arm, with the values of the first phase if they are given, else with initial ones.
    fn arm_network(&self, model: &str, arm: &Arm, values: Option<&Snapshot>) -> Result<Box<dyn Model>, CliError> {
        let start = if values.is_some() { Start::Unfilled } else { Start::Seed(0) };
        let mut network = source::build(model, self.classes, start)?;
        values.map_or(Ok(()), |values| values.restore(network.as_mut()))?;
        if arm.activation != "relu" {
            network = network.swap_activation(registry::activation(arm.activation)?)?;
        }
        Ok(network)
    }
}

impl Work for Tuning {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn sample(&self, planned: &Planned) -> Result<Box<dyn Model>, CliError> {
        let arm = self.arm(&planned.config)?;
        let name = &planned.config.model;
        let mut network = self.arm_network(name, &arm, None)?;
        let has_batch_norm = has_batch_norm(network.as_ref()).map_err(|source| failed(name, source))?;
        if let Some(policy) = self.protocol.policy(&arm, has_batch_norm) {
            freeze(policy, network.as_mut(), self.epochs)?;
        }
        Ok(network)
    }

    fn perform(&mut self, planned: &Planned, context: &Context<'_>) -> Result<Option<Record>, CliError> {
        let config = &planned.config;
        let (name, seed, arm) = (&*config.model, config.seed, self.arm(config)?);
        let Some((first, _)) = planned.after.last() else { return Ok(None) };
        // Runs of one model and seed follow each other, and share the first phase.
        if self.base.as_ref().is_none_or(|base| base.config != *first) {
            self.base = None;
            self.base = self.first_phase(first, context)?;
        }
        let Some(base) = &self.base else { return Ok(None) };
        let (preprocessing, before_top1) = (base.preprocessing, base.before);
        let mut network = self.arm_network(name, &arm, Some(&base.snapshot))?;
        let title = format!("{} {name} {} seed {seed}", self.protocol.name, arm.name);
        let mut record = Record { before_top1, ..context.record(config) };
        let policy = self.protocol.policy(&arm, base.has_batch_norm);
        if let Some(policy) = policy {
            let phase = Phase {
                title: &title,
                config,
                epochs: self.epochs,
                learning_rate: self.learning_rate,
                policy,
                filtered: true,
                measured: true,
            };
            let Some(history) = self.tune(network.as_mut(), preprocessing, &phase, context)? else { return Ok(None) };
            record.status = if history.outcome == Outcome::Diverged { Status::Died } else { Status::Finished };
            record.epochs = history.epochs;
        } else {
            FreezePolicy::NONE.try_apply(network.net_mut())?;
        }
        let test = self.splits(preprocessing, seed, true, true)?.test;
        let Some(inspected) = inspect::inspect(network.as_mut(), &test, &title)? else { return Ok(None) };
        context.store.save_weights(config, network.as_ref(), &preprocessing.to_string())?;
        record.trained_parameters = inspected.trained;
        (record.parameters, record.units) = (inspected.parameters, inspected.units);
        Ok(Some(record))
    }
}

/// The arms that `--arms` asks for: those of the table and other activations. Arms of other tables are skipped.
fn asked_for(protocol: &Protocol, items: &[&str]) -> Result<Vec<Arm>, CliError> {
    let found: Vec<Arm> = items.iter().filter_map(|item| protocol.arm(item)).collect();
    if found.is_empty() {
        let arms: Vec<&str> = protocol.arms.iter().map(|arm| arm.name).collect();
        let (table, items, arms) = (protocol.name, items.join(", "), arms.join(", "));
        return Err(CliError::Usage(format!("--arms: {table} has no {items}; it has {arms}, or any activation")));
    }
    Ok(found)
}

/// Freezes all parts that a policy does not train. Without epochs it may leave nothing to train.
fn freeze(policy: FreezePolicy, model: &mut dyn Model, epochs: u64) -> Result<(), FreezeError> {
    match policy.try_apply(model.net_mut()) {
        Err(FreezeError::Nothing { .. }) if epochs == 0 => FreezePolicy::NONE.try_apply(model.net_mut()),
        applied => applied,
    }
}

fn has_batch_norm(model: &dyn Model) -> Result<bool, pvlu::Error> {
    let mut found = false;
    model.tensors(&mut |tensor| found |= tensor.slot.kind == ParamKind::Scale)?;
    Ok(found)
}

/// The configuration of the training on procedural images before a first phase.
fn pretraining(first: &Config) -> Config {
    let mut config = Config { arm: PRETRAIN.to_owned(), batch_size: protocol::quick::BATCH_SIZE, ..first.clone() };
    config.setup.train_images = protocol::quick::PRETRAIN;
    config
}

/// The configuration of an arm after a first phase.
fn of_arm(first: &Config, arm: &Arm) -> Config {
    Config { arm: arm.name.to_owned(), activation: Some(arm.activation.to_owned()), ..first.clone() }
}

fn first_epochs(preset: Preset) -> u64 {
    preset.pick(protocol::quick::FIRST_EPOCHS, protocol::FIRST_EPOCHS)
}

fn failed(model: &str, source: pvlu::Error) -> CliError {
    CliError::Model { model: registry::find(model).map_or("model", |entry| entry.name), source }
}
