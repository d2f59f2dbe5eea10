//! Tables 3 to 6: pretrained networks, tuned with ReLU and then, side by side, with each arm of the comparison.
//!
//! Every arm of a model and seed starts from the values that the first phase reached. The epoch of an arm is selected
//! by the held-out images, never by the test images.

mod planning;
mod source;

use pvlu::activation::{Activation, Relu};
use pvlu::layer::ParamKind;
use pvlu_zoo::data::{Gaussian, LoaderConfig};
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{self, Start};
use pvlu_zoo::snapshot::Snapshot;
use pvlu_zoo::train::{History, Outcome, Splits, evaluate};
use pvlu_zoo::transfer::{FreezeError, FreezePolicy};

use self::source::{Origin, Pretrained};
use crate::common::error::CliError;
use crate::common::images::Images;
use crate::common::interrupt;
use crate::common::memory::check_batch;
use crate::reproduce::choice::{Choice, of_trial};
use crate::reproduce::data::{Chosen, Parts, scaled};
use crate::reproduce::protocol::arm::Arm;
use crate::reproduce::protocol::definition::{PRETRAIN, Pretrained as Tuned, Pretraining, Protocol};
use crate::reproduce::recipe::{Recipe, Recipes};
use crate::reproduce::runs::config::Config;
use crate::reproduce::runs::inspect;
use crate::reproduce::runs::planned::Planned;
use crate::reproduce::runs::record::{Record, Status};
use crate::reproduce::runs::store::{Job, Loaders};
use crate::reproduce::runs::work::{Context, Plan, Work};

/// Images in an evaluation batch.
const EVALUATION_BATCH: usize = 128;

/// A table of pretrained networks.
pub struct Tuning {
    protocol: &'static Protocol,
    /// The part of the protocol on pretrained networks.
    tuned: &'static Tuned,
    chosen: Chosen,
    first_epochs: u64,
    first_learning_rate: f64,
    /// The recipe of the first phase and of the arms.
    recipes: Recipes,
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
    recipe: &'a Recipe,
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
        arm.cloned().ok_or_else(|| CliError::Usage(format!("{}: no such arm", config.id())))
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
            recipe: &self.recipes.base,
            epochs: self.first_epochs,
            learning_rate: self.first_learning_rate,
            policy: self.tuned.first.of(true, fresh_head),
            filtered: false,
            measured: false,
        };
        let Some(history) = self.tune(network.as_mut(), preprocessing, &phase, context)? else { return Ok(None) };
        if history.outcome == Outcome::Diverged {
            return Err(CliError::Diverged { run: title });
        }
        let has_batch_norm = has_batch_norm(network.as_ref()).map_err(|source| failed(name, source))?;
        let snapshot = Snapshot::of(network.as_ref()).map_err(|source| failed(name, source))?;
        let splits = self.splits(preprocessing, &self.recipes.base, 0, (true, true))?;
        let before = evaluate(network.as_mut(), splits.test.as_ref(), &mut interrupt::flow)
            .map_err(|source| CliError::Training { run: title, source })?;
        let Some(before) = before else { return Ok(None) };
        Ok(Some(Base { config: first.clone(), snapshot, preprocessing, has_batch_norm, before: before.top1 }))
    }

    /// The network before the first phase: from a file, or from a training on procedural images; `None` if interrupted.
    fn pretrained(&self, first: &Config, context: &Context<'_>) -> Result<Option<Pretrained>, CliError> {
        let (name, seed) = (&*first.model, first.seed);
        match self.models.iter().find(|(model, _)| *model == name) {
            Some((_, Origin::File(path))) => {
                Ok(Some(source::open_file(self.protocol, name, path, &self.chosen, seed)?))
            }
            Some((_, Origin::Procedural(training))) => {
                let config = pretraining(first, training);
                let network = source::train(self.protocol, training, &config, self.chosen.classes, context)?;
                let Some(mut network) = network else { return Ok(None) };
                if self.tuned.transfer {
                    let in_head = |path: &str| pvlu_zoo::transfer::in_head(path);
                    pvlu_zoo::init::he_of(network.net_mut(), seed, &in_head).map_err(|source| failed(name, source))?;
                }
                let preprocessing = self.chosen.preprocessing(self.parts.train.normalization()?, network.image())?;
                Ok(Some(Pretrained { model: network, preprocessing, fresh_head: self.tuned.transfer }))
            }
            None => Err(CliError::Usage(format!("{}: no such network", first.id()))),
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
        let Phase { title, config, recipe, epochs, learning_rate, policy, filtered, measured } = *phase;
        freeze(policy, model, epochs)?;
        let seed = config.seed;
        let fit = recipe.fit(epochs, learning_rate, seed);
        check_batch(model, self.parts.train.len().min(recipe.batch_size), Some(fit.shards), "--batch-size")?;
        let splits = self.splits(preprocessing, recipe, seed, (filtered, measured))?;
        context.store.train(&Job { title, config, fit, splits, seed }, model, context.progress)
    }

    fn splits(
        &self,
        preprocessing: Preprocessing,
        recipe: &Recipe,
        seed: u64,
        (filtered, measured): (bool, bool),
    ) -> Result<Loaders, CliError> {
        let augmentation = scaled(recipe.augmentation, preprocessing.input());
        let filter = self.filter.filter(|_| filtered);
        let shuffled = LoaderConfig::training(recipe.batch_size, seed, preprocessing, augmentation);
        let in_order = || LoaderConfig { filter, ..LoaderConfig::evaluation(EVALUATION_BATCH, preprocessing) };
        let part = |images: &Images| if measured { images.clone() } else { images.clone().limit(0) };
        Ok(Splits {
            train: self.parts.train.loader(LoaderConfig { filter, ..shuffled })?,
            validation: part(&self.parts.validation).loader(in_order())?,
            test: part(&self.parts.test).loader(in_order())?,
        })
    }

    /// The network of an arm, with the values of the first phase if they are given, else with initial ones.
    fn arm_network(&self, model: &str, arm: &Arm, values: Option<&Snapshot>) -> Result<Box<dyn Model>, CliError> {
        let start = if values.is_some() { Start::Unfilled } else { Start::Seed(0) };
        let mut network = source::build(self.protocol, model, self.chosen.classes, start)?;
        values.map_or(Ok(()), |values| values.restore(network.as_mut()))?;
        if arm.activation.text() != Relu::NAME {
            network = network.swap_activation(arm.activation)?;
        }
        Ok(network)
    }
}

