//! The training of an arm, and of each trial of a sweep: the values of a protocol, with those of the user in their
//! place.

use pvlu_zoo::data::Augmentation;
use pvlu_zoo::train::FitConfig;

use crate::common::digest;
use crate::common::error::CliError;
use crate::common::training::{Training, augmentation_text};
use crate::reproduce::protocol::arm::Trains;
use crate::reproduce::protocol::definition::{Budget, Protocol, REGULARIZATION};
use crate::reproduce::protocol::paper::Table;
use crate::reproduce::protocol::preset::Preset;
use crate::reproduce::protocol::read;
use crate::reproduce::protocol::sweep::{Setting, Sweep};
use crate::reproduce::request::Request;
use crate::reproduce::runs::config::Config;

/// The values of a training that a sweep can change.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The protocol that the recipe is of, under whose settings it is kept.
    protocol: Protocol,
    /// Passes over the training images; of pretrained networks in each arm.
    pub epochs: u64,
    /// Images in a training step.
    pub batch_size: usize,
    /// Learning rate before the schedule's factor.
    pub learning_rate: f64,
    /// Random changes of training images, in pixels of a 32x32 image.
    pub augmentation: Augmentation,
}

/// Settings of an arm beside its recipe, which configurations of tables hold that are not the paper's.
#[derive(Clone, Copy, Debug)]
pub struct OfArm {
    /// The parts of a network that the arm trains.
    pub trains: Trains,
    /// Height and width of its images.
    pub image: (usize, usize),
}

impl Recipe {
    /// The recipe of a protocol under a preset, with another shift of the images if one is given.
    fn of(protocol: &Protocol, preset: Preset, request: &Request, shift: Option<usize>) -> Self {
        let budget = budget_of(protocol, preset);
        let training = Training { shards: request.shards.unwrap_or(1), ..protocol.training.clone() };
        Self {
            epochs: request.epochs.unwrap_or(budget.epochs),
            batch_size: request.batch_size.unwrap_or(budget.batch_size),
            learning_rate: request.learning_rate.unwrap_or(protocol.training.learning_rate),
            augmentation: augmentation(protocol, shift, request.cutout),
            protocol: Protocol { training, ..protocol.clone() },
        }
    }

    /// The settings of a training of some epochs from a learning rate, which are those of an arm or of a first phase.
    pub fn fit(&self, epochs: u64, learning_rate: f64, seed: u64) -> FitConfig {
        self.protocol.training.fit(epochs, learning_rate, seed)
    }

    /// Refuses a warm-up that is longer than one of these phases, as options can make it: each is named by the option
    /// that gives its epochs.
    fn check_warm_up(&self, phases: &[(&str, u64)]) -> Result<(), String> {
        let warm_up = self.protocol.training.warm_up;
        match phases.iter().find(|(_, epochs)| *epochs > 0 && warm_up > *epochs) {
            Some((option, epochs)) => {
                let expected = format!("expected at most {epochs}, the epochs of {option}");
                Err(format!("schedule.warm_up: {expected}, found {warm_up}: raise {option}"))
            }
            None => Ok(()),
        }
    }

    /// SHA-256 of all values of the recipe, in hexadecimal.
    fn digest(&self) -> String {
        let Self { protocol, epochs, batch_size, learning_rate, augmentation } = self;
        let (optimizer, schedule) = (protocol.training.optimizer_text(), protocol.training.schedule_text());
        let regularization = protocol.training.regularization_text().unwrap_or_default();
        let augmentation = augmentation_text(*augmentation);
        digest::of_bytes(format!(
            "{epochs} {batch_size} {learning_rate:e} {optimizer}; {schedule}; {regularization}; {augmentation}"
        ))
    }

    /// The configuration of a run under this recipe, with all settings of its arm if they are given.
    pub fn put_into(&self, config: Config, arm: Option<OfArm>) -> Config {
        let mut other = config.other;
        if let Some(OfArm { trains, image }) = arm {
            // Not every training has one.
            other.remove(REGULARIZATION);
            other.extend(self.protocol.settings(trains, image));
        }
        Config {
            epochs: self.epochs,
            batch_size: self.batch_size,
            learning_rate: format!("{:e}", self.learning_rate),
            other,
            ..config
        }
    }
}

/// The amount of work of a preset.
fn budget_of(protocol: &Protocol, preset: Preset) -> &Budget {
    protocol.budget(preset).unwrap_or(&protocol.full)
}

/// The augmentation of a protocol's training images.
fn augmentation(protocol: &Protocol, shift: Option<usize>, cutout: Option<usize>) -> Augmentation {
    let Some(kept) = protocol.augmentation else { return Augmentation::NONE };
    let cutout = kept.cutout.map(|side| cutout.unwrap_or(side)).filter(|side| *side > 0);
    Augmentation { shift: shift.unwrap_or(kept.shift), cutout, ..kept }
}

