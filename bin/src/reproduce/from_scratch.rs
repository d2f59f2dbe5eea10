//! Tables of networks trained from scratch: every network and arm with every seed.

use std::collections::BTreeMap;

use pvlu_zoo::data::{Gaussian, LoaderConfig, Normalization};
use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{self, Options, Start};
use pvlu_zoo::train::{History, Outcome, Splits};
use pvlu_zoo::transfer::FreezePolicy;

use crate::common::device::placed;
use crate::common::error::CliError;
use crate::common::memory::check_batch;
use crate::reproduce::choice::{Choice, of_trial};
use crate::reproduce::data::{Chosen, Parts, choose, scaled};
use crate::reproduce::overrides::{Overrides, Usual};
use crate::reproduce::protocol::arm::{Arm, Trains};
use crate::reproduce::protocol::paper::Table;
use crate::reproduce::protocol::sweep::Setting;
use crate::reproduce::recipe::{OfArm, Recipe, Recipes};
use crate::reproduce::request::Request;
use crate::reproduce::runs::config::{Config, Setup};
use crate::reproduce::runs::inspect;
use crate::reproduce::runs::planned::Planned;
use crate::reproduce::runs::record::{Record, Status};
use crate::reproduce::runs::store::{Job, Loaders};
use crate::reproduce::runs::work::{Context, Plan, Work};

/// Images in an evaluation batch.
const EVALUATION_BATCH: usize = 128;

/// A table of networks trained from scratch.
#[derive(Debug)]
pub struct Scratch {
    chosen: Chosen,
    recipes: Recipes,
    parts: Parts,
    /// Mean and standard deviation that images are normalized by.
    normalization: Normalization,
    /// The filter of all images; `None` if the table has none.
    filter: Option<Gaussian>,
    plan: Plan,
}

impl Scratch {
    /// Finds the images, and sets the options that the user did not give by the preset.
    pub fn new(table: Table, request: &Request) -> Result<Self, CliError> {
        let protocol = table.protocol();
        let chosen = choose(table, &request.images)?;
        let mut notes = chosen.notes();
        let parts = chosen.parts(&request.images)?;
        let preset = chosen.preset;
        let budget = protocol.budget(preset).unwrap_or(&protocol.full);
        let seeds = request.seeds.as_ref().unwrap_or(&budget.seeds);
        let networks = request.networks_of(protocol, budget);
        let arms = request.arms_of(protocol)?;
        let normalization = match chosen.name {
            "cifar100" => Normalization::CIFAR100,
            _ => parts.train.normalization()?,
        };
        let usual = Usual {
            epochs: budget.epochs,
            learning_rate: protocol.training.learning_rate,
            batch_size: budget.batch_size,
            images: chosen.usual(),
            limits: chosen.limits(&request.images),
            held_out: protocol.data.held_out,
        };
        let recipes = Recipes::of(table, preset, request, seeds)?;
        let epochs = recipes.epochs();
        let overrides = Overrides::default().with_changes(request, protocol, &mut notes).with_common(request, &usual);
        let setup = chosen.setup(&parts, &overrides, request)?;
        let (sweep, plan) = (recipes.sweep.clone(), Plan::new(table, notes, recipes.sweep.clone()));
        let filter = protocol.filter.map(|kept| request.filter_of(kept));
        let mut scratch = Self { recipes, parts, normalization, filter, plan, chosen };
        for network in networks {
            let planned = |seeds: &[u64], settings: &[Option<&Setting>]| {
                let mut runs = Vec::new();
                for &seed in seeds {
                    for setting in settings {
                        for arm in &arms {
                            runs.push(scratch.planned((network, seed, arm), *setting, &setup)?);
                        }
                    }
                }
                Ok::<_, CliError>(runs)
            };
            let settings: Vec<Option<&Setting>> = scratch.recipes.settings().map(Some).collect();
            let trials = planned(sweep.as_ref().map_or(&[], |sweep| &sweep.seeds), &settings)?;
            let runs = planned(seeds, &[None])?;
            scratch.plan.trials.extend(trials);
            scratch.plan.runs.extend(runs);
        }
        scratch.plan.notes.push(format!(
            "preset {}: {} runs of {epochs} epochs over {} images",
            setup.preset,
            scratch.plan.runs.len(),
            scratch.parts.train.len()
        ));
        scratch.plan.notes.extend(scratch.recipes.late_changes());
        scratch.plan.note_trials()?;
        Ok(scratch)
    }

