//! Errors of finding and building models.

use pvlu::activation::WrittenError;

use super::sides::{CLASSES, Sides};
use crate::text::{did_you_mean, quoted};

/// A model that cannot be found or built, or a registry that cannot be installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No model has this name.
    #[error(
        "unknown model {}{}; known are {}",
        quoted(name), did_you_mean(name, known), known.join(", ")
    )]
    Model {
        /// Name that was asked for.
        name: String,
        /// Names of the known models.
        known: Vec<&'static str>,
    },
    /// A model of the zoo in a program that was built without the feature `registry`.
    #[error("{model} is not compiled: build pvlu_zoo with its feature `registry`")]
    NotCompiled {
        /// Name of the model.
        model: &'static str,
    },
    /// No activation has this name.
    #[error(
        "unknown activation {}{}; known are {}",
        quoted(name), did_you_mean(name, known), known.join(", ")
    )]
    Activation {
        /// Name that was asked for.
        name: String,
        /// Names of the known activations.
        known: Vec<&'static str>,
    },
    /// A formula, or a list of start values, that cannot be read.
    #[error("{0}")]
    Formula(#[source] Box<WrittenError>),
    /// More different formulas than a process may ask for.
    #[error("{}", pvlu::activation::FindError::TooMany)]
    Formulas,
    /// An activation for which no start weights can be drawn.
    #[error(
        "no start weights suit activation {}: the mean of its square under a standard normal is {moment}, and weights \
         are scaled by one over its root",
        quoted(activation)
    )]
    Moment {
        /// Text of the activation, a name or a formula.
        activation: &'static str,
        /// Mean of its square under a standard normal input: zero, subnormal or not finite.
        moment: f64,
    },
    /// A name that an activation added by a program cannot have.
    #[error(
        "an activation of one's own cannot be called {}: expected letters, digits and _, and no name of a built-in one",
        quoted(name)
    )]
    Name {
        /// Name of the added activation.
        name: &'static str,
    },
    /// A registry was installed when another one was in use already.
    #[error("another registry is in use already: install this one before anything is looked up by its name")]
    Installed,
    /// A number of classes that no model takes.
    #[error("{model} does not take {classes} classes; it takes {} to {}", CLASSES.start(), CLASSES.end())]
    Classes {
        /// Name of the model.
        model: &'static str,
        /// Number of classes that was asked for.
        classes: usize,
    },
    /// An image size that the model does not take.
    #[error("{model} does not take images of {height}x{width}; it takes {takes}")]
    Image {
        /// Name of the model.
        model: &'static str,
        /// Height that was asked for, in pixels.
        height: usize,
        /// Width that was asked for, in pixels.
        width: usize,
        /// Image sizes that the model takes.
        takes: Sides,
    },
    /// The device reported an error, such as a lack of memory.
    #[error("building the model: {0}")]
    Device(#[from] pvlu::Error),
}
