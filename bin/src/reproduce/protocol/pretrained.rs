//! What a table of pretrained networks says, and the values that are the same for all: one line a value. "paper" marks
//! what the text says, "chosen" what the project decided where the text is silent.

use pvlu_zoo::registry;
use pvlu_zoo::transfer::FreezePolicy;

use crate::reproduce::protocol::set::Set;

/// A table of pretrained networks.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// Name of the subcommand and of the files.
    pub name: &'static str,
    /// What the table shows.
    pub title: &'static str,
    /// The same for a person who has to choose one.
    pub about: &'static str,
    /// The data set. Paper.
    pub set: Set,
    /// The models. Paper.
    pub models: &'static [&'static str],
    /// The models of the quick preset. Chosen.
    pub quick_models: &'static [&'static str],
    /// Whether the trunk comes from another data set, and the head is drawn anew. Paper.
    pub transfer: bool,
    /// What is trained with ReLU before the arms part.
    pub first: First,
    /// Whether the arms train batch norm beside what is their own, where the network has it. Paper.
    pub batch_norm: bool,
    /// Whether the arms see images under a Gaussian filter, in training and testing. Paper.
    pub filtered: bool,
    /// Whether training images are flipped, shifted, and have a square cut out. Paper: the square; chosen: the rest.
    pub augmented: bool,
    /// The comparison. Paper: `relu` and `pvlu`; chosen: the controls.
    pub arms: &'static [Arm],
    /// Published top-1, by model. Paper.
    pub published: &'static [Published],
}

/// What the first phase trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The head alone.
    Head,
    /// Batch norm, and the head if it is drawn anew.
    BatchNorm,
}

impl First {
    /// Adam's learning rate at the start, which falls to zero over a half cosine.
    pub fn learning_rate(self) -> f64 {
        match self {
            First::Head => HEAD_LEARNING_RATE,
            First::BatchNorm => LEARNING_RATE,
        }
    }
}

/// One arm of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arm {
    /// Name.
    pub name: &'static str,
    /// The activation.
    pub activation: &'static str,
    /// Whether it is trained at all in the second phase.
    pub trained: bool,
    /// Whether it trains the affine part of batch norm, or, in a network without, the biases of the convolutions.
    pub affine: bool,
}

/// What the paper prints of one model.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// The model.
    pub model: &'static str,
    /// Top-1 with ReLU.
    pub relu: f64,
    /// Top-1 with PVLU.
    pub pvlu: f64,
    /// Relative error decrease as printed.
    pub rel_error_decrease: f64,
}

impl Protocol {
    /// The arm that a text asks for: one of the table's, by its name, or any activation. One that has nothing to train
    /// where nothing but activations is trained is measured only, as ReLU is. Chosen.
    pub fn arm(&self, text: &str) -> Option<Arm> {
        let own = self.arms.iter().find(|arm| arm.name == text).copied();
        own.or_else(|| {
            let activation = registry::activation(text).ok()?;
            let trained = self.batch_norm || activation.params().iter().any(|param| param.trained);
            Some(Arm { name: activation.name(), activation: activation.text(), trained, affine: false })
        })
    }

    /// What an arm trains in the second phase; `None` for one that is measured only.
    pub fn policy(&self, arm: &Arm, has_batch_norm: bool) -> Option<FreezePolicy> {
        arm.trained.then_some(FreezePolicy {
            activations: true,
            batch_norm_affine: self.batch_norm || arm.affine,
            batch_norm_statistics: self.batch_norm,
            biases: arm.affine && !has_batch_norm,
            ..FreezePolicy::NONE
        })
    }

    /// What the first phase trains.
    pub fn first_policy(&self, fresh_head: bool) -> FreezePolicy {
        match self.first {
            First::Head => FreezePolicy::HEAD,
            First::BatchNorm => FreezePolicy {
                batch_norm_affine: true,
                batch_norm_statistics: true,
                head: fresh_head,
                ..FreezePolicy::NONE
            },
        }
    }

    /// What the paper prints of a model.
    pub fn published(&self, model: &str) -> Option<&'static Published> {
        self.published.iter().find(|published| published.model == model)
    }
}

