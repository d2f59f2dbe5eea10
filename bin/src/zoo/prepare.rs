//! Opening the model of a command from its file of weights.

use std::path::{Path, PathBuf};

use pvlu_zoo::checkpoint::{self, CheckpointError, Opened, Wanted};
use pvlu_zoo::weights::{Source, TensorFile, WeightsError};

use super::recipe::{Recipe, files_of};
use crate::common::device::placed;
use crate::common::error::CliError;

/// A model that a command opens, once it is known in which file it is.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// Path of the file of weights.
    pub path: PathBuf,
    /// Name of the model; `None` for the one that the file is of.
    pub model: Option<String>,
    /// Text of the activation; `None` for the file's.
    pub activation: Option<String>,
    /// Number of classes; `None` for the file's.
    pub classes: Option<usize>,
    /// Naming of the tensors in the file; `None` if it is to be recognized.
    pub source: Option<Source>,
    /// True if weights may be infinite or no numbers.
    pub allow_non_finite: bool,
    /// True for the moving average of the weights that a checkpoint of torch keeps beside them.
    pub average: bool,
    /// The preprocessing that was found for the file, if it was looked for.
    pub recipe: Option<Recipe>,
}

impl ModelFile {
    /// Opens the model, on the chosen device, for images of this size; `fresh_head` is the seed of a head that the file
    /// does not have.
    pub fn open(&self, image: Option<(usize, usize)>, fresh_head: Option<u64>) -> Result<Opened, CliError> {
        let mut opened = self.open_on_cpu(image, fresh_head)?;
        opened.model = placed(opened.model)?;
        Ok(opened)
    }

    /// As [`open`](Self::open), for a command that computes nothing.
    pub fn open_on_cpu(&self, image: Option<(usize, usize)>, fresh_head: Option<u64>) -> Result<Opened, CliError> {
        let wanted = Wanted {
            model: self.model.as_deref(),
            activation: self.activation.as_deref(),
            classes: self.classes,
            image,
            source: self.source,
            fresh_head,
            allow_non_finite: self.allow_non_finite,
            average: self.average,
        };
        let mut opened = open(&self.path, &wanted)?;
        if let Some(recipe) = &self.recipe {
            recipe.settle(&mut opened);
        }
        Ok(opened)
    }

    /// All files that opening the model reads.
    pub fn files(&self) -> Vec<PathBuf> {
        files_read(&self.path, self.average)
    }
}

/// All files that opening a file of weights reads, given whether the average of its weights is wanted. An error of the
/// file is reported when it is opened.
fn files_read(path: &Path, average: bool) -> Vec<PathBuf> {
    let file = if average { TensorFile::open_average(path) } else { TensorFile::open(path) };
    file.map_or_else(|_| vec![path.to_owned()], |file| files_of(&file))
}

/// Opens the model of a file. The error for weights that are not finite names the option that allows them.
fn open(path: &Path, wanted: &Wanted<'_>) -> Result<Opened, CliError> {
    checkpoint::open(path, wanted).map_err(|source| match source {
        CheckpointError::Weights(WeightsError::NotFinite { .. }) => CliError::NotFinite { source },
        source => source.into(),
    })
}
