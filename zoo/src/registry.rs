//! Models by name: the only place that instantiates networks for every activation and class count, so that each is
//! compiled once.

mod typed;

use pvlu::activation::{BUILT_IN, Definition, FindError, WrittenError};

use crate::image::MAX_INPUT;
use crate::model::Model;
use crate::names::LayerNames;
use crate::resnet::{basic, cifar, v1, v2};
use crate::text::{did_you_mean, quoted};
use crate::{sequential, vgg};

/// Numbers of classes that a model takes.
pub const CLASSES: std::ops::RangeInclusive<usize> = 2..=65_536;

/// Image sides that a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    /// Any, of at least this many pixels and at most [`MAX_INPUT`].
    Any {
        /// The smallest.
        least: usize,
        /// The original's.
        default: usize,
    },
    /// These alone, square. The first is the original's.
    Square(&'static [usize]),
}

/// An architecture that networks are built of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Sequential6Conv,
    Vgg { convolutions: [usize; 5], batch_norm: bool },
    Basic([usize; 4]),
    KerasV1([usize; 4]),
    TorchV1([usize; 4]),
    V2([usize; 4]),
    Cifar { blocks: usize, projection: bool },
}

/// One model.
#[derive(Debug)]
pub struct Entry {
    /// Name.
    pub name: &'static str,
    family: Family,
    build: typed::Build,
}

/// Every model, in the order in which they are listed.
pub static MODELS: [Entry; 30] = [
    Entry::new("sequential6conv", Family::Sequential6Conv, typed::sequential6conv),
    Entry::vgg("vgg11", vgg::CONVOLUTIONS_11, false, typed::vgg11),
    Entry::vgg("vgg13", vgg::CONVOLUTIONS_13, false, typed::vgg13),
    Entry::vgg("vgg16", vgg::CONVOLUTIONS_16, false, typed::vgg16),
    Entry::vgg("vgg19", vgg::CONVOLUTIONS_19, false, typed::vgg19),
    Entry::vgg("vgg11_bn", vgg::CONVOLUTIONS_11, true, typed::vgg11_bn),
    Entry::vgg("vgg13_bn", vgg::CONVOLUTIONS_13, true, typed::vgg13_bn),
    Entry::vgg("vgg16_bn", vgg::CONVOLUTIONS_16, true, typed::vgg16_bn),
    Entry::vgg("vgg19_bn", vgg::CONVOLUTIONS_19, true, typed::vgg19_bn),
    Entry::new("resnet18", Family::Basic(basic::BLOCKS_18), typed::resnet18),
    Entry::new("resnet34", Family::Basic(basic::BLOCKS_34), typed::resnet34),
    Entry::new("resnet50", Family::KerasV1(v1::BLOCKS_50), typed::resnet50),
    Entry::new("resnet101", Family::KerasV1(v1::BLOCKS_101), typed::resnet101),
    Entry::new("resnet152", Family::KerasV1(v1::BLOCKS_152), typed::resnet152),
    Entry::new("resnet50_v1_5", Family::TorchV1(v1::BLOCKS_50_V1_5), typed::resnet50_v1_5),
    Entry::new("resnet101_v1_5", Family::TorchV1(v1::BLOCKS_101_V1_5), typed::resnet101_v1_5),
    Entry::new("resnet152_v1_5", Family::TorchV1(v1::BLOCKS_152_V1_5), typed::resnet152_v1_5),
    Entry::new("resnet50v2", Family::V2(v2::BLOCKS_50), typed::resnet50v2),
    Entry::new("resnet101v2", Family::V2(v2::BLOCKS_101), typed::resnet101v2),
    Entry::new("resnet152v2", Family::V2(v2::BLOCKS_152), typed::resnet152v2),
    Entry::cifar("cifar_resnet20", 3, false, typed::cifar_resnet20),
    Entry::cifar("cifar_resnet32", 5, false, typed::cifar_resnet32),
    Entry::cifar("cifar_resnet44", 7, false, typed::cifar_resnet44),
    Entry::cifar("cifar_resnet56", 9, false, typed::cifar_resnet56),
    Entry::cifar("cifar_resnet110", 18, false, typed::cifar_resnet110),
    Entry::cifar("cifar_resnet20_b", 3, true, typed::cifar_resnet20_b),
    Entry::cifar("cifar_resnet32_b", 5, true, typed::cifar_resnet32_b),
    Entry::cifar("cifar_resnet44_b", 7, true, typed::cifar_resnet44_b),
    Entry::cifar("cifar_resnet56_b", 9, true, typed::cifar_resnet56_b),
    Entry::cifar("cifar_resnet110_b", 18, true, typed::cifar_resnet110_b),
];

