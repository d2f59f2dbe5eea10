//! What commands share: opening a model, and the images that it is given.

use std::path::Path;

use pvlu_zoo::checkpoint::{self, Opened, Wanted};
use pvlu_zoo::data::{Dataset, Normalization};
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::labels::LabelSet;
use pvlu_zoo::metadata;
use pvlu_zoo::registry::Entry;
use pvlu_zoo::weights::{LoadReport, Source};

use super::args::{DataArgs, DataName, ModelArgs};
use crate::error::CliError;

impl ModelArgs {
    /// Opens the model for images of this size; `fresh_head` is the seed of a head that the file does not have.
    pub fn open(&self, image: Option<(usize, usize)>, fresh_head: Option<u64>) -> Result<Opened, CliError> {
        let wanted = Wanted {
            model: self.model.as_deref(),
            activation: self.activation.as_deref(),
            classes: self.classes,
            image,
            source: self.source.map(Source::from),
            fresh_head,
        };
        Ok(checkpoint::open(&self.weights, &wanted)?)
    }
}

/// How a model wants its images: as its file says, else as the publisher of such a file does.
pub fn preprocessing(opened: &Opened, labels: Option<LabelSet>, weights: &Path) -> Result<Preprocessing, CliError> {
    if let Some(text) = &opened.description.preprocessing {
        let wrong = |error| CliError::Usage(format!("{}: preprocessing {text:?}: {error}", weights.display()));
        return text.parse().map_err(wrong);
    }
    Ok(usual(opened.entry, &opened.report, labels))
}

/// The publisher's preprocessing.
fn usual(entry: &Entry, report: &LoadReport, labels: Option<LabelSet>) -> Preprocessing {
    let Some(card) = metadata::find(entry.name) else { return Preprocessing::TORCHVISION };
    let of_source = |weights: &&metadata::Weights| match report.source {
        Source::Keras => weights.origin.format() == "keras",
        _ => true,
    };
    let fits = |weights: &&metadata::Weights| labels.is_none_or(|labels| weights.labels == labels);
    let published = card.weights.iter().filter(fits).find(of_source);
    published.map_or(card.preprocessing, |weights| weights.preprocessing)
}

impl DataName {
    /// The classes of the set, where they are known.
    pub fn labels(self) -> Option<LabelSet> {
        match self {
            DataName::Cifar10 => Some(LabelSet::Cifar10),
            DataName::Cifar100 => Some(LabelSet::Cifar100),
            DataName::Folder => None,
        }
    }
}

impl DataArgs {
    /// Height and width that images are given to the model with, if that is said.
    pub fn image(&self) -> Option<(usize, usize)> {
        let usual = if self.dataset == DataName::Folder { None } else { Some(32) };
        self.image.or(usual).map(|side| (side, side))
    }

    /// Reads the set at 32x32.
    pub fn open(&self) -> Result<Dataset, CliError> {
        Ok(match self.dataset {
            DataName::Cifar10 => Dataset::open_cifar10(&self.data)?,
            DataName::Cifar100 => Dataset::open_cifar100(&self.data)?,
            DataName::Folder => Dataset::open_folder(&self.data, 0.1)?,
        })
    }

    /// The model's preprocessing with the mean and deviation that the user gave.
    pub fn preprocessing(&self, opened: &Opened, weights: &Path) -> Result<Preprocessing, CliError> {
        let usual = preprocessing(opened, self.dataset.labels(), weights)?;
        if self.mean.is_none() && self.std.is_none() {
            return Ok(usual);
        }
        let three = |name: &str, values: &Option<Vec<f32>>, otherwise: [f32; 3]| match values {
            None => Ok(otherwise),
            Some(values) => <[f32; 3]>::try_from(values.as_slice())
                .map_err(|_| CliError::Usage(format!("{name}: expected 3 numbers, found {}", values.len()))),
        };
        let (mean, std) = (three("--mean", &self.mean, usual.mean())?, three("--std", &self.std, usual.std())?);
        Preprocessing::new(usual.input(), usual.fit(), usual.interpolation(), usual.channels(), 255.0, mean, std)
            .map_err(|error| CliError::Usage(error.to_string()))
    }
}

/// The normalisation of images in memory; an error for a preprocessing that is more than that.
pub fn normalization(preprocessing: &Preprocessing) -> Result<Normalization, CliError> {
    let normalization = Normalization { mean: preprocessing.mean(), std: preprocessing.std() };
    if preprocessing.divisor() != 255.0 || preprocessing.channels() != pvlu_zoo::image::Channels::Rgb {
        return Err(CliError::Usage(format!(
            "the model wants images as {preprocessing}: for 32x32 images give --mean and --std instead"
        )));
    }
    Ok(normalization)
}
