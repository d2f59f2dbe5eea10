//! The plan of a table of pretrained networks: its images, weights, arms and runs, with the user's values instead of
//! the protocol's where they are given.

use std::collections::BTreeMap;

use pvlu::activation::{Activation, Relu};
use pvlu_zoo::published::PublishedError;
use pvlu_zoo::registry::{self, Start};
use pvlu_zoo::transfer::FreezeError;

use super::source::{self, Origin};
use super::{Tuning, failed, freeze, has_batch_norm, pretraining};
use crate::common::error::CliError;
use crate::common::named::environment;
use crate::reproduce::data::choose;
use crate::reproduce::overrides::{Overrides, Told, Usual};
use crate::reproduce::protocol::arm::{Arm, Trains};
use crate::reproduce::protocol::definition::{FIRST, Pretrained as Tuned};
use crate::reproduce::protocol::paper::Table;
use crate::reproduce::protocol::preset::Preset;
use crate::reproduce::protocol::sweep::Setting;
use crate::reproduce::recipe::{OfArm, Recipes};
use crate::reproduce::request::Request;
use crate::reproduce::runs::config::{Config, Setup};
use crate::reproduce::runs::planned::Planned;
use crate::reproduce::runs::work::Plan;

impl Tuning {
    /// Finds images and weights, and sets the options that the user did not give by the preset.
    pub fn new(table: Table, tuned: &'static Tuned, request: &Request) -> Result<Self, CliError> {
        let protocol = table.protocol();
        let chosen = choose(table, &request.images)?;
        let parts = chosen.parts(&request.images)?;
        let preset = chosen.preset;
        let budget = protocol.budget(preset).unwrap_or(&protocol.full);
        let training = tuned.procedural.filter(|_| preset == Preset::Quick);
        let given = request.weights.as_deref().or(tuned.weights.as_deref());
        let mut models = Vec::new();
        for &name in request.networks_of(protocol, budget) {
            let located = |weights| source::located(protocol, name, weights, request.offline, &environment);
            let weights = given.map(located).transpose();
            let origin =
                match weights.and_then(|weights| source::find(protocol, name, weights.as_deref(), training)) {
                    // A network that the user did not name needs no weights.
                    Err(
                        error @ (CliError::NoWeights { .. } | CliError::Published(PublishedError::NoWeights { .. })),
                    ) if request.models.is_none() => training.map(Origin::Procedural).ok_or(error)?,
                    found => found?,
                };
            models.push((name, origin));
        }
        let seeds = request.seeds.as_ref().unwrap_or(&budget.seeds);
        let usual = Usual {
            epochs: budget.epochs,
            learning_rate: protocol.training.learning_rate,
            batch_size: budget.batch_size,
            images: chosen.usual(),
            limits: chosen.limits(&request.images),
            held_out: protocol.data.held_out,
        };
        let arms = request.arms_of(protocol)?;
        let recipes = Recipes::of(table, preset, request, seeds)?;
        let mut tuning = Self {
            protocol,
            tuned,
            arms,
            first_epochs: request.first_epochs.unwrap_or(budget.first_epochs),
            first_learning_rate: request.first_learning_rate.unwrap_or(tuned.first_learning_rate),
            plan: Plan::new(table, chosen.notes(), recipes.sweep.clone()),
            recipes,
            filter: protocol.filter.map(|kept| request.filter_of(kept)),
            parts,
            models,
            chosen,
            base: None,
        };
        let overrides = tuning.overrides(request, budget.first_epochs, &usual);
        let setup = tuning.chosen.setup(&tuning.parts, &overrides, request)?;
        tuning.list_runs(&setup, seeds)?;
        tuning.check_trained()?;
        Ok(tuning)
    }

    /// The values that differ from the preset's. Options that the table does not use are noted.
    fn overrides(&mut self, request: &Request, first_epochs: u64, usual: &Usual) -> Overrides {
        let rate = |rate: f64| format!("{rate:e}");
        let first_rate = request.first_learning_rate.map(rate);
        let usual_rate = rate(self.tuned.first_learning_rate);
        Overrides::default()
            .with("first-epochs", request.first_epochs, first_epochs, Told::Count("first epochs"))
            .with("first-learning-rate", first_rate, usual_rate, Told::Value("first learning rate"))
            .with_changes(request, self.protocol, &mut self.plan.notes)
            .with_common(request, usual)
    }

    /// Makes sure, before anything is trained, that each network has what its phases train.
    fn check_trained(&self) -> Result<(), CliError> {
        for (model, _) in &self.models {
            let unfilled = || source::build(self.protocol, model, self.chosen.classes, Start::Unfilled);
            let refused = |what: String, error: FreezeError| {
                CliError::Usage(format!("{}: {what} of {model}: {error}", self.protocol.name))
            };
            let mut network = unfilled()?;
            let has_batch_norm = has_batch_norm(network.as_ref()).map_err(|source| failed(model, source))?;
            // Whether the head is a new one is only known when the weights are read.
            freeze(self.tuned.first.of(true, true), network.as_mut(), self.first_epochs)
                .map_err(|error| refused("the first phase".to_owned(), error))?;
            for arm in &self.arms {
                let Some(policy) = arm.policy(has_batch_norm) else { continue };
                let mut network = unfilled()?;
                if arm.activation.text() != Relu::NAME {
                    network = network.swap_activation(arm.activation)?;
                }
                freeze(policy, network.as_mut(), self.recipes.base.epochs)
                    .map_err(|error| refused(format!("arm {}", arm.name), error))?;
            }
        }
        Ok(())
    }