/// The recipe of a table and those of its sweep.
#[derive(Clone, Debug)]
pub struct Recipes {
    /// The recipe of a first phase, and of all arms without a sweep.
    pub base: Recipe,
    /// The sweep, if there is one.
    pub sweep: Option<Sweep>,
    /// The settings that are tried, each with its recipe.
    tried: Vec<(Setting, Recipe)>,
    late_changes: Vec<String>,
}

impl Recipes {
    /// The recipes of a table. `seeds` are those of its runs.
    ///
    /// # Errors
    ///
    /// A sweep whose seeds are those of runs, whose values an option replaces, or whose values do not go together.
    pub fn of(table: Table, preset: Preset, request: &Request, seeds: &[u64]) -> Result<Self, CliError> {
        let protocol = table.protocol();
        // A table whose images are not changed does not use the option, also where a sweep changes them.
        let shift = request.shift.filter(|_| protocol.augmentation.is_some());
        let base = Recipe::of(protocol, preset, request, shift);
        let refused = |what: String| CliError::Usage(format!("sweep: {what}"));
        let first = request.first_epochs.unwrap_or(budget_of(protocol, preset).first_epochs);
        let first = ("--first-epochs", if protocol.pretrained().is_some() { first } else { 0 });
        let of_runs = ("--epochs", base.epochs);
        // A quick preset is a short training and need not say so, nor a first phase that the protocol has.
        let told = [
            Some(of_runs).filter(|_| preset != Preset::Quick || request.epochs.is_some()),
            Some(first).filter(|_| request.first_epochs.is_some()),
        ];
        let late_changes = base.protocol.training.late_changes(&told.into_iter().flatten().collect::<Vec<_>>());
        let Some(sweep) = request.sweep_of(protocol).map_err(refused)? else {
            base.check_warm_up(&[of_runs, first]).map_err(CliError::Usage)?;
            return Ok(Self { base, sweep: None, tried: Vec::new(), late_changes });
        };
        // The first phase has the values of the protocol, and the runs those of a trial.
        base.check_warm_up(&[first]).map_err(CliError::Usage)?;
        if let Some(seed) = sweep.seeds.iter().find(|seed| seeds.contains(seed)) {
            return Err(refused(format!(
                "seed {seed} is one of the runs, whose settings its trials would choose: --sweep-seeds takes others"
            )));
        }
        let settings = sweep.settings();
        let budget = if preset == Preset::Quick && protocol.quick.is_some() { "quick" } else { "full" };
        let mut tried = Vec::new();
        for setting in settings {
            if let Some(option) = request.replaced().into_iter().find(|key| setting.value(key).is_some()) {
                let name = option.replace('_', "-");
                return Err(refused(format!("{option} is swept, and given by --{name}: leave one of them out")));
            }
            let varied = read::varied(table.text(), &setting.toml(budget));
            let varied = varied.map_err(|error| refused(format!("{setting}: {}", error.what)))?;
            let recipe = Recipe::of(&varied, preset, request, shift);
            let own = [("--epochs", recipe.epochs)];
            recipe.check_warm_up(&own).map_err(|error| refused(format!("{setting}: {error}")))?;
            tried.push((setting, recipe));
        }
        Ok(Self { base, sweep: Some(sweep), tried, late_changes })
    }

    /// The epochs of the runs, in words: those of the base, unless they are swept.
    pub fn epochs(&self) -> String {
        let are_swept = self.settings().any(|setting| setting.value("epochs").is_some());
        if are_swept { "the chosen".to_owned() } else { self.base.epochs.to_string() }
    }

    /// Lines for the user where epochs end before changes of the learning rate, unless these values are swept.
    pub fn late_changes(&self) -> Vec<String> {
        let are_swept = |key| self.settings().any(|setting| setting.value(key).is_some());
        if are_swept("epochs") || are_swept("schedule") { Vec::new() } else { self.late_changes.clone() }
    }

    /// The settings of the sweep, in its order.
    pub fn settings(&self) -> impl Iterator<Item = &Setting> {
        self.tried.iter().map(|(setting, _)| setting)
    }

    /// The configuration of a trial or run with what is known of the sweep before anything is chosen.
    pub fn marked(&self, config: Config) -> Config {
        let Some(sweep) = &self.sweep else { return config };
        let swept = config.trial.is_none().then(|| sweep.to_string());
        Config { swept, recipe_sha256: Some(self.base.digest()), ..config }
    }

    /// The recipe of a run or trial: that of its setting, or the base.
    pub fn of_run(&self, config: &Config) -> Result<&Recipe, CliError> {
        let Some(text) = config.trial.as_ref().or(config.chosen.as_ref()) else { return Ok(&self.base) };
        let found = self.tried.iter().find(|(setting, _)| setting.to_string() == *text).map(|(_, recipe)| recipe);
        found.ok_or_else(|| CliError::Usage(format!("{}: no such setting is tried", config.id())))
    }
}
