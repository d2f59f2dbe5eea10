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
    /// Weight decay, of the weights of convolutions and linear layers alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Schedule of the learning rates within a phase: `constant` or `cosine`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Number of images in a step; the last one of an epoch may have fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u64>,
    /// Random changes of the training images; `None` if they were taken as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augmentation: Option<Augmented>,
    /// Seed of the order of images, of augmentation and of a new head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Number of images in an epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<u64>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Augmented {
    /// True if half of the images were mirrored, left to right.
    pub flip: bool,
    /// Most pixels by which an image was shifted along each axis.
    pub shift: u64,
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
mod tests {
    use super::*;
    use crate::registry::build;
    use crate::transfer::{FreezePolicy, groups};

    fn full() -> Tuning {
        let phase = |part: &str, epochs| TuningPhase { train: vec![part.into()], epochs, learning_rate: 1e-3 };
        Tuning {
            version: Some("0.1.0".into()),
            earlier: 2,
            activation_before: Some("relu".into()),
            loss: Some("cross_entropy".into()),
            optimizer: Some("adamw".into()),
            betas: Some([0.9, 0.999]),
            epsilon: Some(1e-8),
            weight_decay: Some(0.01),
            schedule: Some("cosine".into()),
            batch_size: Some(128),
            augmentation: Some(Augmented { flip: true, shift: 4 }),
            seed: Some(u64::MAX),
            train_images: Some(5000),
            test_images: Some(10_000),
            precision: Some("bf16".into()),
            phases: vec![phase("head", 10), phase("activations", 3)],
            kept: Some(KeptNetwork { phase: 1, epoch: 3, training_loss: Some(0.625) }),
            top1_before: Some(0.5),
            top1: Some(0.75),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_with_fields_of_another_version() {
        let tuning = full();
        assert_eq!(tuning.to_json().parse::<Tuning>().unwrap(), tuning);
        let mut other: serde_json::Value = serde_json::from_str(&tuning.to_json()).unwrap();
        other["of a later version"] = serde_json::json!([{ "a": null }]);
        other["kept"]["more"] = 1.into();
        assert_eq!(other.to_string().parse::<Tuning>().unwrap(), tuning);
        assert_eq!("{}".parse::<Tuning>().unwrap(), Tuning::default());
        // JSON has no infinity.
        let kept = KeptNetwork { phase: 0, epoch: 0, training_loss: Some(f64::INFINITY) };
        let infinite = Tuning { kept: Some(kept), ..Tuning::default() };
        assert_eq!(infinite.to_json().parse::<Tuning>().unwrap().kept.unwrap().training_loss, None);
    }

    #[test]
    fn a_text_that_no_tuning_wrote_is_an_error_that_says_so() {
        let (deep, long) = ("[".repeat(50_000), format!("{{}}{}", " ".repeat(MAX_TUNING)));
        for (wrong, words) in [
            ("", "EOF"),
            ("[]", "an array"),
            ("1", "invalid type"),
            (r#"{"seed":-1}"#, "invalid value"),
            (r#"{"phases":[{}]}"#, "missing field"),
            (r#"{"betas":[0.9]}"#, "invalid length"),
            (r#"{"top1":"\u001b[2J"}"#, "invalid type"),
            (r#"{"top1":1e999}"#, "out of range"),
            // A field that is not known is passed over without a stack.
            (&format!(r#"{{"x":{deep}"#), "EOF"),
            (&long, "at most 65536 bytes"),
        ] {
            let error = wrong.parse::<Tuning>().unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains(char::is_control), "{error}");
        }
        for wrong in ["{}", "[{}]", r#"[{"kind":"weight","state":"melted","tensors":1,"elements":1}]"#] {
            wrong.parse::<FrozenState>().unwrap_err();
        }
    }

    #[test]
    fn what_was_trained_in_any_phase_is_not_frozen() {
        let mut model = build("cifar_resnet20", "pvlu", 10, 0).unwrap();
        let mut phases = Vec::new();
        for policy in [FreezePolicy::HEAD, FreezePolicy { batch_norm_statistics: true, ..FreezePolicy::ACTIVATIONS }] {
            policy.apply(model.net_mut());
            phases.push(groups(model.net()).unwrap());
        }
        FreezePolicy::ALL.apply(model.net_mut());
        let all = groups(model.net()).unwrap();
        let state = FrozenState::of(&all, &phases);
        let (trunk, head) = (Some(Part::Trunk), Some(Part::Head));
        for (part, kind, expected) in [
            (trunk, ParamKind::Weight, TunedState::Frozen),
            (trunk, ParamKind::Activation, TunedState::Trained),
            (trunk, ParamKind::RunningMean, TunedState::Updated),
            (head, ParamKind::Weight, TunedState::Trained),
        ] {
            assert_eq!(state.state(part, kind), Some(expected), "{part:?} {kind:?}");
        }
        assert_eq!(state.state(None, ParamKind::Weight), None);
        assert_eq!(state.to_json().parse::<FrozenState>().unwrap(), state);
        // Of the first phase alone, and of none.
        let of_head = FrozenState::of(&all, &phases[..1]);
        assert_eq!(of_head.state(trunk, ParamKind::Activation), Some(TunedState::Frozen));
        assert!(FrozenState::of(&all, &[]).0.iter().all(|group| group.state == TunedState::Frozen));
    }
}
