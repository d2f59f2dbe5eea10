//! Tables 1 and 2: networks trained from scratch, every activation with every seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use pvlu::activation::Definition;
use pvlu_zoo::data::{Augmentation, Loader, LoaderConfig, Normalization};
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::model::Model;
use pvlu_zoo::registry;
use pvlu_zoo::train::{FitConfig, History, OptimizerConfig, Outcome, Schedule, Splits};

use crate::common::device::placed;
use crate::common::error::CliError;
use crate::common::memory::check_batch;
use crate::reproduce::data::{Chosen, Parts, choose};
use crate::reproduce::overrides::{Overrides, Told, Usual, of_table};
use crate::reproduce::protocol::budget::{self, quick};
use crate::reproduce::protocol::from_scratch::Protocol;
use crate::reproduce::request::Request;
use crate::reproduce::runs::config::Config;
use crate::reproduce::runs::inspect;
use crate::reproduce::runs::planned::Planned;
use crate::reproduce::runs::record::{Record, Status};
use crate::reproduce::runs::store::Job;
use crate::reproduce::runs::work::{Context, Plan, Work};

/// Images in an evaluation batch.
const EVALUATION_BATCH: usize = 128;

/// Numbers of training and test images under the quick preset.
const QUICK_IMAGES: (usize, usize) = (quick::TRAIN, quick::TEST);

/// A table of networks trained from scratch.
#[derive(Debug)]
pub struct Scratch {
    table: &'static Protocol,
    classes: usize,
    epochs: u64,
    batch_size: usize,
    learning_rate: f64,
    augmentation: Augmentation,
    parts: Parts,
    /// Mean and standard deviation that images are normalized by.
    normalization: Normalization,
    plan: Plan,
}

impl Scratch {
    /// Finds the images, and sets the options that the user did not give by the preset.
    pub fn new(table: &'static Protocol, request: &Request) -> Result<Self, CliError> {
        let chosen = choose(table.set, &request.images, QUICK_IMAGES)?;
        let mut notes = chosen.notes();
        let parts = chosen.parts(&request.images, QUICK_IMAGES)?;
        let Chosen { dataset, preset, .. } = &chosen;
        let seeds = request.seeds.clone().unwrap_or_else(|| preset.pick(quick::SEEDS, table.seeds).to_vec());
        let activations = match &request.activations {
            Some(activations) => activations.clone(),
            None => table.activations.iter().map(|text| registry::activation(text)).collect::<Result<_, _>>()?,
        };
        let normalization = match dataset.name {
            "cifar100" => Normalization::CIFAR100,
            _ => Normalization::measured(&parts.train)?,
        };
        let usual = Usual {
            epochs: preset.pick(quick::EPOCHS, budget::EPOCHS),
            learning_rate: budget::LEARNING_RATE,
            batch_size: preset.pick(quick::BATCH_SIZE, budget::BATCH_SIZE),
            images: chosen.usual(QUICK_IMAGES),
        };
        let epochs = request.epochs.unwrap_or(usual.epochs);
        let batch_size = request.batch_size.unwrap_or(usual.batch_size);
        let learning_rate = request.learning_rate.unwrap_or(usual.learning_rate);
        let shift = of_table("shift", request.shift, (table.name, table.augmented), &mut notes);
        let augmentation = if table.augmented {
            Augmentation { flip: true, shift: shift.unwrap_or(budget::SHIFT), ..Augmentation::NONE }
        } else {
            Augmentation::NONE
        };
        let overrides =
            Overrides::default().with("shift", shift, budget::SHIFT, Told::Value("shift")).with_common(request, &usual);
        let setup = chosen.setup(&parts, &overrides, request.precision);
        let run = |seed: u64, activation: &Definition| Planned {
            config: Config {
                table: table.name.to_owned(),
                model: table.model.to_owned(),
                arm: activation.name().to_owned(),
                seed,
                activation: Some(activation.text().to_owned()),
                epochs,
                batch_size,
                learning_rate: format!("{learning_rate:e}"),
                first_epochs: None,
                first_learning_rate: None,
                pretrained: None,
                pretrained_sha256: None,
                setup: setup.clone(),
                other: BTreeMap::new(),
            },
            epochs,
            after: Vec::new(),
        };
        let runs: Vec<Planned> =
            seeds.iter().flat_map(|&seed| activations.iter().map(move |activation| run(seed, activation))).collect();
        notes.push(format!(
            "preset {}: {} runs of {epochs} epochs over {} images",
            overrides.of(*preset),
            runs.len(),
            parts.train.len()
        ));
        let classes = dataset.classes;
        let plan = Plan { table: table.name, notes, runs };
        Ok(Self { table, classes, epochs, batch_size, learning_rate, augmentation, parts, normalization, plan })
    }

    fn build(&self, config: &Config) -> Result<Box<dyn Model>, CliError> {
        let activation = config.activation.as_deref().unwrap_or_default();
        Ok(placed(registry::build(self.table.model, activation, self.classes, config.seed)?)?)
    }

    fn splits(&self, seed: u64) -> Result<Splits, CliError> {
        let in_order = LoaderConfig::evaluation(EVALUATION_BATCH, self.normalization);
        let shuffled = LoaderConfig::training(self.batch_size, seed, self.normalization, self.augmentation);
        let Parts { train, validation, test } = &self.parts;
        Ok(Splits {
            train: Loader::new(Arc::clone(train), shuffled)?,
            validation: Loader::new(Arc::clone(validation), in_order.clone())?,
            test: Loader::new(Arc::clone(test), in_order)?,
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
        let title = format!("{} {} seed {seed}", self.table.name, config.arm);
        check_batch(model.as_ref(), self.parts.train.len().min(self.batch_size), true, "--batch-size")?;
        let fit = FitConfig::new(self.epochs, OptimizerConfig::adam(), self.learning_rate, Schedule::Constant);
        let job = Job { title: &title, config, fit, splits: self.splits(seed)?, seed };
        let Some(history) = context.store.train(&job, model.as_mut(), context.progress)? else { return Ok(None) };
        let Some(inspected) = inspect::inspect(model.as_mut(), &job.splits.test, &title)? else { return Ok(None) };
        let preprocessing = Preprocessing::small(self.normalization).to_string();
        context.store.save_weights(config, model.as_ref(), &preprocessing)?;
        Ok(Some(Record {
            status: status(&history, self.classes),
            trained_parameters: inspected.trained,
            parameters: inspected.parameters,
            units: inspected.units,
            epochs: history.epochs,
            ..context.record(config)
        }))
    }
}

/// The status of a training that has ended: it died if it diverged, or if its final test accuracy is below twice
/// chance. The paper: "ReLU dies several times in our trials". Its dead networks have the accuracy of a guess.
pub fn status(history: &History, classes: usize) -> Status {
    let last = history.final_top1().unwrap_or(f64::NAN);
    let died = history.outcome == Outcome::Diverged || last.is_nan() || last < 2.0 / classes as f64;
    if died { Status::Died } else { Status::Finished }
}
