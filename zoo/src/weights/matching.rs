//! Matching of the tensors of a file with those of a model, all or nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::format::Format;
use super::mismatch::{Mismatch, Problem};
use super::name::layer_of;
use super::report::LoadReport;
use super::torch;
use super::{Dtype, StoredLayout, TensorEntry, TensorFile, WeightsError};
use crate::source::Source;

/// A tensor that a model takes from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Expected {
    /// Name in a file of this source, which messages use.
    pub key: String,
    /// Other names that it may have in the file.
    pub aliases: Vec<String>,
    /// Shape of the tensor in the file.
    pub shape: Vec<usize>,
    /// Order of its elements in the file.
    pub layout: StoredLayout,
    /// Path of the tensor in the model.
    pub path: String,
    /// Condition under which it may be absent.
    pub excuse: Excuse,
}

/// Condition under which a tensor may keep the values that the model has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Excuse {
    /// The tensor has to come from the file.
    #[default]
    Never,
    /// Part of the head but not of its last layer. It may if the caller allows a fresh head and the file has none.
    Head,
    /// Part of the last layer of the head. It may if the caller allows a fresh head, and the file has no such layer or
    /// one of another number of classes.
    Classifier,
    /// Parameter of an activation. It may if the file has no parameters of any activation and does not say that it
    /// should: then it is the file of a model without them.
    ActivationParameter,
}

/// Deviations of a file from a model that a caller allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[doc(hidden)]
pub struct MatchOptions {
    /// Keeps the head of the model if the file has none, and its last layer if that is one of another number of
    /// classes.
    pub fresh_head: bool,
    /// Names of layers of the file that are not matched, even with layers of the model that have the same names.
    pub ignored: BTreeSet<String>,
    /// Set if the file says that it is of a model with parameters of activations, so that none may be missing.
    pub activations: bool,
}

/// Every tensor of a model with its name in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Matched<'a> {
    /// The tensors to read, each with its name in the file, in the order of the model.
    pub tensors: Vec<(&'a Expected, String)>,
    /// Report on the load, which holds once they are read.
    pub report: LoadReport,
}

/// Finds the tensors of a model in a file. Each tensor of the file has to be one of the model, and each of the model in
/// the file, with its shape and a type of float. Exceptions are those of [`Excuse`], and tensors that no model has: the
/// `num_batches_tracked` of torch, and in a `.weights.h5` the states of an optimizer, of metrics and of random
/// generators.
///
/// # Errors
///
/// [`WeightsError::Mismatch`] with every tensor that does not fit.
#[doc(hidden)]
pub fn match_tensors<'a>(
    file: &TensorFile,
    expected: &'a [Expected],
    source: Source,
    options: &MatchOptions,
) -> Result<Matched<'a>, WeightsError> {
    let entries = file.entries().iter().map(|(name, entry)| (name.as_str(), entry));
    let (ignored, mut rest): (BTreeMap<&str, &TensorEntry>, BTreeMap<&str, &TensorEntry>) =
        entries.partition(|(name, _)| options.ignored.contains(layer_of(name)));
    let found: Vec<Option<(&str, &TensorEntry)>> =
        expected.iter().map(|tensor| names(tensor).find_map(|name| rest.remove_entry(name))).collect();
    let ignored = ignored.into_keys().map(str::to_owned).collect();
    let prefix = file.prefix().to_owned();
    let average = file.metadata().get(torch::AVERAGE).cloned();
    let report = LoadReport { source, loaded: Vec::new(), fresh: Vec::new(), ignored, prefix, average };
    let mut matched = Matched { tensors: Vec::new(), report };
    let mut problems = Vec::new();

    let has_none = |excuses: &[Excuse]| {
        !expected.iter().zip(&found).any(|(tensor, found)| excuses.contains(&tensor.excuse) && found.is_some())
    };
    let fresh_head = options.fresh_head && has_none(&[Excuse::Head, Excuse::Classifier]);
    let fresh_classifier =
        options.fresh_head && (has_none(&[Excuse::Classifier]) || has_other_classes(expected, &found));
    let fresh_activations = !options.activations && has_none(&[Excuse::ActivationParameter]);
    for (tensor, found) in expected.iter().zip(&found) {
        let excused = match tensor.excuse {
            Excuse::Never => false,
            Excuse::Head => fresh_head,
            Excuse::Classifier => fresh_classifier,
            Excuse::ActivationParameter => fresh_activations,
        };
        match found {
            _ if excused => {
                matched.report.fresh.push(tensor.path.clone());
                matched.report.ignored.extend(found.map(|(name, _)| name.to_owned()));
            }
            Some((name, entry)) => match problem(tensor, name, entry) {
                Some(problem) => problems.push(problem),
                None => {
                    matched.report.loaded.push(tensor.path.clone());
                    matched.tensors.push((tensor, (*name).to_owned()));
                }
            },
            None => {
                problems.push(Problem::Missing { key: tensor.key.clone(), shape: tensor.shape.clone(), close: None });
            }
        }
    }
    for (name, entry) in rest {
        if is_no_weight(file.format(), name) {
            matched.report.ignored.push(name.to_owned());
        } else {
            let (key, dtype, shape) = (name.to_owned(), entry.dtype.clone(), entry.shape.clone());
            problems.push(Problem::Unexpected { key, dtype, shape, close: None });
        }
    }
    if problems.is_empty() {
        return Ok(matched);
    }
    suggest(&mut problems);
    Err(WeightsError::Mismatch { path: file.path().to_owned(), mismatch: Mismatch { problems } })
}

