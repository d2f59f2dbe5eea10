//! Tables of networks trained from scratch: every network and arm with every seed.

use std::collections::BTreeMap;

use pvlu_zoo::data::{Augmentation, LoaderConfig, Normalization};
use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{self, Options, Start};
use pvlu_zoo::train::{History, Outcome, Splits};

use crate::common::device::placed;
use crate::common::error::CliError;
use crate::common::memory::check_batch;
use crate::reproduce::data::{Chosen, Parts, choose, scaled};
use crate::reproduce::overrides::{Overrides, Told, Usual, of_table};
use crate::reproduce::protocol::arm::Arm;
use crate::reproduce::protocol::paper::Table;
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
    epochs: u64,
    batch_size: usize,
    learning_rate: f64,
    /// Augmentation of training images, in pixels of a 32x32 image.
    augmentation: Augmentation,
    parts: Parts,
    /// Mean and standard deviation that images are normalized by.
    normalization: Normalization,
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
            held_out: protocol.data.held_out,
        };
        let epochs = request.epochs.unwrap_or(usual.epochs);
        let batch_size = request.batch_size.unwrap_or(usual.batch_size);
        let learning_rate = request.learning_rate.unwrap_or(usual.learning_rate);
        let (changes, kept) = (protocol.augmentation.is_some(), protocol.augmentation.unwrap_or_default());
        let shift = of_table("shift", request.shift, (table.name(), changes), &mut notes);
        let augmentation = Augmentation { shift: shift.unwrap_or(kept.shift), ..kept };
        let overrides =
            Overrides::default().with("shift", shift, kept.shift, Told::Value("shift")).with_common(request, &usual);
        let setup = chosen.setup(&parts, &overrides, request.precision)?;
        let mut scratch = Self {
            epochs,
            batch_size,
            learning_rate,
            augmentation,
            parts,
            normalization,
            plan: Plan { table, notes, runs: Vec::new() },
            chosen,
        };
        for network in networks {
            for &seed in seeds {
                for arm in &arms {
                    let run = scratch.planned(network, seed, arm, &setup)?;
                    scratch.plan.runs.push(run);
                }
            }
        }
        scratch.plan.notes.push(format!(
            "preset {}: {} runs of {epochs} epochs over {} images",
            setup.preset,
            scratch.plan.runs.len(),
            scratch.parts.train.len()
        ));
        Ok(scratch)
    }

    fn planned(&self, network: &str, seed: u64, arm: &Arm, setup: &Setup) -> Result<Planned, CliError> {
        let (table, protocol) = (self.plan.table, self.plan.table.protocol());
        let image = protocol.fitting(registry::find(network)?)?;
        let config = Config {
            table: table.name().to_owned(),
            model: network.to_owned(),
            arm: arm.name.clone(),
            seed,
            activation: Some(arm.activation.text().to_owned()),
            epochs: self.epochs,
            batch_size: self.batch_size,
            learning_rate: format!("{:e}", self.learning_rate),
            first_epochs: None,
            first_learning_rate: None,
            pretrained: None,
            pretrained_sha256: None,
            setup: setup.clone(),
            other: if table.is_own() { protocol.settings(arm.trains, image) } else { BTreeMap::new() },
        };
        Ok(Planned { config, epochs: self.epochs, after: Vec::new() })
    }

    fn build(&self, config: &Config) -> Result<Box<dyn Model>, CliError> {
        let activation = config.activation.as_deref().unwrap_or_default();
        let entry = registry::find(&config.model)?;
        let image = Some(self.plan.table.protocol().image(entry));
        let options = Options { activation, classes: self.chosen.classes, image, weights: Start::Seed(config.seed) };
        Ok(placed(entry.build(&options)?)?)
    }

    fn splits(&self, config: &Config) -> Result<Loaders, CliError> {
        let protocol = self.plan.table.protocol();
        let image = protocol.image(registry::find(&config.model)?);
        let preprocessing = self.chosen.preprocessing(self.normalization, image)?;
        let filter = protocol.filter;
        let augmentation = scaled(self.augmentation, image);
        let shuffled = LoaderConfig::training(self.batch_size, config.seed, preprocessing, augmentation);
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

    fn sample(&self, planned: &Planned) -> Result<Box<dyn Model>, CliError> {
        self.build(&planned.config)
    }

    fn perform(&mut self, planned: &Planned, context: &Context<'_>) -> Result<Option<Record>, CliError> {
        let config = &planned.config;
        let (mut model, seed) = (self.build(config)?, config.seed);
        let table = self.plan.table;
        // A table of the paper has one network.
        let network = if table.is_own() { format!(" {}", config.model) } else { String::new() };
        let title = format!("{}{network} {} seed {seed}", table.name(), config.arm);
        check_batch(model.as_ref(), self.parts.train.len().min(self.batch_size), true, "--batch-size")?;
        let fit = table.protocol().training.fit(self.epochs, self.learning_rate, seed);
        let job = Job { title: &title, config, fit, splits: self.splits(config)?, seed };
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
