//! Why a model cannot be built.

use pvlu::activation::WrittenError;

use super::sides::{CLASSES, Sides};
use crate::text::{did_you_mean, quoted};

/// A model that cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No model of this name.
    #[error(
        "unknown model {}{}; known are {}",
        quoted(name), did_you_mean(name, known), known.join(", ")
    )]
    Model {
        /// The name asked for.
        name: String,
        /// Those that there are.
        known: Vec<&'static str>,
    },
    /// A model of the zoo in a program that was built without the feature `registry`.
    #[error("{model} is not compiled: build pvlu_zoo with its feature `registry`")]
    NotCompiled {
        /// The model.
        model: &'static str,
    },
    /// No activation of this name.
    #[error(
        "unknown activation {}{}; known are {}",
        quoted(name), did_you_mean(name, known), known.join(", ")
    )]
    Activation {
        /// The name asked for.
        name: String,
        /// Those that there are.
        known: Vec<&'static str>,
    },
    /// A formula that is none.
    #[error("{0}")]
    Formula(#[source] Box<WrittenError>),
    /// More different formulas than are kept.
    #[error("{}", pvlu::activation::FindError::TooMany)]
    Formulas,
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
    /// A name that an activation of a program's own cannot have.
    #[error(
        "an activation of one's own cannot be called {}: expected letters, digits and _, and no name of a built-in one",
        quoted(name)
    )]
    Name {
        /// The name.
        name: &'static str,
    },
    /// A registry that comes too late.
    #[error("another registry is in use already: install this one before anything is looked up by its name")]
    Installed,
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
