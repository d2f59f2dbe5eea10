//! A protocol: everything that decides the runs of a table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pvlu::activation::Definition;
use pvlu_zoo::data::{Augmentation, Gaussian};
use pvlu_zoo::registry::{ModelEntry, RegistryError, Sides};
use pvlu_zoo::transfer::FreezePolicy;

use super::arm::{Arm, Trains};
use super::preset::Preset;
use super::sweep::Sweep;
use crate::common::data_name::DataName;
use crate::common::training::{Training, augmentation_text};

/// Name of the first phase where a configuration has the name of an arm.
pub const FIRST: &str = "first";
/// Name of the training on procedural images where a configuration has the name of an arm.
pub const PRETRAIN: &str = "pretrain";

/// Key of smoothing, mixing and averages in a configuration, which only trainings with any of them have.
pub const REGULARIZATION: &str = "regularization";

/// A side that small images have: networks with a head for it are built for it.
const SMALL: usize = 32;

/// A table: its images, its networks and arms, and how these are trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Protocol {
    /// Name of the files.
    pub name: String,
    /// Title of the table in files and reports.
    pub title: String,
    /// The values that the networks start from.
    pub start: Start,
    /// The images of all runs.
    pub data: Data,
    /// Random changes of training images, in pixels of a 32x32 image; `None` if they are taken as they are.
    pub augmentation: Option<Augmentation>,
    /// Filter of the images, in training and testing, but for those of a first phase.
    pub filter: Option<Gaussian>,
    /// The whole amount of work.
    pub full: Budget,
    /// A small amount of work, if there is such a preset.
    pub quick: Option<Budget>,
    /// Optimizer, learning rate and schedule.
    pub training: Training,
    /// Name of the arm that the others are compared to.
    pub base: String,
    /// Name of the arm whose comparison is the planned one.
    pub proposed: String,
    /// Arms of the comparison, in the order of the table.
    pub arms: Vec<Arm>,
    /// Values that are tried with every arm before its runs, if there are any.
    pub sweep: Option<Sweep>,
    /// The values by the keys that lead to them, in the order of the file.
    pub values: Vec<Marked>,
}

/// A value of a protocol as text, and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// The keys that lead to the value, separated by dots.
    pub key: String,
    /// The value as it is shown.
    pub value: String,
    /// True if it is the paper's; false if it was chosen.
    pub of_paper: bool,
}

/// The values that networks start from.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// Drawn ones: every arm trains a network of its own.
    Scratch,
    /// Pretrained ones, tuned with ReLU before the arms part.
    Pretrained(Pretrained),
}

/// The origin of pretrained networks, and what is trained of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Pretrained {
    /// True if the trunk comes from another data set, and the head is drawn anew.
    pub transfer: bool,
    /// Folder of weights, a file of them, or published weights by their name.
    pub weights: Option<PathBuf>,
    /// The training that stands in for weights that are not given, under the quick preset.
    pub procedural: Option<Pretraining>,
    /// The parts that the first phase trains with ReLU.
    pub first: Trains,
    /// The parts that an arm trains, if it does not say otherwise.
    pub arms: Trains,
    /// Learning rate at the start of the first phase.
    pub first_learning_rate: f64,
}

/// A training on procedural images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pretraining {
    /// Number of images to train on.
    pub images: usize,
    /// Passes over the images.
    pub epochs: u64,
    /// Images in a step.
    pub batch_size: usize,
    /// Adam's learning rate at the start, which falls to zero over a half cosine.
    pub learning_rate: f64,
    /// Seed of the images.
    pub seed: u64,
}

impl Pretraining {
    /// The training in one line, as a configuration holds it.
    pub fn text(&self) -> String {
        let Self { images, epochs, batch_size, learning_rate, seed } = self;
        format!("images={images} epochs={epochs} batch_size={batch_size} learning_rate={learning_rate:e} seed={seed}")
    }
}

/// The images of a protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// The kind of set.
    pub set: DataName,
    /// Path of the images; `None` for the usual places.
    pub path: Option<PathBuf>,
    /// Share of the training images of each class that is held out and picks the epoch.
    pub held_out: f64,
    /// Side of the networks' images; `None` for the one that goes with network and set.
    pub side: Option<usize>,
    /// The images that are drawn where the set is not given; `None` if that is an error.
    pub procedural: Option<Procedural>,
}

/// Procedural images in place of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Procedural {
    /// Seed of the images, the same for all runs.
    pub seed: u64,
    /// Classes under the quick preset.
    pub quick_classes: usize,
}

