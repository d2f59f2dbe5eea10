//! The published weights that a file is a copy of, which say how its images are prepared.

use std::path::Path;

use super::file::{PublishedFile, of_cards};
use super::{Hash, Repository};
use crate::cards::Weights;
use crate::registry::ModelEntry;
use crate::source::Source;

/// Names of all recipes, or of those for a model: the places of the weights on its card.
#[must_use]
pub fn places(entry: Option<&ModelEntry>) -> Vec<&'static str> {
    let wanted = |model: &ModelEntry| entry.is_none_or(|entry| entry.name == model.name);
    of_cards().filter(|(model, _)| wanted(model)).map(|(_, weights)| weights.place).collect()
}

/// The model and the weights at a place, or with a file of this name.
#[must_use]
pub fn of_place(name: &str) -> Option<(&'static ModelEntry, &'static Weights)> {
    let is_named =
        |weights: &Weights| weights.place == name || (weights.source != Source::Timm && weights.file() == name);
    of_cards().find(|(_, weights)| is_named(weights))
}

/// The model and the weights that the path of a file names: by the name that the publisher gave it, with any extension,
/// or by the folder of its repository in the cache of the Hugging Face Hub.
#[must_use]
pub fn of_path(path: &Path) -> Option<(&'static ModelEntry, &'static Weights)> {
    let repository = |weights: &Weights| Repository::parse(weights.place).ok().map(|found| found.folder_name());
    let in_folder = |weights: &Weights| {
        weights.source == Source::Timm
            && repository(weights)
                .is_some_and(|folder| path.components().any(|part| part.as_os_str() == folder.as_str()))
    };
    let stem = |name: &str| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
    let name = path.file_name().and_then(|name| name.to_str()).map(stem);
    let is_named = |weights: &'static Weights| {
        weights.source != Source::Timm
            && [false, true].iter().any(|&without_classifier| {
                let file = PublishedFile { weights, without_classifier };
                name.as_deref() == Some(stem(&file.name()).as_str())
            })
    };
    of_cards().find(|(_, weights)| is_named(weights) || in_folder(weights))
}

/// Returns `true` if published weights with a stated hash have this size in bytes, to the thousandth of a mebibyte that
/// their publishers state.
#[must_use]
pub fn stated_size_fits(bytes: u64) -> bool {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    of_cards().any(|(_, weights)| weights.mebibytes.is_some_and(|size| (mebibytes - f64::from(size)).abs() < 1e-3))
}

/// The model and the weights whose file has this SHA-256, as far as its name states it.
#[must_use]
pub fn of_digest(sha256: &str) -> Option<(&'static ModelEntry, &'static Weights)> {
    let hash = |weights| PublishedFile { weights, without_classifier: false }.hash();
    let fits = |weights| matches!(hash(weights), Some(hash @ Hash::Sha256(_)) if hash.is_of(sha256));
    of_cards().find(|(_, weights)| fits(weights))
}