    /// Fills in the runs of the plan, and its notes on the weights.
    fn list_runs(&mut self, setup: &Setup, seeds: &[u64]) -> Result<(), CliError> {
        let settings: Vec<Setting> = self.recipes.settings().cloned().collect();
        let trial_seeds = self.recipes.sweep.as_ref().map_or_else(Vec::new, |sweep| sweep.seeds.clone());
        for (model, origin) in &self.models {
            self.protocol.fitting(registry::find(model)?)?;
            self.plan.notes.push(match origin {
                Origin::File(path) => format!("weights: {model} from {}", path.display()),
                Origin::Procedural(training) => format!(
                    "weights: no pretrained {model} given or found (--weights), so it is trained on {} procedural \
                     images first",
                    training.images
                ),
            });
            let hash = origin.hash()?;
            let (mut trials, mut runs) = (Vec::new(), Vec::new());
            for (seed, is_trial) in
                trial_seeds.iter().map(|seed| (*seed, true)).chain(seeds.iter().map(|seed| (*seed, false)))
            {
                let (first, after) = self.first((model, origin, &hash), seed, setup)?;
                let planned = |arm: &Arm, setting: Option<&Setting>| {
                    let config = Config { trial: setting.map(Setting::to_string), ..of_arm(&first, arm) };
                    self.with_recipe(Planned { config, epochs: 0, after: after.clone() })
                };
                if !is_trial {
                    runs.extend(self.arms.iter().map(|arm| planned(arm, None)).collect::<Result<Vec<_>, _>>()?);
                    continue;
                }
                for setting in &settings {
                    // An arm that is only measured has nothing that a setting could change.
                    let trained = self.arms.iter().filter(|arm| arm.trains != Trains::NOTHING);
                    trials.extend(trained.map(|arm| planned(arm, Some(setting))).collect::<Result<Vec<_>, _>>()?);
                }
            }
            self.plan.trials.extend(trials);
            self.plan.runs.extend(runs);
        }
        let (runs, epochs) = (self.plan.runs.len(), self.recipes.epochs());
        self.plan.notes.push(format!(
            "preset {}: {runs} runs of {epochs} epochs after {} with ReLU, over {} images",
            setup.preset,
            self.first_epochs,
            self.parts.train.len()
        ));
        self.plan.notes.extend(self.recipes.late_changes());
        self.plan.note_trials()
    }

    /// The first phase of a model with a seed, and all trainings that its arms start from, with their epochs.
    fn first(
        &self,
        (model, origin, hash): (&str, &Origin, &str),
        seed: u64,
        setup: &Setup,
    ) -> Result<(Config, Vec<(Config, u64)>), CliError> {
        let bare = Config {
            table: self.plan.table.name().to_owned(),
            model: model.to_owned(),
            arm: FIRST.to_owned(),
            seed,
            activation: None,
            epochs: 0,
            batch_size: 0,
            learning_rate: String::new(),
            first_epochs: Some(self.first_epochs),
            first_learning_rate: Some(format!("{:e}", self.first_learning_rate)),
            pretrained: Some(origin.name()),
            pretrained_sha256: Some(hash.to_owned()),
            trial: None,
            chosen: None,
            swept: None,
            recipe_sha256: None,
            setup: setup.clone(),
            other: BTreeMap::new(),
        };
        let mut first = self.recipes.base.put_into(bare, self.settings(Trains::NOTHING, model)?);
        if let (Origin::Procedural(training), true) = (origin, self.plan.table.is_own()) {
            first.other.insert("pretraining".to_owned(), training.text());
        }
        let mut after = vec![(first.clone(), self.first_epochs)];
        if let Origin::Procedural(training) = origin {
            after.insert(0, (pretraining(&first, training), training.epochs));
        }
        Ok((first, after))
    }

    /// The settings of an arm that trains these parts of a model, where configurations hold them.
    fn settings(&self, trains: Trains, model: &str) -> Result<Option<OfArm>, CliError> {
        let image = self.protocol.image(registry::find(model)?);
        Ok(self.plan.table.is_own().then_some(OfArm { trains, image }))
    }

    /// A run under the recipe of its setting.
    pub(super) fn with_recipe(&self, planned: Planned) -> Result<Planned, CliError> {
        let (recipe, trains) = (self.recipes.of_run(&planned.config)?, self.arm(&planned.config)?.trains);
        let settings = self.settings(trains, &planned.config.model)?;
        let epochs = if trains == Trains::NOTHING { 0 } else { recipe.epochs };
        Ok(Planned { config: self.recipes.marked(recipe.put_into(planned.config, settings)), epochs, ..planned })
    }
}

/// The configuration of an arm after a first phase.
fn of_arm(first: &Config, arm: &Arm) -> Config {
    Config { arm: arm.name.clone(), activation: Some(arm.activation.text().to_owned()), ..first.clone() }
}