impl Work for Tuning {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn parts(&self) -> &Parts {
        &self.parts
    }

    fn choose(&mut self, choice: &Choice) -> Result<(), CliError> {
        let runs = choice.put_into(&self.plan.runs);
        self.plan.runs = runs.into_iter().map(|run| self.with_recipe(run)).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn sample(&self, planned: &Planned) -> Result<Box<dyn Model>, CliError> {
        let arm = self.arm(&planned.config)?;
        let name = &planned.config.model;
        let mut network = self.arm_network(name, &arm, None)?;
        let has_batch_norm = has_batch_norm(network.as_ref()).map_err(|source| failed(name, source))?;
        if let Some(policy) = arm.policy(has_batch_norm) {
            freeze(policy, network.as_mut(), planned.epochs)?;
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
        let title = format!("{} {name} {} seed {seed}{}", self.protocol.name, arm.name, of_trial(config));
        let recipe = self.recipes.of_run(config)?;
        let mut record = Record { before_top1, ..context.record(config) };
        if let Some(policy) = arm.policy(base.has_batch_norm) {
            let phase = Phase {
                title: &title,
                config,
                recipe,
                epochs: recipe.epochs,
                learning_rate: recipe.learning_rate,
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
        let test = self.splits(preprocessing, recipe, seed, (true, true))?.test;
        let Some(inspected) = inspect::inspect(network.as_mut(), test.as_ref(), &title)? else { return Ok(None) };
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
fn pretraining(first: &Config, training: &Pretraining) -> Config {
    let mut config = Config { arm: PRETRAIN.to_owned(), batch_size: training.batch_size, ..first.clone() };
    config.setup.train_images = training.images;
    config
}

fn failed(model: &str, source: pvlu::Error) -> CliError {
    CliError::Model { model: registry::find(model).map_or("model", |entry| entry.name), source }
}
