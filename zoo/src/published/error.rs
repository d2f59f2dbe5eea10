//! Errors of names of published weights.

use std::path::PathBuf;

use crate::registry::RegistryError;
use crate::text::{self, listed, quoted};

/// A name that stands for no published weights, or weights that are in no cache.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishedError {
    /// The model is not known.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A publisher was named without a model.
    #[error("{name}: the weights of which model? Give --model, or the name of a file that `zoo weights list` shows")]
    NoModel {
        /// Publisher as the user named it.
        name: &'static str,
    },
    /// The publisher has no weights for the model.
    #[error(
        "{publisher} has no weights for {model}{}; {model} has {}",
        if others.is_empty() { String::new() } else { format!(", but for {}", others.join(", ")) },
        if known.is_empty() { "none".to_owned() } else { format!("those of {}", known.join(", ")) }
    )]
    NoWeights {
        /// Publisher that was named.
        publisher: &'static str,
        /// Model without weights of this publisher.
        model: &'static str,
        /// Models of a similar name that have weights of this publisher.
        others: Vec<&'static str>,
        /// Publishers of weights for the model.
        known: Vec<&'static str>,
    },
    /// The publisher has weights of the model for several sets of classes.
    #[error(
        "{publisher} has weights of {model} for several sets of classes: give --classes, or one of {}",
        files.join(", ")
    )]
    Several {
        /// Publisher that was named.
        publisher: &'static str,
        /// Model with several files.
        model: &'static str,
        /// Names of the files.
        files: Vec<&'static str>,
    },
    /// The name of a repository or of its revision is none that the Hugging Face Hub allows.
    #[error("{}: expected hf:OWNER/REPO or hf:OWNER/REPO@REVISION, {why}", quoted(found))]
    Repository {
        /// Text that was given.
        found: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// The weights are in no cache.
    #[error(
        "{name} is not on this machine: looked for {}; it is at {address}",
        listed(looked.iter().map(|path| text::path(path)), 8)
    )]
    NotThere {
        /// The weights, by the name of their file or of their repository.
        name: String,
        /// Paths that were looked at.
        looked: Vec<PathBuf>,
        /// Address of the file, or of the repository.
        address: String,
    },
    /// No variable says where a cache is.
    #[error("{name}: nothing says where the files of {publisher} are: set HOME, or {variable}")]
    NoHome {
        /// The weights that were looked for.
        name: String,
        /// Publisher whose cache was looked for.
        publisher: &'static str,
        /// Variable that names the folder.
        variable: &'static str,
    },
    /// No published weights have a recipe of this name.
    #[error("--recipe {}: expected one of {}", quoted(found), known.join(", "))]
    Recipe {
        /// Name that was given.
        found: String,
        /// Names of the recipes that there are.
        known: Vec<&'static str>,
    },
}