fn names(tensor: &Expected) -> impl Iterator<Item = &str> {
    std::iter::once(&tensor.key).chain(&tensor.aliases).map(String::as_str)
}

/// The problem with a tensor that has the right name; `None` if it fits.
fn problem(tensor: &Expected, name: &str, entry: &TensorEntry) -> Option<Problem> {
    let key = name.to_owned();
    if entry.dtype.float().is_none() {
        return Some(Problem::Dtype { key, expected: Dtype::FLOATS, found: entry.dtype.clone() });
    }
    if entry.shape == tensor.shape {
        return None;
    }
    let classes = tensor.excuse == Excuse::Classifier && other_classes(tensor, entry).is_some();
    Some(Problem::Shape { key, expected: tensor.shape.clone(), found: entry.shape.clone(), classes })
}

/// Returns `true` if the file has the whole last layer of the head, which differs in nothing but the number of classes.
fn has_other_classes(expected: &[Expected], found: &[Option<(&str, &TensorEntry)>]) -> bool {
    let classifier = expected.iter().zip(found).filter(|(tensor, _)| tensor.excuse == Excuse::Classifier);
    let classes: Option<BTreeSet<usize>> =
        classifier.map(|(tensor, found)| found.and_then(|(_, entry)| other_classes(tensor, entry))).collect();
    classes.is_some_and(|classes| classes.len() == 1)
}

/// The number of classes of a tensor of a last layer that fits but for them.
fn other_classes(tensor: &Expected, entry: &TensorEntry) -> Option<usize> {
    let axis = tensor.layout.output_axis(tensor.shape.len());
    let mut shape = tensor.shape.clone();
    let classes = *entry.shape.get(axis)?;
    let known = std::mem::replace(shape.get_mut(axis)?, classes);
    (known != classes && shape == entry.shape && entry.dtype.float().is_some()).then_some(classes)
}

/// Returns `true` for a tensor that no model has: a counter of batches, of any type and shape, or a state.
fn is_no_weight(format: Format, name: &str) -> bool {
    name.rsplit('.').next() == Some("num_batches_tracked") || is_state(format, name)
}

/// Returns `true` if a tensor of a `.weights.h5` or `.keras` is the state of an optimizer, of a metric or of a random
/// generator.
pub(crate) fn is_state(format: Format, name: &str) -> bool {
    let begins = |with: &[&str]| with.iter().any(|with| name.starts_with(with));
    format.is_of_keras() && (begins(&["optimizer/", "metrics/"]) || name.contains("/seed_generator/"))
}

/// Length in bytes of the longest names that are compared, and the number of names: comparing takes the product of the
/// lengths, and a file may have a million names.
const COMPARED_BYTES: usize = 100;
const COMPARED: usize = 200;

/// Gives missing and unexpected tensors that are called alike each other's names.
fn suggest(problems: &mut [Problem]) {
    let comparable = |key: &&String| key.len() <= COMPARED_BYTES;
    let missing: Vec<String> = problems
        .iter()
        .filter_map(|problem| if let Problem::Missing { key, .. } = problem { Some(key) } else { None })
        .filter(comparable)
        .take(COMPARED)
        .cloned()
        .collect();
    let unexpected: Vec<String> = problems
        .iter()
        .filter_map(|problem| if let Problem::Unexpected { key, .. } = problem { Some(key) } else { None })
        .filter(comparable)
        .take(COMPARED)
        .cloned()
        .collect();
    for problem in problems {
        match problem {
            Problem::Missing { key, close, .. } if missing.contains(key) => *close = closest(key, &unexpected),
            Problem::Unexpected { key, close, .. } if unexpected.contains(key) => *close = closest(key, &missing),
            _ => {}
        }
    }
}

/// The name that takes the fewest edits, if they change less than a third of it.
fn closest(key: &str, candidates: &[String]) -> Option<String> {
    let distance = |candidate: &String| strsim::levenshtein(key, candidate);
    let (close, distance) =
        candidates.iter().map(|name| (name, distance(name))).min_by_key(|(_, distance)| *distance)?;
    (distance * 3 < key.chars().count()).then(|| close.clone())
}

#[cfg(test)]
mod tests;
