//! Opening the images that a command names: the files of a published set, or a folder.

pub mod info;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pvlu_zoo::checkpoint::{Opened, describe};
use pvlu_zoo::data::FolderParts;
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::labels::LabelSet;
use pvlu_zoo::weights::TensorFile;

use super::args::DataArgs;
use super::trained_on::{Chosen, Origin, TrainedOn};
use crate::common::data;
use crate::common::data_name::DataName;
use crate::common::error::CliError;
use crate::common::images::{HELD_OUT, Images};
use crate::common::preprocessing::{self, preprocessing};

/// The images that a model is tuned and tested on.
#[derive(Debug)]
pub struct TuningSet {
    /// Names of the classes, in label order.
    pub classes: Vec<String>,
    /// Images to train on.
    pub train: Images,
    /// Images to test on.
    pub test: Images,
    /// Warnings about the images that a user should know before quoting a result.
    pub warnings: Vec<String>,
    /// The source of the training images.
    pub origin: Origin,
    /// Paths of the files that images in memory were read from.
    read: Vec<PathBuf>,
}

impl TuningSet {
    /// Paths of all files that the images come from.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.read.iter().map(PathBuf::as_path).chain(self.train.files()).chain(self.test.files())
    }
}

/// The images that a model is evaluated on.
#[derive(Debug)]
pub struct EvaluationSet {
    /// Names of the classes, in label order.
    pub classes: Vec<String>,
    /// Images to test on.
    pub test: Images,
    /// Notes and warnings about the images that a user should know before quoting a result.
    pub notes: Vec<String>,
}

/// Images, and the form in which a model is to be given them.
#[derive(Clone, Debug)]
pub struct Data {
    /// The kind of set.
    pub dataset: DataName,
    /// Path of the images.
    pub path: PathBuf,
    /// Mean of the pixels; `None` for the model's.
    mean: Option<[f32; 3]>,
    /// Standard deviation of the pixels; `None` for the model's.
    std: Option<[f32; 3]>,
    /// Height and width that the user asks for.
    image: Option<(usize, usize)>,
}

impl Data {
    /// The images that the options of a command name.
    pub fn of(args: &DataArgs) -> Result<Self, CliError> {
        let three = |name: &str, values: &Option<Vec<f32>>| {
            let exact = |values: &Vec<f32>| {
                <[f32; 3]>::try_from(values.as_slice())
                    .map_err(|_| CliError::Usage(format!("{name}: expected 3 numbers, found {}", values.len())))
            };
            values.as_ref().map(exact).transpose()
        };
        Ok(Self {
            dataset: args.dataset,
            path: data::required(args.data.as_deref(), "--data")?,
            mean: three("--mean", &args.mean)?,
            std: three("--std", &args.std)?,
            image: args.image.map(|side| (side, side)),
        })
    }

    /// Height and width that a model is tuned at: the user's, else those of a published set's images, else `None`.
    pub fn image_to_tune(&self) -> Option<(usize, usize)> {
        self.image.or(self.dataset.image())
    }

    /// Height and width that a model is evaluated at: the user's, else those of a published set's images if the file
    /// does not give any, else `None`.
    pub fn image_to_evaluate(&self, weights: &Path) -> Result<Option<(usize, usize)>, CliError> {
        if self.image.is_none() && self.dataset != DataName::Folder {
            // The size in the file is read when the model is opened, which limits it.
            let is_said = describe(&TensorFile::open(weights)?)?.image.is_some();
            return Ok(self.dataset.image().filter(|_| !is_said));
        }
        Ok(self.image)
    }

    /// Opens the images to evaluate a file of weights on. If the file was tuned here, it records the images that it was
    /// trained on, and those held out are chosen.
    pub fn open_to_evaluate(&self, weights: &Path) -> Result<EvaluationSet, CliError> {
        if self.dataset == DataName::Folder {
            let parts = FolderParts::open(&self.path)?;
            let said = describe(&TensorFile::open(weights)?)?;
            let trained_on = TrainedOn::of_text(said.trained_on.as_deref(), weights)?;
            let Chosen { images, mut notes } = trained_on.to_evaluate(parts, HELD_OUT, weights)?;
            // Only a tuning writes the names of classes.
            if trained_on.is_empty() && said.labels.is_some() {
                let weights = weights.display();
                notes.push(format!(
                    "warning: {weights} does not say which images it was tuned on; these may be among them"
                ));
            }
            let classes = images.classes().to_vec();
            return Ok(EvaluationSet { classes, test: Images::Files(Arc::new(images)), notes });
        }
        let TuningSet { classes, test, warnings, .. } = self.open_to_tune()?;
        Ok(EvaluationSet {
            classes,
            test,
            notes: warnings.iter().map(|warning| format!("warning: {warning}")).collect(),
        })
    }

    /// Opens the images to train and to test on.
    pub fn open_to_tune(&self) -> Result<TuningSet, CliError> {
        let set = match self.dataset {
            DataName::Known(set) => set.open(&self.path)?,
            DataName::Folder => {
                let parts = FolderParts::open(&self.path)?;
                let origin = Origin::folder(&parts, HELD_OUT);
                let (train, test, warnings) = parts.to_train(HELD_OUT)?;
                let classes = train.classes().to_vec();
                let [train, test] = [train, test].map(|folder| Images::Files(Arc::new(folder)));
                return Ok(TuningSet { classes, train, test, warnings, origin, read: Vec::new() });
            }
        };
        let classes = (0..set.classes).filter_map(|class| set.class_name(class)).collect();
        let [train, test] = Images::of_set(set.train, set.test)?;
        let (warnings, origin, read) = (set.warnings, Origin::set(self.dataset), set.files);
        Ok(TuningSet { classes, train, test, warnings, origin, read })
    }

    /// The set of classes that the weights are for: the data set's, else the usual one with as many classes as the
    /// model.
    fn labels(&self, opened: &Opened) -> Option<LabelSet> {
        let own = self.dataset.known().and_then(|set| LabelSet::of_names(set.class_names));
        own.or_else(|| LabelSet::usual(opened.model.classes()))
    }

    /// A note for the user on the choice of the preprocessing; see [`preprocessing::choice`].
    pub fn choice(&self, opened: &Opened, weights: &Path) -> Option<String> {
        preprocessing::choice(opened, self.labels(opened), weights)
    }

    /// The preprocessing of the set's images for a model: the model's own, with the mean and deviation that the user
    /// gave. The images of a published set show nothing but their object, so they are not cropped.
    pub fn preprocessing(&self, opened: &Opened, weights: &Path) -> Result<Preprocessing, CliError> {
        self.fitted(preprocessing(opened, self.labels(opened), weights)?, opened.model.image())
    }

    /// The usual preprocessing of a network of this input, for the images of the set: with the mean and deviation that
    /// the user gave, and those of a published set not cropped.
    pub fn fitted(&self, usual: Preprocessing, image: (usize, usize)) -> Result<Preprocessing, CliError> {
        let (mean, std) = (self.mean, self.std);
        let chosen = if mean.is_some() || std.is_some() { usual.with_statistics(mean, std) } else { Ok(usual) };
        let fitted = |chosen: Preprocessing| match self.dataset {
            DataName::Folder => chosen.with_input(image),
            DataName::Known(_) => chosen.whole(image),
        };
        chosen.and_then(fitted).map_err(|error| CliError::Usage(error.to_string()))
    }
}