/// ReLU as the first phase left it.
pub const RELU: Arm = Arm { name: "relu", activation: "relu", trained: false, affine: false };
/// ReLU with as much training as the others: what a gain of theirs over [`RELU`] may be due to.
pub const RELU_AFFINE: Arm = Arm { name: "relu_affine", activation: "relu", trained: true, affine: true };
/// ReLU that goes on with what the first phase trained.
pub const RELU_MORE: Arm = Arm { name: "relu", activation: "relu", trained: true, affine: false };
/// One more parameter a channel, from slope 0, where it equals ReLU.
pub const PRELU: Arm = Arm { name: "prelu", activation: "prelu", trained: true, affine: false };
/// The sine without training of its own.
pub const VLU: Arm = Arm { name: "vlu", activation: "vlu", trained: true, affine: false };
/// The paper's, from alpha 0 and beta 1, where it equals ReLU.
pub const PVLU: Arm = Arm { name: "pvlu", activation: "pvlu", trained: true, affine: false };

/// Names of all arms.
pub const ARMS: [&str; 5] = ["relu", "relu_affine", "prelu", "vlu", "pvlu"];

/// Name of the first phase, in the place of an arm.
pub const FIRST: &str = "first";
/// Name of the training on procedural images, in the place of an arm.
pub const PRETRAIN: &str = "pretrain";
/// Names that no activation of the user's own may have: they stand for something else in the place of an arm.
pub const RESERVED: [&str; 3] = ["relu_affine", FIRST, PRETRAIN];

/// Epochs of the first phase. Paper for tables 5 and 6; chosen for 3 and 4: "final convergence".
pub const FIRST_EPOCHS: u64 = 15;
/// Epochs of an arm. Paper for tables 5 and 6; chosen for 3 and 4.
pub const EPOCHS: u64 = 15;
/// Images in a step. Chosen.
pub const BATCH_SIZE: usize = 128;
/// Adam's learning rate at the start of an arm, which falls to zero over a half cosine. Chosen.
pub const LEARNING_RATE: f64 = 1e-3;
/// The same of a first phase that trains a head alone: at a tenth of it a new head is far from convergence. Chosen.
pub const HEAD_LEARNING_RATE: f64 = 1e-2;
/// Seeds. Chosen; the paper gives one number.
pub const SEEDS: &[u64] = &[0, 1, 2];
/// Pixels of a 32x32 image that images are shifted by, at most: an eighth of the side. Chosen.
pub const SHIFT: usize = 4;
/// Deviation of the Gaussian filter and its radius, in pixels. Chosen.
pub const FILTER: pvlu_zoo::data::Gaussian = pvlu_zoo::data::Gaussian { sigma: 1.0, radius: 4 };
/// Side of ImageNet's ResNets. Chosen; VGG and the CIFAR ResNets take CIFAR's images as they are.
pub const LARGE: usize = 224;

impl Set {
    /// Side of the square that is cut out of a 32x32 image (DeVries and Taylor 2017). Chosen.
    pub fn cutout(self) -> usize {
        match self {
            Set::Cifar10 => 16,
            Set::Cifar100 => 8,
        }
    }
}

/// The quick preset: each table within a few minutes on two cores.
pub mod quick {
    /// Training images, of which a tenth is held out.
    pub const TRAIN: usize = 800;
    /// Test images.
    pub const TEST: usize = 400;
    /// Images that networks are trained on where no pretrained weights were found.
    pub const PRETRAIN: usize = 1_500;
    /// Passes over them.
    pub const PRETRAIN_EPOCHS: u64 = 6;
    /// Adam's learning rate for them at the start.
    pub const PRETRAIN_RATE: f64 = 1e-3;
    /// Seed of the images.
    pub const PRETRAIN_SEED: u64 = 7;
    /// Epochs of the first phase.
    pub const FIRST_EPOCHS: u64 = 3;
    /// Epochs of an arm.
    pub const EPOCHS: u64 = 3;
    /// Images in a step.
    pub const BATCH_SIZE: usize = 32;
    /// Seeds.
    pub const SEEDS: &[u64] = &[0];
}