/// The names of all models.
pub fn model_names() -> Vec<&'static str> {
    MODELS.iter().map(|entry| entry.name).collect()
}

/// The model of this name; [`RegistryError::Model`] if there is none.
pub fn find(model: &str) -> Result<&'static Entry, RegistryError> {
    MODELS.iter().find(|entry| entry.name == model).ok_or_else(|| RegistryError::Model { name: model.to_owned() })
}

/// The names of the activations, in the order of the paper's first table, then the others.
pub fn activation_names() -> Vec<&'static str> {
    BUILT_IN.iter().map(|activation| activation.name()).collect()
}

/// The activation that a text asks for: a name, a name with other start values, or a formula; see
/// [`pvlu::activation::find`].
///
/// # Errors
///
/// [`RegistryError::Activation`] if there is none of this name, [`RegistryError::Formula`] for a text that cannot be read.
pub fn activation(text: &str) -> Result<&'static Definition, RegistryError> {
    pvlu::activation::find(text).map_err(|error| match error {
        FindError::Unknown { name } => RegistryError::Activation { name },
        FindError::Written(error) => RegistryError::Formula(error),
    })
}

/// What a model is built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options<'a> {
    /// Name of the activation.
    pub activation: &'a str,
    /// Number of classes.
    pub classes: usize,
    /// Height and width of the images; the original's if not given.
    pub image: Option<(usize, usize)>,
    /// Where the weights come from.
    pub weights: Start,
}

/// Where the weights of a new model come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Drawn from this seed; see [`init`](crate::init). Equal seeds give equal weights under every activation, up to the
    /// scale that suits it.
    Seed(u64),
    /// Zero, to be loaded. Other tensors have their start values.
    Unfilled,
}

/// A model that cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No model of this name.
    #[error(
        "unknown model {}{}; known are {}",
        quoted(name), did_you_mean(name, &model_names()), model_names().join(", ")
    )]
    Model {
        /// The name asked for.
        name: String,
    },
    /// No activation of this name.
    #[error(
        "unknown activation {}{}; known are {}",
        quoted(name), did_you_mean(name, &activation_names()), activation_names().join(", ")
    )]
    Activation {
        /// The name asked for.
        name: String,
    },
    /// A formula that is none.
    #[error("{0}")]
    Formula(#[source] WrittenError),
    /// An activation for which no start weights can be drawn.
    #[error(
        "no start weights suit activation {}: the mean of its square under a standard normal is {moment}, and weights \
         are scaled by one over its root",
        quoted(activation)
    )]
    Moment {
        /// How it is written.
        activation: &'static str,
        /// The mean of its square.
        moment: f64,
    },
    /// A number of classes that no model takes.
    #[error("{model} does not take {classes} classes; it takes {} to {}", CLASSES.start(), CLASSES.end())]
    Classes {
        /// The model.
        model: &'static str,
        /// The class count asked for.
        classes: usize,
    },
    /// An image size that the model does not take.
    #[error("{model} does not take images of {height}x{width}; it takes {takes}")]
    Image {
        /// The model.
        model: &'static str,
        /// Rows asked for.
        height: usize,
        /// Columns asked for.
        width: usize,
        /// What it takes.
        takes: Sides,
    },
    /// The device refused.
    #[error("building the model: {0}")]
    Device(#[from] pvlu::Error),
}

