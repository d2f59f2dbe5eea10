//! Protocols of tables of pretrained networks, and the values that all of them share. "Paper" marks values of the text,
//! "chosen" those that the project decided where the text is silent.

use pvlu::activation::Definition;
use pvlu_zoo::data::KnownSet;
use pvlu_zoo::transfer::FreezePolicy;

/// A table of pretrained networks.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// Name of the subcommand and of the files.
    pub name: &'static str,
    /// Title of the table in files and reports.
    pub title: &'static str,
    /// Description of the table in the list of commands.
    pub about: &'static str,
    /// The data set. Paper.
    pub set: &'static KnownSet,
    /// Names of the models. Paper.
    pub models: &'static [&'static str],
    /// Names of the models under the quick preset. Chosen.
    pub quick_models: &'static [&'static str],
    /// True if the trunk comes from another data set, and the head is drawn anew. Paper.
    pub transfer: bool,
    /// The parts that the first phase trains with ReLU, before the arms part.
    pub first: First,
    /// True if the arms train batch norm beside their own parameters, where the network has it. Paper.
    pub batch_norm: bool,
    /// True if the arms' images are under a Gaussian filter, in training and testing. Paper.
    pub filtered: bool,
    /// Side of the square that is cut out of training images of 32x32 (DeVries and Taylor 2017), which are flipped and
    /// shifted too; `None` if they are taken as they are. Paper: that there is a square; chosen: its side, the rest.
    pub cutout: Option<usize>,
    /// Arms of the comparison. Paper: `relu` and `pvlu`; chosen: the controls.
    pub arms: &'static [Arm],
    /// Published top-1, by model. Paper.
    pub published: &'static [Published],
}

/// The parts that the first phase trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The head alone is trained.
    Head,
    /// Batch norm is trained, and the head if it is drawn anew.
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
    /// Name of the arm in files and options.
    pub name: &'static str,
    /// Text of the activation, as the registry takes it.
    pub activation: &'static str,
    /// True if the arm is trained in the second phase, and not only evaluated.
    pub trained: bool,
    /// True if the arm trains the affine part of batch norm, or, in a network without, the biases of the convolutions.
    pub affine: bool,
}

/// The numbers that the paper prints of one model.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// Name of the model.
    pub model: &'static str,
    /// Top-1 accuracy with ReLU, as a fraction.
    pub relu: f64,
    /// Top-1 accuracy with PVLU, as a fraction.
    pub pvlu: f64,
    /// Relative error decrease as printed.
    pub rel_error_decrease: f64,
}

impl Protocol {
    /// The arm that a text asks for: one of the table's, by its name, or the activation that it is. In a table that
    /// trains nothing but activations, one without trainable parameters is only evaluated, as ReLU is. Chosen.
    pub fn arm(&self, text: &str, activation: Option<&'static Definition>) -> Option<Arm> {
        let own = self.arms.iter().find(|arm| arm.name == text).copied();
        own.or_else(|| {
            let activation = activation?;
            let trained = self.batch_norm || activation.params().iter().any(|param| param.trained);
            Some(Arm { name: activation.name(), activation: activation.text(), trained, affine: false })
        })
    }

    /// The parts that an arm trains in the second phase; `None` for one that is only evaluated.
    pub fn policy(&self, arm: &Arm, has_batch_norm: bool) -> Option<FreezePolicy> {
        arm.trained.then_some(FreezePolicy {
            activations: true,
            batch_norm_affine: self.batch_norm || arm.affine,
            batch_norm_statistics: self.batch_norm,
            biases: arm.affine && !has_batch_norm,
            ..FreezePolicy::NONE
        })
    }

    /// The parts that the first phase trains, given whether the head was drawn anew.
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

    /// The numbers that the paper prints of a model, if there are any.
    pub fn published(&self, model: &str) -> Option<&'static Published> {
        self.published.iter().find(|published| published.model == model)
    }
}

/// ReLU as the first phase left it.
pub const RELU: Arm = Arm { name: "relu", activation: "relu", trained: false, affine: false };
/// ReLU with as much training as the other arms: a control for gains over [`RELU`] that come from the training alone.
pub const RELU_AFFINE: Arm = Arm { name: "relu_affine", activation: "relu", trained: true, affine: true };
/// ReLU, trained further in the parts that the first phase trained.
pub const RELU_MORE: Arm = Arm { name: "relu", activation: "relu", trained: true, affine: false };
/// PReLU with a trained slope for each channel, starting from 0, where it equals ReLU.
pub const PRELU: Arm = Arm { name: "prelu", activation: "prelu", trained: true, affine: false };
/// VLU, whose parameters are not trained.
pub const VLU: Arm = Arm { name: "vlu", activation: "vlu", trained: true, affine: false };
/// The paper's PVLU, starting from alpha 0 and beta 1, where it equals ReLU.
pub const PVLU: Arm = Arm { name: "pvlu", activation: "pvlu", trained: true, affine: false };

/// Name of the first phase where a configuration has the name of an arm.
pub const FIRST: &str = "first";
/// Name of the training on procedural images where a configuration has the name of an arm.
pub const PRETRAIN: &str = "pretrain";

/// Epochs of the first phase. Paper for tables 5 and 6; chosen for 3 and 4: "final convergence".
pub const FIRST_EPOCHS: u64 = 15;
/// Epochs of an arm. Paper for tables 5 and 6; chosen for 3 and 4.
pub const EPOCHS: u64 = 15;
/// Images in a step. Chosen.
pub const BATCH_SIZE: usize = 128;
/// Adam's learning rate at the start of an arm, which falls to zero over a half cosine. Chosen.
pub const LEARNING_RATE: f64 = 1e-3;
/// Adam's learning rate at the start of a first phase that trains a head alone: at a tenth of it a new head is far from
/// convergence. Chosen.
pub const HEAD_LEARNING_RATE: f64 = 1e-2;
/// Seeds of the runs. Chosen; the paper gives one number.
pub const SEEDS: &[u64] = &[0, 1, 2];
/// Pixels of a 32x32 image that images are shifted by, at most: an eighth of the side. Chosen.
pub const SHIFT: usize = 4;
/// Standard deviation and radius of the Gaussian filter, in pixels. Chosen.
pub const FILTER: pvlu_zoo::data::Gaussian = pvlu_zoo::data::Gaussian { sigma: 1.0, radius: 4 };
/// Side of the images of ImageNet's ResNets, in pixels. Chosen; VGG and the CIFAR ResNets take CIFAR's images as they
/// are.
pub const LARGE: usize = 224;

/// Values of the quick preset, with which each table takes a few minutes on two cores.
pub mod quick {
    /// Number of training images, of which a tenth is held out.
    pub const TRAIN: usize = 800;
    /// Number of test images.
    pub const TEST: usize = 400;
    /// Number of procedural images that networks are trained on where no pretrained weights were found.
    pub const PRETRAIN: usize = 1_500;
    /// Epochs of the training on procedural images.
    pub const PRETRAIN_EPOCHS: u64 = 6;
    /// Adam's learning rate at the start of the training on procedural images.
    pub const PRETRAIN_RATE: f64 = 1e-3;
    /// Seed of the procedural images.
    pub const PRETRAIN_SEED: u64 = 7;
    /// Epochs of the first phase.
    pub const FIRST_EPOCHS: u64 = 3;
    /// Epochs of an arm.
    pub const EPOCHS: u64 = 3;
    /// Images in a step.
    pub const BATCH_SIZE: usize = 32;
    /// Seeds of the runs.
    pub const SEEDS: &[u64] = &[0];
}
