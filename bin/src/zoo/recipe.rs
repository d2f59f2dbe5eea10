//! The preprocessing that goes with a file of weights: as the user says, else as the file itself does, else as the
//! configuration beside it, its name or its hash says.

use std::fs;
use std::path::{Path, PathBuf};

use pvlu_zoo::cards::Weights;
use pvlu_zoo::checkpoint::{Opened, describe, models_of};
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::published::{
    FILES, Hash, PublishedError, of_digest, of_path, of_place, places, stated_size_fits, timm_preprocessing,
};
use pvlu_zoo::registry::{self, ModelEntry};
use pvlu_zoo::source::Source;
use pvlu_zoo::text;
use pvlu_zoo::weights::TensorFile;

use crate::common::checksum;
use crate::common::error::CliError;
use crate::common::input;
use crate::common::output::note;

/// A preprocessing for a file of weights.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// The preprocessing that was found.
    pub preprocessing: Preprocessing,
    /// True if it counts even for a file that states another.
    pub by_user: bool,
    /// Place of the published weights that the file is, if it was found by them.
    pub place: Option<&'static str>,
}

/// Most bytes of a configuration that is read.
const MAX_CONFIG: u64 = 1 << 20;

impl Recipe {
    /// Puts the preprocessing into the description of a file that states none, or that of the user in place of the
    /// file's.
    pub fn settle(&self, opened: &mut Opened) {
        if self.by_user || opened.description.preprocessing.is_none() {
            opened.description.preprocessing = Some(self.preprocessing.to_string());
        }
    }

    /// The preprocessing that is found for a file: that of the published weights with the name `wanted` if the user
    /// gives one; `None` if the file states its own or nothing is known of it.
    pub fn find(wanted: Option<&str>, path: &Path, model: Option<&str>) -> Result<Option<Self>, CliError> {
        if let Some(name) = wanted {
            let entry = model.and_then(|model| registry::find(model).ok());
            let unknown = || PublishedError::Recipe { found: name.to_owned(), known: places(entry) };
            let preprocessing = of_place(name).ok_or_else(unknown)?.1.preprocessing;
            return Ok(Some(Self { preprocessing, by_user: true, place: None }));
        }
        // An error of the file is reported when it is opened.
        let Ok(file) = TensorFile::open(path) else { return Ok(None) };
        if describe(&file).is_ok_and(|said| said.preprocessing.is_some()) {
            return Ok(None);
        }
        let models = model.map_or_else(|| models_of(&file), |model| vec![model]);
        let mut place = None;
        let (preprocessing, by, others) = match configured(path, &models)? {
            Some(preprocessing) => {
                let entry = models.first().and_then(|model| registry::find(model).ok());
                let others = entry.map_or(Vec::new(), |entry| others(entry, is_of_torch, &preprocessing));
                (preprocessing, "config.json".to_owned(), others)
            }
            None => {
                let Some((entry, weights)) = published_as(path)? else { return Ok(None) };
                place = Some(weights.place);
                let same =
                    |other: &Weights| other.labels == weights.labels && is_of_torch(other) == is_of_torch(weights);
                (weights.preprocessing, weights.place.to_owned(), others(entry, same, &weights.preprocessing))
            }
        };
        if !others.is_empty() {
            note(&format!(
                "note: {}: images are prepared by {by}: {preprocessing}; --recipe {} would prepare them otherwise",
                text::path(path),
                others.join(" or ")
            ));
        }
        Ok(Some(Self { preprocessing, by_user: false, place }))
    }
}

/// The preprocessing that timm's `config.json` beside a file states. It counts for a file with one of timm's names, and
/// for a model of the same architecture.
fn configured(path: &Path, models: &[&str]) -> Result<Option<Preprocessing>, CliError> {
    let Some(config) = configuration(path) else { return Ok(None) };
    let Ok(text) = String::from_utf8(input::bytes(&config)?) else { return Ok(None) };
    timm_preprocessing(&text, models)
        .map_err(|error| CliError::Damaged { path: config, what: format!("{error}; --recipe NAME chooses another") })
}

/// The configuration beside a file with one of timm's names, if there is one that can be read.
fn configuration(path: &Path) -> Option<PathBuf> {
    let is_timms = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| FILES.contains(&name));
    let config = path.with_file_name("config.json");
    let fits = |found: fs::Metadata| found.is_file() && found.len() <= MAX_CONFIG;
    (is_timms && fs::metadata(&config).is_ok_and(fits)).then_some(config)
}

/// All files that a command reads for one of weights: those with its tensors, and the configuration beside it.
pub fn files_of(file: &TensorFile) -> Vec<PathBuf> {
    let mut files = file.files();
    files.extend(configuration(file.path()));
    files
}

/// The published weights that a file is: by its name or the folder of its repository, else by its hash if it has the
/// size of a file that was published with one.
fn published_as(path: &Path) -> Result<Option<(&'static ModelEntry, &'static Weights)>, CliError> {
    if let Some(found) = of_path(path) {
        return Ok(Some(found));
    }
    if !fs::metadata(path).is_ok_and(|found| stated_size_fits(found.len())) {
        return Ok(None);
    }
    Ok(of_digest(&checksum::digest(path, &Hash::Sha256(String::new()))?))
}

/// Places of the weights that a file could be taken for too, and that want their images otherwise.
fn others(entry: &ModelEntry, same: impl Fn(&Weights) -> bool, chosen: &Preprocessing) -> Vec<&'static str> {
    let weights = entry.card().map_or(&[][..], |card| card.weights).iter();
    weights.filter(|other| same(other) && other.preprocessing != *chosen).map(|other| other.place).collect()
}

/// Keras' weights take other preprocessing than torch's of the same model.
fn is_of_torch(weights: &Weights) -> bool {
    weights.source != Source::Keras
}
