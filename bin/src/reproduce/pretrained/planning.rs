//! The plan of a table of pretrained networks: its images, weights, arms and runs, with the user's values instead of
//! the protocol's where they are given.

use std::collections::BTreeMap;

use pvlu_zoo::data::{Augmentation, Gaussian};
use pvlu_zoo::published::PublishedError;

use super::source::{self, Origin};
use super::{Tuning, pretraining};
use crate::common::error::CliError;
use crate::common::named::environment;
use crate::reproduce::data::{Chosen, choose};
use crate::reproduce::overrides::{Overrides, Told, Usual, of_table};
use crate::reproduce::protocol::preset::Preset;
use crate::reproduce::protocol::pretrained as protocol;
use crate::reproduce::protocol::pretrained::{Arm, FILTER, FIRST, Protocol};
use crate::reproduce::request::{ArmRequest, Request};
use crate::reproduce::runs::config::{Config, Setup};
use crate::reproduce::runs::planned::Planned;
use crate::reproduce::runs::work::Plan;

/// Numbers of training and test images under the quick preset.
const QUICK_IMAGES: (usize, usize) = (protocol::quick::TRAIN, protocol::quick::TEST);

impl Tuning {
    /// Finds images and weights, and sets the options that the user did not give by the preset.
    pub fn new(protocol: &'static Protocol, request: &Request) -> Result<Self, CliError> {
        let chosen = choose(protocol.set, &request.images, QUICK_IMAGES)?;
        let parts = chosen.parts(&request.images, QUICK_IMAGES)?;
        let Chosen { dataset, preset, .. } = &chosen;
        let is_quick = *preset == Preset::Quick;
        let names = match &request.models {
            Some(models) => models.as_slice(),
            None => preset.pick(protocol.quick_models, protocol.models),
        };
        let mut models = Vec::new();
        for &name in names {
            let located = |weights| source::located(protocol, name, weights, request.offline, &environment);
            let weights = request.weights.as_deref().map(located).transpose();
            let origin = match weights.and_then(|weights| source::find(protocol, name, weights.as_deref(), is_quick)) {
                // A network that the user did not name needs no weights.
                Err(CliError::NoWeights { .. } | CliError::Published(PublishedError::NoWeights { .. }))
                    if is_quick && request.models.is_none() =>
                {
                    Origin::Procedural
                }
                found => found?,
            };
            models.push((name, origin));
        }
        let seeds =
            request.seeds.clone().unwrap_or_else(|| preset.pick(protocol::quick::SEEDS, protocol::SEEDS).to_vec());
        let usual = Usual {
            epochs: preset.pick(protocol::quick::EPOCHS, protocol::EPOCHS),
            learning_rate: protocol::LEARNING_RATE,
            batch_size: preset.pick(protocol::quick::BATCH_SIZE, protocol::BATCH_SIZE),
            images: chosen.usual(QUICK_IMAGES),
        };
        let arms =
            request.arms.as_deref().map_or_else(|| Ok(protocol.arms.to_vec()), |arms| asked_for(protocol, arms))?;
        let mut tuning = Self {
            protocol,
            arms,
            classes: dataset.classes,
            first_epochs: request.first_epochs.unwrap_or(first_epochs(*preset)),
            epochs: request.epochs.unwrap_or(usual.epochs),
            first_learning_rate: request.first_learning_rate.unwrap_or(protocol.first.learning_rate()),
            learning_rate: request.learning_rate.unwrap_or(usual.learning_rate),
            batch_size: request.batch_size.unwrap_or(usual.batch_size),
            augmentation: augmentation(protocol, request),
            filter: filter(protocol, request),
            parts,
            models,
            plan: Plan { table: protocol.name, notes: chosen.notes(), runs: Vec::new() },
            base: None,
        };
        let overrides = tuning.overrides(request, *preset, &usual);
        let setup = chosen.setup(&tuning.parts, &overrides, request.precision);
        tuning.list_runs(&setup, &overrides.of(*preset), &seeds)?;
        Ok(tuning)
    }