/// An amount of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Names of the networks.
    pub networks: Vec<&'static str>,
    /// Seeds, each of which is a run of every network and arm.
    pub seeds: Vec<u64>,
    /// Epochs with ReLU before the arms part; 0 from scratch.
    pub first_epochs: u64,
    /// Epochs; of pretrained networks in each arm.
    pub epochs: u64,
    /// Images in a step.
    pub batch_size: usize,
    /// Number of training images, held-out ones included; `None` for all.
    pub train_images: Option<usize>,
    /// Number of test images; `None` for all.
    pub test_images: Option<usize>,
}

impl Protocol {
    /// The amount of work of a preset; `None` if the protocol has no such preset.
    pub fn budget(&self, preset: Preset) -> Option<&Budget> {
        preset.pick(self.quick.as_ref(), Some(&self.full))
    }

    /// Origin and training of the pretrained networks, if they are pretrained.
    pub fn pretrained(&self) -> Option<&Pretrained> {
        match &self.start {
            Start::Scratch => None,
            Start::Pretrained(pretrained) => Some(pretrained),
        }
    }

    /// The arm that a text asks for: one of the protocol's, by its name, or the activation that it is.
    pub fn arm(&self, text: &str, activation: Option<&'static Definition>) -> Option<Arm> {
        let is_formula_of = |arm: &Arm| {
            let of_name = |given: &&Definition| given.program().is_some() && given.name() == arm.name;
            activation.filter(of_name).is_some_and(|given| given.text() == arm.activation.text())
        };
        let own = self.arms.iter().find(|arm| arm.name == text || is_formula_of(arm)).cloned();
        own.or_else(|| Some(Arm::of(activation?, self.trains())))
    }

    /// The parts that an arm trains if it does not say otherwise: all of them from scratch.
    pub fn trains(&self) -> Trains {
        let all = Trains { policy: FreezePolicy::ALL, ..Trains::NOTHING };
        self.pretrained().map_or(all, |pretrained| pretrained.arms)
    }

    /// Height and width of the images of a network.
    pub fn image(&self, entry: &ModelEntry) -> (usize, usize) {
        let small = || self.data.set.known().filter(|_| entry.sides().of_heads().contains(&SMALL)).map(|_| SMALL);
        self.data.side.or_else(small).map_or(entry.image(), |side| (side, side))
    }

    /// As [`image`](Self::image), if the network takes images of that size.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Image`] if it does not.
    pub fn fitting(&self, entry: &ModelEntry) -> Result<(usize, usize), RegistryError> {
        let (height, width) = self.image(entry);
        let takes = entry.sides();
        let fits = match takes {
            Sides::Any { least, .. } => height.min(width) >= least,
            Sides::Square(sides) => height == width && sides.contains(&height),
        };
        if fits { Ok((height, width)) } else { Err(RegistryError::Image { model: entry.name, height, width, takes }) }
    }

    /// The source of the value of a key, or of the section that it is.
    pub fn is_of_paper(&self, key: &str) -> bool {
        let within = |marked: &&Marked| {
            marked.key.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let mut within = self.values.iter().filter(within).peekable();
        within.peek().is_some() && within.all(|marked| marked.of_paper)
    }

    /// The settings of an arm's training that decide its numbers and that the configurations of the paper's tables do
    /// not hold, as texts by key.
    pub fn settings(&self, trains: Trains, image: (usize, usize)) -> BTreeMap<String, String> {
        let augmentation = self.augmentation.unwrap_or(Augmentation::NONE);
        let filter = self.filter.map(|filter| format!("sigma={:e} radius={}", filter.sigma, filter.radius));
        let mut settings = vec![
            ("optimizer", self.training.optimizer_text()),
            ("schedule", self.training.schedule_text()),
            ("augmentation", augmentation_text(augmentation)),
            ("filter", filter.unwrap_or_else(|| "none".to_owned())),
            ("image", format!("{}x{}", image.0, image.1)),
        ];
        settings.extend(self.training.regularization_text().map(|text| (REGULARIZATION, text)));
        if let Some(pretrained) = self.pretrained() {
            settings.push(("transfer", pretrained.transfer.to_string()));
            settings.push(("first_trains", pretrained.first.to_string()));
            settings.push(("trains", trains.to_string()));
        }
        settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// True if two protocols decide the same, whatever the sources of their values are said to be.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let bare = |of: &Self| Self { values: Vec::new(), ..of.clone() };
        bare(self) == bare(other)
    }
}
