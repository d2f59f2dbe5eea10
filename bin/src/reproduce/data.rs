//! The images that a table is run on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pvlu::Precision;
use pvlu_zoo::data::{DataError, Dataset, KnownSet, Split};
use pvlu_zoo::text;

use crate::common::data::{self, DATA_VARIABLE};
use crate::common::error::CliError;
use crate::common::{device, digest};
use crate::reproduce::overrides::Overrides;
use crate::reproduce::protocol::budget::{self, HELD_OUT, PROCEDURAL_SEED};
use crate::reproduce::protocol::preset::Preset;
use crate::reproduce::request::ImageRequest;
use crate::reproduce::runs::config::Setup;

/// The chosen data set and the preset that goes with it.
#[derive(Debug)]
pub struct Chosen {
    /// All images of the set.
    pub dataset: Dataset,
    /// The preset in force: `paper` on CIFAR images and `quick` on procedural ones, unless the user said otherwise.
    pub preset: Preset,
    /// A line for the user on the source of the images.
    pub note: String,
    /// Numbers of training and test images in the set before any limit.
    available: (usize, usize),
}

/// The images of a table, divided into its three parts.
#[derive(Debug)]
pub struct Parts {
    /// Images to train on.
    pub train: Arc<Split>,
    /// Images held out of training, whose accuracy selects the epoch.
    pub validation: Arc<Split>,
    /// Images to test on.
    pub test: Arc<Split>,
}

impl Parts {
    /// SHA-256 in hexadecimal over all images and then all labels, in little-endian order.
    fn hash(&self) -> String {
        let splits = [&self.train, &self.validation, &self.test];
        let labels =
            splits.map(|split| split.labels().iter().flat_map(|label| label.to_le_bytes()).collect::<Vec<u8>>());
        let images = splits.into_iter().flat_map(|split| (0..split.len()).map(|index| split.image(index)));
        digest::of_parts(images.chain(labels.iter().map(Vec::as_slice)))
    }
}

impl Chosen {
    /// Numbers of training and test images that the preset takes: at most `quick`, or all.
    pub fn usual(&self, quick: (usize, usize)) -> (usize, usize) {
        let (train, test) = self.available;
        self.preset.pick((quick.0.min(train), quick.1.min(test)), (train, test))
    }

    /// The images that a table uses: as many as `quick` says under the quick preset, unless the user said otherwise.
    pub fn parts(&self, request: &ImageRequest, quick: (usize, usize)) -> Result<Parts, CliError> {
        let (train, test) = self.usual(quick);
        let limit_train = request.limit_train.unwrap_or(train);
        let limit_test = request.limit_test.unwrap_or(test);
        let held_out = request.held_out.unwrap_or(HELD_OUT);
        let (train, validation) = self.dataset.train.limit(limit_train).split_validation(held_out)?;
        let test = self.dataset.test.limit(limit_test);
        for (split, part) in [(&train, "to train on"), (&validation, "to hold out"), (&test, "to test on")] {
            if split.is_empty() {
                let (data, train, test) = (self.dataset.name, self.dataset.train.len().min(limit_train), test.len());
                let error = CliError::TooFewImages { data, part, train, test };
                let limited = request.limit_train.is_some() || request.limit_test.is_some();
                return Err(if limited {
                    CliError::Usage(format!("{error}: raise --limit-train or --limit-test"))
                } else {
                    error
                });
            }
        }
        Ok(Parts { train: Arc::new(train), validation: Arc::new(validation), test: Arc::new(test) })
    }

    /// Lines for the user: the source of the images, and the warnings on them.
    pub fn notes(&self) -> Vec<String> {
        let warnings = self.dataset.warnings.iter().map(|warning| format!("warning: {warning}"));
        std::iter::once(self.note.clone()).chain(warnings).collect()
    }

    /// The part of a run's configuration on its program, its precision, its preset and its images.
    pub fn setup(&self, parts: &Parts, overrides: &Overrides, precision: Precision) -> Setup {
        Setup {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            numerics: Some(pvlu::NUMERICS_VERSION.into()),
            // The CPU and CUDA round differently; instruction sets do not.
            device: Some(device::kind().to_owned()),
            precision: precision.is_reduced().then(|| precision.name().to_owned()),
            data: self.dataset.name.to_owned(),
            data_sha256: parts.hash(),
            data_warnings: self.dataset.warnings.join("; "),
            preset: overrides.of(self.preset),
            overridden: overrides.options(),
            classes: self.dataset.classes,
            train_images: parts.train.len(),
            val_images: parts.validation.len(),
            test_images: parts.test.len(),
        }
    }
}

