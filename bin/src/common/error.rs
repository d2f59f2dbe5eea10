//! What ends a command early, and the exit code it ends with.

use std::path::PathBuf;

use pvlu_zoo::data::DataError;
use pvlu_zoo::registry::RegistryError;
use pvlu_zoo::text;
use pvlu_zoo::train::TrainError;

use crate::common::difference::Difference;

/// An error of a command. One line each, but for lists of tensors that do not fit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The data set could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The data set has no images for one of the parts.
    #[error("{data}: too few images, none are left {part} ({train} training and {test} test images)")]
    TooFewImages {
        /// Name of the data set.
        data: &'static str,
        /// The part without images.
        part: &'static str,
        /// Images for training, some of which are held out.
        train: usize,
        /// Images for testing.
        test: usize,
    },
    /// A model could not be built.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Training or evaluation failed.
    #[error("{run}: {source}")]
    Training {
        /// The run that failed.
        run: String,
        /// Why.
        source: TrainError,
    },
    /// The loss of a fine-tuning is not finite any more.
    #[error("{run}: the loss is not finite any more; a smaller --learning-rate may help")]
    Diverged {
        /// The run that diverged.
        run: String,
    },
    /// A file or folder could not be read.
    #[error("{}: cannot read: {}", text::path(path), text::system(source))]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No pretrained weights of a model.
    #[error("{folder}: no pretrained weights of {model}: expected {expected}, or .h5")]
    NoWeights {
        /// The model.
        model: String,
        /// Where they were looked for.
        folder: String,
        /// Names that were looked for.
        expected: String,
    },
    /// The values of a model could not be taken over.
    #[error(transparent)]
    Snapshot(#[from] pvlu_zoo::snapshot::SnapshotError),
    /// A file could not be written.
    #[error("{}: cannot write: {}", text::path(path), text::system(source))]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The worker threads could not be started.
    #[error("cannot start {threads} threads: {source}")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// Why.
        source: rayon::ThreadPoolBuildError,
    },
    /// The device that models were to compute on.
    #[error(transparent)]
    Device(#[from] pvlu_zoo::device::DeviceError),
    /// A model could not be opened or saved.
    #[error(transparent)]
    Checkpoint(#[from] pvlu_zoo::checkpoint::CheckpointError),
    /// A pretrained model whose head does not fit.
    #[error("only a head drawn anew fits, to be trained by --head-epochs or with head in --train: {source}")]
    Head {
        /// What does not fit.
        source: pvlu_zoo::checkpoint::CheckpointError,
    },
    /// Weights that are infinite or no numbers.
    #[error("{source}; --allow-non-finite loads it all the same")]
    NotFinite {
        /// Which.
        source: pvlu_zoo::checkpoint::CheckpointError,
    },
    /// A model gave no answer for an input.
    #[error("{input}: {source}")]
    Logits {
        /// The file of the input.
        input: String,
        /// What it gave.
        source: pvlu_zoo::model::NotFinite,
    },
    /// A file of tensors could not be read or written.
    #[error(transparent)]
    Weights(#[from] pvlu_zoo::weights::WeightsError),
    /// What is to be trained is not in the network.
    #[error(transparent)]
    Freeze(#[from] pvlu_zoo::transfer::FreezeError),
    /// An activation could not be swapped.
    #[error(transparent)]
    Swap(#[from] pvlu_zoo::model::SwapError),
    /// An image could not be read.
    #[error(transparent)]
    Image(#[from] pvlu_zoo::image::ImageError),
    /// Some images of a list could not be read, or gave no answer; each was reported.
    #[error("{failed} of {images} images could not be read or gave no answer")]
    SomeImages {
        /// Images without an answer.
        failed: usize,
        /// Images that were asked for.
        images: usize,
    },
    /// A model failed to run.
    #[error("{model}: {source}")]
    Model {
        /// The model.
        model: &'static str,
        /// Why.
        source: pvlu::Error,
    },
    /// A step that takes more memory than there is.
    #[error(
        "{images} images at once take at least {wanted}, and this process may use {allowed}: choose a smaller {option}"
    )]
    Memory {
        /// Images of the step.
        images: usize,
        /// What it takes at least.
        wanted: String,
        /// What the process may use.
        allowed: String,
        /// The option that says how many images.
        option: String,
    },
    /// Ctrl-C or SIGTERM, with nothing to keep.
    #[error("interrupted; nothing was saved")]
    Stopped,
    /// Something has the name of the file to be written that had not when the command began.
    #[error("{}: something is there by now that was not when this began; --force would replace it", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// What ended a command early, and the file that keeps what it had computed.
    #[error("{}; {what} was kept in {}", source.before_keeping(), path.display())]
    Kept {
        /// What ended it.
        source: Box<CliError>,
        /// What was computed.
        what: String,
        /// The file that it is in.
        path: PathBuf,
    },
    /// What ended a command early, and why what it had computed could not be kept.
    #[error("{}; {what} could not be kept: {failure}", source.before_keeping())]
    NotKept {
        /// What ended it.
        source: Box<CliError>,
        /// What was computed.
        what: String,
        /// Why it could not be written.
        failure: Box<CliError>,
    },
    /// Options that contradict each other or the data.
    #[error("{0}")]
    Usage(String),
    /// A file that this program wrote, and that it cannot have written so.
    #[error("{}: {what}", text::path(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A run that was kept is not the one that the command would go on with.
    #[error(
        "{}: of another command: {difference}: choose another --out, or leave out --resume, which moves it aside",
        text::path(path)
    )]
    OtherConfiguration {
        /// The record or checkpoint.
        path: PathBuf,
        /// What differs.
        difference: Difference,
    },
    /// Runs that were planned and are in no folder.
    #[error("merge: {table} lacks {missing}; --partial puts the others together")]
    Gaps {
        /// The table.
        table: String,
        /// The runs.
        missing: String,
    },
    /// Another command writes in an output folder.
    #[error("{}: another command is writing there: wait for its end, or choose another --out", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// Ctrl-C. What was done is kept.
    #[error(
        "interrupted; finished runs and the one under way are kept in {}: the same command goes on (with --resume in \
         the place of --fresh)",
        text::path(out)
    )]
    Interrupted {
        /// The output folder.
        out: PathBuf,
    },
}

impl CliError {
    /// What happened, before it is said what was kept.
    fn before_keeping(&self) -> String {
        match self {
            CliError::Stopped => "interrupted".to_owned(),
            error => error.to_string(),
        }
    }
}
