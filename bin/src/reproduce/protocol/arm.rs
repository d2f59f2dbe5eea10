//! Arms of a comparison, and the parts of a network that a phase trains.

use std::fmt;

use pvlu::activation::Definition;
use pvlu_zoo::transfer::FreezePolicy;

use crate::common::parts::names;

/// The word for batch norm's scale and shift, or biases where there is none.
pub const AFFINE: &str = "affine";
/// The word for the head where it was drawn anew.
pub const NEW_HEAD: &str = "new-head";

/// The parts of a network that a phase trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trains {
    /// Parts that are trained in every network.
    pub policy: FreezePolicy,
    /// True if batch norm's scale and shift are trained too, or, in a network without, the biases of the convolutions.
    pub affine: bool,
    /// True if the head is trained too where it was drawn anew.
    pub new_head: bool,
}

impl Trains {
    /// No part at all: the network is only measured.
    pub const NOTHING: Self = Self { policy: FreezePolicy::NONE, affine: false, new_head: false };

    /// The parts of a network that has batch norm or has none, and whose head was drawn anew or was not.
    pub fn of(&self, has_batch_norm: bool, fresh_head: bool) -> FreezePolicy {
        let Self { policy, affine, new_head } = *self;
        FreezePolicy {
            batch_norm_affine: policy.batch_norm_affine || affine,
            biases: policy.biases || (affine && !has_batch_norm),
            head: policy.head || (new_head && fresh_head),
            ..policy
        }
    }
}

/// One arm of a comparison.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Name of the arm in files and options.
    pub name: String,
    /// The activation of the arm.
    pub activation: &'static Definition,
    /// The parts that the arm trains, of a network that was tuned with ReLU; one from scratch is trained whole.
    pub trains: Trains,
}

impl Arm {
    /// The arm of an activation, by its name, in a comparison whose arms train these parts. Where they are the
    /// activations alone, an activation without trained parameters is only measured, as ReLU is.
    pub fn of(activation: &'static Definition, trains: Trains) -> Self {
        let alone = trains == Trains { policy: FreezePolicy::ACTIVATIONS, ..Trains::NOTHING };
        let measured = alone && !activation.params().iter().any(|param| param.trained);
        Self { name: activation.name().to_owned(), activation, trains: if measured { Trains::NOTHING } else { trains } }
    }

    /// The parts that the arm trains in the second phase; `None` if it is only measured.
    pub fn policy(&self, has_batch_norm: bool) -> Option<FreezePolicy> {
        (self.trains != Trains::NOTHING).then(|| self.trains.of(has_batch_norm, false))
    }
}

impl fmt::Display for Trains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = names(self.policy);
        names.extend(self.affine.then(|| AFFINE.to_owned()));
        names.extend(self.new_head.then(|| NEW_HEAD.to_owned()));
        f.write_str(&if names.is_empty() { "nothing".to_owned() } else { names.join(",") })
    }
}

impl PartialEq for Arm {
    fn eq(&self, other: &Self) -> bool {
        let of_same = self.activation.text() == other.activation.text();
        of_same && self.name == other.name && self.trains == other.trains
    }
}
