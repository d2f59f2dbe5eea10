//! Models by name: the only place that instantiates networks for every activation and class count, so that each is
//! compiled once.

use dfdx::nn::{BuildOnDevice, DeviceBuildExt};
use dfdx::shapes::Const;
use dfdx::tensor::Cpu;
use pvlu::activation::{Activation, Elu, LeakyRelu, PRelu, Pvlu, Relu, SineRelu, Swish, Vlu};

use crate::init;
use crate::model::{Classifier, Model, Network};
use crate::sequential::Sequential6Conv;

/// Names of the models.
pub const MODELS: [&str; 1] = ["sequential6conv"];

/// Names of the activations, in the order of the paper's first table, then the others.
pub const ACTIVATIONS: [&str; 8] =
    [Relu::NAME, LeakyRelu::NAME, Elu::NAME, PRelu::NAME, SineRelu::NAME, Swish::NAME, Vlu::NAME, Pvlu::NAME];

/// Class counts that models are instantiated for.
pub const CLASSES: [usize; 2] = [10, 100];

/// A model that cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No model of this name.
    #[error("unknown model {name:?}; known are {}", MODELS.join(", "))]
    Model {
        /// The name asked for.
        name: String,
    },
    /// No activation of this name.
    #[error("unknown activation {name:?}; known are {}", ACTIVATIONS.join(", "))]
    Activation {
        /// The name asked for.
        name: String,
    },
    /// Not instantiated for this class count.
    #[error("{model} has no instance for {classes} classes; there are instances for {CLASSES:?}")]
    Classes {
        /// The model.
        model: &'static str,
        /// The class count asked for.
        classes: usize,
    },
    /// The device refused.
    #[error("building the model: {0}")]
    Device(String),
}

/// Builds a model with start values drawn from `seed`. Equal seeds give equal weights under every activation, up to
/// the scale that suits it (see [`init`]), because activations draw nothing.
pub fn build(model: &str, activation: &str, classes: usize, seed: u64) -> Result<Box<dyn Model>, RegistryError> {
    if model != MODELS[0] {
        return Err(RegistryError::Model { name: model.to_owned() });
    }
    match activation {
        Relu::NAME => sequential::<Relu>(classes, seed),
        LeakyRelu::NAME => sequential::<LeakyRelu>(classes, seed),
        Elu::NAME => sequential::<Elu>(classes, seed),
        PRelu::NAME => sequential::<PRelu>(classes, seed),
        SineRelu::NAME => sequential::<SineRelu>(classes, seed),
        Swish::NAME => sequential::<Swish>(classes, seed),
        Vlu::NAME => sequential::<Vlu>(classes, seed),
        Pvlu::NAME => sequential::<Pvlu>(classes, seed),
        other => Err(RegistryError::Activation { name: other.to_owned() }),
    }
}

fn sequential<A: Activation>(classes: usize, seed: u64) -> Result<Box<dyn Model>, RegistryError> {
    match classes {
        10 => cifar::<A, Sequential6Conv<A, 10>, 10>(seed),
        100 => cifar::<A, Sequential6Conv<A, 100>, 100>(seed),
        _ => Err(RegistryError::Classes { model: MODELS[0], classes }),
    }
}

/// A network for 32x32 images.
fn cifar<A: Activation, N, const CLASSES: usize>(seed: u64) -> Result<Box<dyn Model>, RegistryError>
where
    N: BuildOnDevice<Cpu, f32>,
    N::Built: Network<Const<32>, Const<32>, CLASSES> + 'static,
{
    let device = Cpu::seed_from_u64(seed);
    let mut net = device.try_build_module::<N, f32>().map_err(|error| RegistryError::Device(error.to_string()))?;
    init::he::<A>(&mut net).map_err(|error| RegistryError::Device(error.to_string()))?;
    let mut model = Classifier::cifar(net);
    model.seed_dropout(seed);
    Ok(Box::new(model))
}
