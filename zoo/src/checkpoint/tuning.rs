//! The record in a tuned file of its tuning: how it was trained, and what was frozen meanwhile.
//!
//! Both are JSON, of which a reader passes over the fields that it does not know, so that files of later versions go on
//! being read.

use std::str::FromStr;

use pvlu::layer::{ParamKind, Part};
use serde::{Deserialize, Serialize};

use crate::text::message;
use crate::transfer::{Group, kind_name};

/// Most bytes of a record that is read. One of a tuning in two phases takes about 600.
#[doc(hidden)]
pub const MAX_TUNING: usize = 1 << 16;

/// The way in which a network was tuned, in the metadata of its file. A field that a file does not have is `None` or
/// empty: the program that wrote it did not know it.
///
/// ```
/// use pvlu_zoo::checkpoint::Tuning;
///
/// let tuning = Tuning { optimizer: Some("adam".into()), seed: Some(7), ..Tuning::default() };
/// assert_eq!(tuning.to_json(), r#"{"optimizer":"adam","seed":7}"#);
/// assert_eq!(r#"{"optimizer":"adam","seed":7,"of a later version":[]}"#.parse::<Tuning>()?, tuning);
/// # Ok::<(), pvlu_zoo::checkpoint::TuningError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tuning {
    /// Version of the program that tuned the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `scratch` for a network whose weights were drawn anew; `None` where they came from a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Number of tunings before this one, of which nothing else is kept here.
    #[serde(skip_serializing_if = "is_zero")]
    pub earlier: u64,
    /// Activation that the network had before: another one than now where it was swapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_before: Option<String>,
    /// Loss that was minimized: `cross_entropy`, the mean over a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<String>,
    /// Optimizer: `sgd`, `adam`, or `adamw`, whose weight decay is decoupled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<String>,
    /// Shares of Adam's two moments that a step keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub betas: Option<[f64; 2]>,
    /// Number that Adam adds to the root of the second moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,
    /// Share of the last velocity that a step of SGD keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// True if the momentum is Nesterov's.
    #[serde(skip_serializing_if = "is_false")]
    pub nesterov: bool,
    /// Weight decay, of the weights of convolutions and linear layers alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Schedule of the learning rates within a phase: `constant`, `step`, `cosine` or `one-cycle`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Epochs after which the schedule `step` changed the learning rate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub milestones: Vec<f64>,
    /// Factor by which each change of the schedule `step` multiplied the learning rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// Epochs in which the learning rate rose before the schedule began.
    #[serde(skip_serializing_if = "is_zero")]
    pub warm_up: u64,
    /// Learning rate of the head as a multiple of that of the trunk, where it was another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_rate: Option<f64>,
    /// Share of label smoothing of the loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<f64>,
    /// Parameter of the beta distribution of mixup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixup: Option<f64>,
    /// Share of the moving average that each step kept, where the network is such an average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average: Option<f64>,
    /// Number of images in a step; the last one of an epoch may have fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u64>,
    /// Shards that each step was cut into, whose number goes into the results; `None` if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<u64>,
    /// Random changes of the training images; `None` if they were taken as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augmentation: Option<Augmented>,
    /// Seed of the order of images, of augmentation and of a new head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Number of images in an epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<u64>,
    /// Number of images that were held out to select an epoch by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out_images: Option<u64>,
    /// Number of images by which the accuracies were measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_images: Option<u64>,
    /// Precision of the factors of convolutions and linear layers: `bf16x3` or `bf16`; `None` for `f32`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// The phases that were begun, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<TuningPhase>,
    /// The network that was kept: the last one, or the best one of a tuning that ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptNetwork>,
    /// Share of the test images that were classified right before the last phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top1_before: Option<f64>,
    /// Share of the test images that the network in the file classifies right. A tuning that ended early did not
    /// measure it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top1: Option<f64>,
}

/// Random changes of training images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Augmented {
    /// True if half of the images were mirrored, left to right.
    pub flip: bool,
    /// Most pixels by which an image was shifted along each axis.
    pub shift: u64,
    /// Side in pixels of the square that was cut out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cutout: Option<u64>,
    /// Least share of the area of the part that was taken of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<f64>,
    /// Most that a factor of brightness, contrast and saturation was from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<f64>,
}

/// One phase of a tuning, in which the same parts are trained throughout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuningPhase {
    /// Parts that were trained, by the names that `--train` has for them.
    pub train: Vec<String>,
    /// Passes over the training images that were asked for.
    pub epochs: u64,
    /// Learning rate of all parameters that were trained, before the schedule's factor.
    pub learning_rate: f64,
}