/// The set from `--data`, `$PVLU_ZOO_DATA` or `./data`, else the procedural images.
///
/// A folder that the user names must have the files. `./data` may be any folder of the user's, and is taken only if it
/// has them. If its files are damaged, that is an error too, since the user would not expect numbers of the procedural
/// images instead of CIFAR's.
///
/// Under the quick preset the procedural set has as many training and test images as `quick` says.
pub fn choose(set: &KnownSet, request: &ImageRequest, quick: (usize, usize)) -> Result<Chosen, CliError> {
    let (dataset, folder) = match known(set, request.data.as_deref())? {
        Place::Has(dataset, folder) => (*dataset, folder),
        Place::Lacks(why) => return procedural(set, request, quick, why.as_deref()),
    };
    let note = format!("data: {} from {}", set.title, text::path(&folder));
    let available = (dataset.train.len(), dataset.test.len());
    Ok(Chosen { dataset, preset: request.preset.unwrap_or(Preset::Paper), note, available })
}

/// Images to draw, from the same source as a table's, and a line for the user on the source; a procedural set has
/// `count` test images.
pub fn choose_images(set: &KnownSet, data: Option<&Path>, count: usize) -> Result<(Dataset, String), CliError> {
    if let Place::Has(dataset, folder) = known(set, data)? {
        let note = format!("data: {} from {}", set.title, text::path(&folder));
        return Ok((*dataset, note));
    }
    let dataset = Dataset::procedural(budget::quick::CLASSES, 1, count, PROCEDURAL_SEED)?;
    Ok((dataset, format!("data: no {} given, so the built-in procedural images are used", set.title)))
}

/// The result of looking for a set in a folder.
enum Place {
    /// The set, read from this folder.
    Has(Box<Dataset>, PathBuf),
    /// `./data` lacks the set; the text says so if it has the set in a form that is not read.
    Lacks(Option<String>),
}

/// The set from the folder that the user named, else from `./data`.
fn known(set: &KnownSet, data: Option<&Path>) -> Result<Place, DataError> {
    if let Some(folder) = data::path(data) {
        return Ok(Place::Has(Box::new(set.open(&folder)?), folder));
    }
    let here = Path::new("data");
    if !here.is_dir() {
        return Ok(Place::Lacks(None));
    }
    match set.open(here) {
        Ok(dataset) => Ok(Place::Has(Box::new(dataset), here.to_owned())),
        Err(DataError::MissingFile { .. }) => Ok(Place::Lacks(None)),
        Err(error @ DataError::OtherForm { .. }) => Ok(Place::Lacks(Some(error.to_string()))),
        // `./data` is the folder of another set. An error about a file is not passed over: that file has the name of a
        // wanted one.
        Err(DataError::WrongSet { path, .. }) if path.is_dir() => Ok(Place::Lacks(None)),
        Err(error) => Err(error),
    }
}

fn procedural(
    set: &KnownSet,
    request: &ImageRequest,
    quick: (usize, usize),
    why: Option<&str>,
) -> Result<Chosen, CliError> {
    let preset = request.preset.unwrap_or(Preset::Quick);
    let (classes, train, test) = match preset {
        Preset::Quick => (budget::quick::CLASSES, quick.0, quick.1),
        Preset::Paper => (set.class_names.len(), set.official[0], set.official[1]),
    };
    let available = (train, test);
    // A smaller set is the beginning of the larger one, so images beyond a limit need not be drawn.
    let train = request.limit_train.map_or(train, |limit| limit.min(train));
    let test = request.limit_test.map_or(test, |limit| limit.min(test));
    let note = format!(
        "data: no {} given (--data, ${DATA_VARIABLE} or ./data), so the built-in procedural images are used: \
         {classes} classes, {train} for training, {test} for testing. Numbers say nothing about CIFAR{}",
        set.title,
        why.map_or_else(String::new, |why| format!(" ({why})"))
    );
    let dataset = Dataset::procedural(classes, train, test, PROCEDURAL_SEED)?;
    Ok(Chosen { dataset, preset, note, available })
}