    /// The run of an arm with a seed, or its trial with a setting.
    fn planned(
        &self,
        (network, seed, arm): (&str, u64, &Arm),
        trial: Option<&Setting>,
        setup: &Setup,
    ) -> Result<Planned, CliError> {
        let protocol = self.plan.table.protocol();
        protocol.fitting(registry::find(network)?)?;
        let config = Config {
            table: self.plan.table.name().to_owned(),
            model: network.to_owned(),
            arm: arm.name.clone(),
            seed,
            activation: Some(arm.activation.text().to_owned()),
            epochs: 0,
            batch_size: 0,
            learning_rate: String::new(),
            first_epochs: None,
            first_learning_rate: None,
            pretrained: None,
            pretrained_sha256: None,
            trial: trial.map(Setting::to_string),
            chosen: None,
            swept: None,
            recipe_sha256: None,
            setup: setup.clone(),
            other: BTreeMap::new(),
        };
        self.with_recipe(Planned { config, epochs: 0, after: Vec::new() })
    }

    /// A run under the recipe of its setting.
    fn with_recipe(&self, planned: Planned) -> Result<Planned, CliError> {
        let recipe = self.recipes.of_run(&planned.config)?;
        let table = self.plan.table;
        let image = table.protocol().image(registry::find(&planned.config.model)?);
        let trains = Trains { policy: FreezePolicy::ALL, ..Trains::NOTHING };
        let config = recipe.put_into(planned.config, table.is_own().then_some(OfArm { trains, image }));
        let config = self.recipes.marked(config);
        Ok(Planned { epochs: recipe.epochs, config, ..planned })
    }

    fn build(&self, config: &Config) -> Result<Box<dyn Model>, CliError> {
        let activation = config.activation.as_deref().unwrap_or_default();
        let entry = registry::find(&config.model)?;
        let image = Some(self.plan.table.protocol().image(entry));
        let options = Options { activation, classes: self.chosen.classes, image, weights: Start::Seed(config.seed) };
        Ok(placed(entry.build(&options)?)?)
    }

    fn splits(&self, config: &Config, recipe: &Recipe) -> Result<Loaders, CliError> {
        let protocol = self.plan.table.protocol();
        let image = protocol.image(registry::find(&config.model)?);
        let preprocessing = self.chosen.preprocessing(self.normalization, image)?;
        let filter = self.filter;
        let augmentation = scaled(recipe.augmentation, image);
        let shuffled = LoaderConfig::training(recipe.batch_size, config.seed, preprocessing, augmentation);
        let in_order = || LoaderConfig { filter, ..LoaderConfig::evaluation(EVALUATION_BATCH, preprocessing) };
        Ok(Splits {
            train: self.parts.train.loader(LoaderConfig { filter, ..shuffled })?,
            validation: self.parts.validation.loader(in_order())?,
            test: self.parts.test.loader(in_order())?,
        })
    }
}

impl Work for Scratch {
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
        self.build(&planned.config)
    }

    fn perform(&mut self, planned: &Planned, context: &Context<'_>) -> Result<Option<Record>, CliError> {
        let config = &planned.config;
        let (mut model, seed) = (self.build(config)?, config.seed);
        let table = self.plan.table;
        // A table of the paper has one network.
        let network = if table.is_own() { format!(" {}", config.model) } else { String::new() };
        let title = format!("{}{network} {} seed {seed}{}", table.name(), config.arm, of_trial(config));
        let recipe = self.recipes.of_run(config)?;
        let (fit, batch) = (recipe.fit(recipe.epochs, recipe.learning_rate, seed), recipe.batch_size);
        check_batch(model.as_ref(), self.parts.train.len().min(batch), Some(fit.shards), "--batch-size")?;
        let job = Job { title: &title, config, fit, splits: self.splits(config, recipe)?, seed };
        let Some(history) = context.store.train(&job, model.as_mut(), context.progress)? else { return Ok(None) };
        let test = job.splits.test.as_ref();
        let Some(inspected) = inspect::inspect(model.as_mut(), test, &title)? else { return Ok(None) };
        let preprocessing = self.chosen.preprocessing(self.normalization, model.image())?;
        context.store.save_weights(config, model.as_ref(), &preprocessing.to_string())?;
        Ok(Some(Record {
            status: status(&history, self.chosen.classes),
            trained_parameters: inspected.trained,
            parameters: inspected.parameters,
            units: inspected.units,
            epochs: history.epochs,
            ..context.record(config)
        }))
    }
}

/// The status of a training that has ended: it died if it diverged, or if its final test accuracy is below twice
/// chance, or, of less than ten classes, below ten points over it. The paper: "ReLU dies several times in our trials".
/// Its dead networks have the accuracy of a guess.
pub fn status(history: &History, classes: usize) -> Status {
    let last = history.final_top1().unwrap_or(f64::NAN);
    let chance = 1.0 / classes as f64;
    let died = history.outcome == Outcome::Diverged || last.is_nan() || last < chance + chance.min(0.1);
    if died { Status::Died } else { Status::Finished }
}
