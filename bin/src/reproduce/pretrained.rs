//! Tables 3 to 6: pretrained networks, tuned with ReLU and then, side by side, with each arm of the comparison.
//!
//! Every arm of a model and seed starts from the values that the first phase reached. The epoch of an arm is selected
//! by the held-out images, never by the test images.

mod planning;
mod source;

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
use crate::reproduce::data::Parts;
use crate::reproduce::protocol::pretrained as protocol;
use crate::reproduce::protocol::pretrained::{Arm, PRETRAIN, Protocol};
use crate::reproduce::runs::config::Config;
use crate::reproduce::runs::inspect;
use crate::reproduce::runs::planned::Planned;
use crate::reproduce::runs::record::{Record, Status};
use crate::reproduce::runs::store::Job;
use crate::reproduce::runs::work::{Context, Plan, Work};

/// Images in an evaluation batch.
const EVALUATION_BATCH: usize = 128;

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
    models: Vec<(&'static str, Origin)>,
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
        match self.models.iter().find(|(model, _)| *model == name) {
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
        let fit = FitConfig::new(epochs, OptimizerConfig::adam(), learning_rate, Schedule::Cosine);
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
        let Augmentation { shift, cutout, .. } = self.augmentation;
        let augmentation = Augmentation { shift: scaled(shift), cutout: cutout.map(scaled), ..self.augmentation };
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

fn failed(model: &str, source: pvlu::Error) -> CliError {
    CliError::Model { model: registry::find(model).map_or("model", |entry| entry.name), source }
}
