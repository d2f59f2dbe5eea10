//! Opening the model of a command from its file of weights.

use std::path::{Path, PathBuf};

use pvlu_zoo::checkpoint::{self, CheckpointError, Opened, Wanted};
use pvlu_zoo::weights::{TensorFile, WeightsError};

use super::args::ModelArgs;
use super::recipe::files_of;
use crate::common::device::placed;
use crate::common::error::CliError;

impl ModelArgs {
    /// Opens the model for images of this size; `fresh_head` is the seed of a head that the file does not have.
    pub fn open(&self, image: Option<(usize, usize)>, fresh_head: Option<u64>) -> Result<Opened, CliError> {
        let wanted = Wanted {
            model: self.model.as_deref(),
            activation: self.activation.as_deref(),
            classes: self.classes,
            image,
            source: self.source,
            fresh_head,
            allow_non_finite: self.allow_non_finite,
            average: self.ema,
        };
        let mut opened = open(&self.weights, &wanted)?;
        self.published.settle(&mut opened);
        opened.model = placed(opened.model)?;
        Ok(opened)
    }
}

/// All files that opening a file of weights reads, given whether the average of its weights is wanted. An error of the
/// file is reported when it is opened.
pub fn files_read(path: &Path, average: bool) -> Vec<PathBuf> {
    let file = if average { TensorFile::open_average(path) } else { TensorFile::open(path) };
    file.map_or_else(|_| vec![path.to_owned()], |file| files_of(&file))
}

/// Opens the model of a file. The error for weights that are not finite names the option that allows them.
pub fn open(path: &Path, wanted: &Wanted<'_>) -> Result<Opened, CliError> {
    checkpoint::open(path, wanted).map_err(|source| match source {
        CheckpointError::Weights(WeightsError::NotFinite { .. }) => CliError::NotFinite { source },
        source => source.into(),
    })
}