impl std::fmt::Display for Sides {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Sides::Any { least, .. } => write!(f, "any size from {least}x{least} to {MAX_INPUT}x{MAX_INPUT}"),
            Sides::Square(sides) => {
                let sides: Vec<String> = sides.iter().map(|side| format!("{side}x{side}")).collect();
                f.write_str(&sides.join(" and "))
            }
        }
    }
}

impl Sides {
    /// A side for each head that the model has: all that it takes, or the original's.
    pub fn of_heads(self) -> Vec<usize> {
        match self {
            Sides::Any { default, .. } => vec![default],
            Sides::Square(sides) => sides.to_vec(),
        }
    }
}

impl Entry {
    const fn new(name: &'static str, family: Family, build: typed::Build) -> Self {
        Self { name, family, build }
    }

    const fn vgg(name: &'static str, convolutions: [usize; 5], batch_norm: bool, build: typed::Build) -> Self {
        Self::new(name, Family::Vgg { convolutions, batch_norm }, build)
    }

    const fn cifar(name: &'static str, blocks: usize, projection: bool, build: typed::Build) -> Self {
        Self::new(name, Family::Cifar { blocks, projection }, build)
    }

    /// Image sizes that it takes.
    pub fn sides(&self) -> Sides {
        match self.family {
            Family::Sequential6Conv => Sides::Square(&[32]),
            Family::Vgg { .. } => Sides::Square(&[224, 32]),
            Family::Basic(_) | Family::KerasV1(_) | Family::TorchV1(_) | Family::V2(_) => {
                Sides::Any { least: 32, default: 224 }
            }
            Family::Cifar { .. } => Sides::Any { least: 8, default: 32 },
        }
    }

    /// Height and width of the original's images.
    pub fn image(&self) -> (usize, usize) {
        let side = match self.sides() {
            Sides::Any { default, .. } => default,
            Sides::Square(sides) => sides[0],
        };
        (side, side)
    }

    /// Number of classes of the original.
    pub fn classes(&self) -> usize {
        match self.family {
            Family::Sequential6Conv => 100,
            Family::Cifar { .. } => 10,
            _ => 1000,
        }
    }

    /// Names of the layers for images of this size, in the order of a walk.
    pub fn names(&self, image: (usize, usize)) -> Vec<LayerNames> {
        match self.family {
            Family::Sequential6Conv => sequential::names(),
            Family::Vgg { convolutions, batch_norm } => vgg::names(convolutions, batch_norm, image == (32, 32)),
            Family::Basic(blocks) => basic::names(blocks),
            Family::KerasV1(blocks) => v1::keras_names(blocks),
            Family::TorchV1(blocks) => v1::torch_names(blocks),
            Family::V2(blocks) => v2::names(blocks),
            Family::Cifar { blocks, projection } => cifar::names(blocks, projection),
        }
    }

    /// Builds the model.
    pub fn build(&'static self, options: &Options<'_>) -> Result<Box<dyn Model>, RegistryError> {
        let (height, width) = options.image.unwrap_or(self.image());
        let takes = self.sides();
        let fits = match takes {
            // Larger ones are refused, so that no number of elements overflows.
            Sides::Any { least, .. } => height.min(width) >= least && height.max(width) <= MAX_INPUT,
            Sides::Square(sides) => height == width && sides.contains(&height),
        };
        if !fits {
            return Err(RegistryError::Image { model: self.name, height, width, takes });
        }
        if !CLASSES.contains(&options.classes) {
            return Err(RegistryError::Classes { model: self.name, classes: options.classes });
        }
        (self.build)(self, options, (height, width), activation(options.activation)?)
    }
}

/// Builds a model with start values drawn from `seed`, for images of its original's size.
pub fn build(model: &str, activation: &str, classes: usize, seed: u64) -> Result<Box<dyn Model>, RegistryError> {
    find(model)?.build(&Options { activation, classes, image: None, weights: Start::Seed(seed) })
}
