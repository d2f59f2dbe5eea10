//! Report on loading a file into a model.

use std::fmt;

use super::name::shown;
use crate::source::Source;

/// Tensors that were loaded, and those that were not, with the reason. A tensor in none of the lists would have been an
/// error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadReport {
    /// Source whose names the file has.
    pub source: Source,
    /// Paths in the model of the tensors that the file gave.
    pub loaded: Vec<String>,
    /// Paths in the model of the tensors that the file does not give: those of a fresh head, which kept their values,
    /// and parameters of activations, which have the values of a swap.
    pub fresh: Vec<String>,
    /// Names in the file of the tensors that no model has or needs: counters, states of optimizers and random
    /// generators, the head of another number of classes.
    pub ignored: Vec<String>,
    /// Prefix of all names of the file, which was taken from them; empty for most files.
    pub prefix: String,
    /// Key of an average of weights, e.g. `state_dict_ema`, that a checkpoint of torch has beside those that were
    /// loaded.
    pub average: Option<String>,
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} tensors loaded with {} names, {} kept as they were, {} of the file ignored",
            self.loaded.len(),
            self.source,
            self.fresh.len(),
            self.ignored.len()
        )?;
        if !self.prefix.is_empty() {
            write!(f, "; all its names begin with {}, which was passed over", shown(&self.prefix))?;
        }
        match &self.average {
            Some(key) => write!(f, "; the file also has an average of weights, {}, which was left", shown(key)),
            None => Ok(()),
        }
    }
}