/// The network that a tuning kept, by when it was reached.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptNetwork {
    /// Index of the phase among the phases of the tuning, from 0 on.
    pub phase: u64,
    /// Number of epochs of that phase after which it was reached: 0 within the first one.
    pub epoch: u64,
    /// Mean training loss that is known of it: that of the epoch, or of the steps after it. `None` if it was not
    /// measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training_loss: Option<f64>,
}

impl Tuning {
    /// The record as one JSON object. Numbers that are not finite are left out.
    #[must_use]
    pub fn to_json(&self) -> String {
        json(self)
    }
}

impl FromStr for Tuning {
    type Err = TuningError;

    fn from_str(text: &str) -> Result<Self, TuningError> {
        // An array would be read as the fields in their order.
        match text.trim_ascii_start().strip_prefix('[') {
            Some(_) => Err(TuningError::Json { found: "an array".to_owned() }),
            None => parsed(text),
        }
    }
}

/// The state of a group of tensors during a tuning: all of one kind in one part of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunedGroup {
    /// Part of the network, `trunk` or `head`; `None` in a network without parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Kind of the tensors, as `weight` or `running mean`.
    pub kind: String,
    /// Effect that the tuning had on them.
    pub state: TunedState,
    /// Number of the tensors.
    pub tensors: u64,
    /// Number of elements of all of them.
    pub elements: u64,
}

/// The effect of a tuning on a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TunedState {
    /// The tensor stayed as it was.
    Frozen,
    /// The tensor was changed without a gradient, as running statistics are.
    Updated,
    /// The tensor was trained by the optimizer.
    Trained,
}

impl TunedState {
    /// Name of the state, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::Updated => "updated",
            Self::Trained => "trained",
        }
    }

    fn of(group: &Group) -> Self {
        match (group.trained, group.updated) {
            (true, _) => Self::Trained,
            (_, true) => Self::Updated,
            _ => Self::Frozen,
        }
    }
}

/// The tensors that a tuning trained and those that it left frozen, by groups, in the metadata of its file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrozenState(pub Vec<TunedGroup>);

impl FrozenState {
    /// The state of a network after some phases, given its groups and those that it had in each of them. A group is
    /// frozen if it was so in all phases.
    #[must_use]
    pub fn of(groups: &[Group], phases: &[Vec<Group>]) -> Self {
        let state = |group: &Group| {
            let same = phases.iter().flatten().filter(|other| (other.part, other.kind) == (group.part, group.kind));
            same.map(TunedState::of).max().unwrap_or(TunedState::Frozen)
        };
        let tuned = groups.iter().map(|group| TunedGroup {
            part: group.part.map(|part| part.name().to_owned()),
            kind: kind_name(group.kind).to_owned(),
            state: state(group),
            tensors: group.tensors as u64,
            elements: group.elements as u64,
        });
        Self(tuned.collect())
    }

    /// State of the tensors of a kind in a part; `None` if the record does not have them.
    #[must_use]
    pub fn state(&self, part: Option<Part>, kind: ParamKind) -> Option<TunedState> {
        let is_it =
            |group: &&TunedGroup| group.part.as_deref() == part.map(Part::name) && group.kind == kind_name(kind);
        self.0.iter().find(is_it).map(|group| group.state)
    }

    /// The record as a JSON array.
    #[must_use]
    pub fn to_json(&self) -> String {
        json(self)
    }
}

impl FromStr for FrozenState {
    type Err = TuningError;

    fn from_str(text: &str) -> Result<Self, TuningError> {
        parsed(text)
    }
}

/// A record of a tuning that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TuningError {
    /// The text is longer than any record.
    #[error("expected at most {MAX_TUNING} bytes, found {found}")]
    Long {
        /// Number of bytes of the text.
        found: usize,
    },
    /// The text is not JSON, or its fields have other types.
    #[error("expected what a tuning writes as JSON, found another text: {}", message(found))]
    Json {
        /// The fault, with its place in the text.
        found: String,
    },
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Text and numbers always have a JSON; a number that is not finite is `null`.
fn json(record: &impl Serialize) -> String {
    serde_json::to_string(record).unwrap_or_default()
}

fn parsed<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, TuningError> {
    if text.len() > MAX_TUNING {
        return Err(TuningError::Long { found: text.len() });
    }
    serde_json::from_str(text).map_err(|error| TuningError::Json { found: error.to_string() })
}

#[cfg(test)]
mod tests;