    /// The values that differ from the preset's. Options that the table does not use are noted.
    fn overrides(&mut self, request: &Request, preset: Preset, usual: &Usual) -> Overrides {
        let Protocol { name, cutout: side, filtered, first, .. } = *self.protocol;
        let notes = &mut self.plan.notes;
        let rate = |rate: f64| format!("{rate:e}");
        let shift = of_table("shift", request.shift, (name, side.is_some()), notes);
        let cutout = of_table("cutout", request.cutout, (name, side.is_some()), notes);
        let sigma = of_table("filter-sigma", request.filter_sigma, (name, filtered), notes);
        let radius = of_table("filter-radius", request.filter_radius, (name, filtered), notes);
        let first_rate = request.first_learning_rate.map(rate);
        Overrides::default()
            .with("first-epochs", request.first_epochs, first_epochs(preset), Told::Count("first epochs"))
            .with("first-learning-rate", first_rate, rate(first.learning_rate()), Told::Value("first learning rate"))
            .with("shift", shift, protocol::SHIFT, Told::Value("shift"))
            .with("cutout", cutout, side.unwrap_or(0), Told::Value("cutout"))
            .with("filter-sigma", sigma, FILTER.sigma, Told::Value("filter sigma"))
            .with("filter-radius", radius, FILTER.radius, Told::Value("filter radius"))
            .with_common(request, usual)
    }

    /// Fills in the runs of the plan, and its notes on the weights.
    fn list_runs(&mut self, setup: &Setup, preset: &str, seeds: &[u64]) -> Result<(), CliError> {
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
                    model: (*model).to_owned(),
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
            "preset {preset}: {runs} runs of {epochs} epochs after {} with ReLU, over {} images",
            self.first_epochs,
            self.parts.train.len()
        ));
        Ok(())
    }
}

/// The arms that `--arms` asks for: those of the table and other activations. Arms of other tables are skipped.
fn asked_for(protocol: &Protocol, arms: &[ArmRequest]) -> Result<Vec<Arm>, CliError> {
    let found: Vec<Arm> = arms.iter().filter_map(|arm| protocol.arm(&arm.text, arm.activation)).collect();
    if found.is_empty() {
        let items: Vec<&str> = arms.iter().map(|arm| arm.text.as_str()).collect();
        let arms: Vec<&str> = protocol.arms.iter().map(|arm| arm.name).collect();
        let (table, items, arms) = (protocol.name, items.join(", "), arms.join(", "));
        return Err(CliError::Usage(format!("--arms: {table} has no {items}; it has {arms}, or any activation")));
    }
    Ok(found)
}

/// The augmentation of a table's training images, in pixels of a 32x32 image.
fn augmentation(protocol: &Protocol, request: &Request) -> Augmentation {
    let Some(side) = protocol.cutout else { return Augmentation::NONE };
    let side = request.cutout.unwrap_or(side);
    let shift = request.shift.unwrap_or(protocol::SHIFT);
    Augmentation { flip: true, shift, cutout: (side > 0).then_some(side), ..Augmentation::NONE }
}

/// The filter of the arms' images; `None` if the table has none.
fn filter(protocol: &Protocol, request: &Request) -> Option<Gaussian> {
    protocol.filtered.then(|| Gaussian {
        sigma: request.filter_sigma.unwrap_or(FILTER.sigma),
        radius: request.filter_radius.unwrap_or(FILTER.radius),
    })
}

/// The configuration of an arm after a first phase.
fn of_arm(first: &Config, arm: &Arm) -> Config {
    Config { arm: arm.name.to_owned(), activation: Some(arm.activation.to_owned()), ..first.clone() }
}

fn first_epochs(preset: Preset) -> u64 {
    preset.pick(protocol::quick::FIRST_EPOCHS, protocol::FIRST_EPOCHS)
}
