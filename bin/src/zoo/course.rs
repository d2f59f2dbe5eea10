//! The course of a tuning, as its file tells it afterwards.

use pvlu_zoo::checkpoint::{Augmented, Description, FrozenState, KeptNetwork, Tuning, TuningPhase};
use pvlu_zoo::data::Augmentation;
use pvlu_zoo::model::Model;
use pvlu_zoo::train::{FitConfig, OptimizerConfig, Schedule};
use pvlu_zoo::transfer::{FreezePolicy, Group, groups};

use super::settings::Settings;
use crate::common::parts::names;
use crate::common::shards;

/// The phases of a tuning so far, and what it was given.
#[derive(Clone)]
pub struct Course {
    tuning: Tuning,
    /// Groups of tensors in each phase, with the state that they had in it.
    phases: Vec<Vec<Group>>,
}

/// Texts of the record of a tuning, for the metadata of a file.
pub struct Texts {
    /// The way in which the network was tuned, as a [`Tuning`].
    pub tuning: String,
    /// Tensors that were trained and frozen, as a [`FrozenState`].
    pub frozen: String,
}

impl Course {
    /// The course before the first phase, of a file with this description and network, given the numbers of images to
    /// train on, held out and to test on.
    pub fn new(settings: &Settings, said: &Description, model: &dyn Model, images: [usize; 3]) -> Self {
        let [train, held_out, test] = images.map(|count| Some(count as u64));
        // A tuned file of an earlier version says only that there was a tuning.
        let earlier = match &said.tuning {
            Some(text) => text.parse().map_or(0, |tuning: Tuning| tuning.earlier).saturating_add(1),
            None => u64::from(said.trained_on.is_some()),
        };
        let tuning = Tuning {
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            earlier,
            activation_before: model.activation().map(str::to_owned),
            loss: Some("cross_entropy".to_owned()),
            batch_size: Some(settings.batch_size as u64),
            seed: Some(settings.seed),
            train_images: train,
            held_out_images: held_out.filter(|count| *count > 0),
            test_images: test,
            precision: settings.precision.is_reduced().then(|| settings.precision.name().to_owned()),
            ..Tuning::default()
        };
        Self { tuning, phases: Vec::new() }
    }

    /// Adds a phase that trains the parts of a policy, to which the network with these groups was frozen.
    pub fn begin(&mut self, policy: FreezePolicy, config: &FitConfig, changed: Augmentation, groups: Vec<Group>) {
        describe(&mut self.tuning, policy, config, changed);
        self.phases.push(groups);
    }

    /// Takes in the test accuracy before the last phase, and none after it yet.
    pub fn measured_before(&mut self, top1: f64) {
        (self.tuning.top1_before, self.tuning.top1) = (Some(top1), None);
    }

    /// Takes in the test accuracy of the network that all phases reached.
    pub fn measured_after(&mut self, top1: f64) {
        self.tuning.top1 = Some(top1);
    }

    /// Index of the phase that was begun last.
    pub fn phase(&self) -> u64 {
        self.phases.len().saturating_sub(1) as u64
    }

    /// The texts for the file of a network that the tuning reached; `None` if there was no phase.
    pub fn texts(&self, model: &dyn Model, kept: Option<KeptNetwork>) -> Result<Option<Texts>, pvlu::Error> {
        if self.phases.is_empty() {
            return Ok(None);
        }
        // Phases after that of the network that was kept did nothing to it.
        let phases = kept.map_or(self.phases.len(), |kept| (kept.phase as usize + 1).min(self.phases.len()));
        let frozen = FrozenState::of(&groups(model.net())?, &self.phases[..phases]).to_json();
        Ok(Some(Texts { tuning: Tuning { kept, ..self.tuning.clone() }.to_json(), frozen }))
    }
}

/// Adds a phase that trains the parts of a policy to a record, and the settings of its training.
pub fn describe(tuning: &mut Tuning, policy: FreezePolicy, config: &FitConfig, changed: Augmentation) {
    let FitConfig { epochs, optimizer, learning_rate, schedule, warm_up, head_rate, .. } = config;
    match *optimizer {
        OptimizerConfig::Sgd { momentum, nesterov, weight_decay } => {
            (tuning.optimizer, tuning.weight_decay) = (Some("sgd".to_owned()), Some(weight_decay));
            (tuning.momentum, tuning.nesterov) = (Some(momentum), nesterov);
        }
        OptimizerConfig::Adam { beta1, beta2, epsilon, weight_decay, decoupled } => {
            let name = if decoupled { "adamw" } else { "adam" };
            (tuning.optimizer, tuning.weight_decay) = (Some(name.to_owned()), Some(weight_decay));
            (tuning.betas, tuning.epsilon) = (Some([beta1, beta2]), Some(epsilon));
        }
    }
    let name = match schedule {
        Schedule::Constant => "constant",
        Schedule::Step { every, factor } => {
            (tuning.milestones, tuning.factor) = (vec![*every as f64], Some(*factor));
            "step"
        }
        Schedule::Milestones { epochs, factor } => {
            (tuning.milestones, tuning.factor) = (epochs.clone(), Some(*factor));
            "step"
        }
        Schedule::Cosine => "cosine",
        Schedule::OneCycle => "one-cycle",
    };
    (tuning.schedule, tuning.warm_up) = (Some(name.to_owned()), *warm_up);
    tuning.head_rate = Some(*head_rate).filter(|rate| *rate != 1.0);
    tuning.label_smoothing = Some(config.label_smoothing).filter(|share| *share > 0.0);
    tuning.shards = shards::kept(config.shards);
    (tuning.mixup, tuning.average) = (config.mixup.map(|mixup| mixup.alpha), config.average);
    let Augmentation { flip, shift, cutout, part, jitter } = changed;
    let changes = Augmented { flip, shift: shift as u64, cutout: cutout.map(|side| side as u64), part, jitter };
    tuning.augmentation = (changed != Augmentation::NONE).then_some(changes);
    tuning.phases.push(TuningPhase { train: names(policy), epochs: *epochs, learning_rate: *learning_rate });
}
