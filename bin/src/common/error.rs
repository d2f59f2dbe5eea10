//! Errors that end a command early.

use std::path::PathBuf;

use pvlu_zoo::data::DataError;
use pvlu_zoo::registry::RegistryError;
use pvlu_zoo::text;
use pvlu_zoo::train::TrainError;

use crate::common::difference::Difference;

/// An error of a command, printed as one line, except for lists of tensors that do not fit.
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
        /// The part without images, as it is written in the message.
        part: &'static str,
        /// Number of images for training, some of which are held out.
        train: usize,
        /// Number of images for testing.
        test: usize,
    },
    /// A model could not be built.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Training or evaluation failed.
    #[error("{run}: {source}")]
    Training {
        /// Name of the run that failed.
        run: String,
        /// Error of the training or evaluation.
        source: TrainError,
    },
    /// The loss of a fine-tuning is not finite any more.
    #[error("{run}: the loss is not finite any more; a smaller --learning-rate may help")]
    Diverged {
        /// Name of the run that diverged.
        run: String,
    },
    /// A file or folder could not be read.
    #[error("{}: cannot read: {}", text::path(path), text::system(source))]
    Read {
        /// Path of the file or folder that could not be read.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// No pretrained weights of a model were found.
    #[error("{folder}: no pretrained weights of {model}: expected {expected}, or .h5")]
    NoWeights {
        /// Name of the model without weights.
        model: String,
        /// Folder that was searched, or the text `no --weights`.
        folder: String,
        /// File names that were searched for, separated by "or".
        expected: String,
    },
    /// The values of a model could not be copied or put back.
    #[error(transparent)]
    Snapshot(#[from] pvlu_zoo::snapshot::SnapshotError),
    /// A file could not be written.
    #[error("{}: cannot write: {}", text::path(path), text::system(source))]
    Write {
        /// Path of the file or folder that could not be written.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// The worker threads could not be started.
    #[error("cannot start {threads} threads: {source}")]
    Threads {
        /// Number of threads that was asked for.
        threads: usize,
        /// Error of the thread pool.
        source: rayon::ThreadPoolBuildError,
    },
    /// The device that models were to compute on cannot be used.
    #[error(transparent)]
    Device(#[from] pvlu_zoo::device::DeviceError),
    /// A model could not be opened or saved.
    #[error(transparent)]
    Checkpoint(#[from] pvlu_zoo::checkpoint::CheckpointError),
    /// The head of a pretrained model does not fit the classes of the data, and no option draws a new one.
    #[error("only a head drawn anew fits, to be trained by --head-epochs or with head in --train: {source}")]
    Head {
        /// The error of opening the model without a new head.
        source: pvlu_zoo::checkpoint::CheckpointError,
    },
    /// A file holds weights that are infinite or NaN.
    #[error("{source}; --allow-non-finite loads it all the same")]
    NotFinite {
        /// The error that names the file and the tensor.
        source: pvlu_zoo::checkpoint::CheckpointError,
    },
    /// A model gave logits that are not finite.
    #[error("{input}: {source}")]
    Logits {
        /// Path of the file that holds the input.
        input: String,
        /// The logits that are not finite.
        source: pvlu_zoo::model::NotFinite,
    },
    /// A file of tensors could not be read or written.
    #[error(transparent)]
    Weights(#[from] pvlu_zoo::weights::WeightsError),
    /// A model could not be written in the format of another program.
    #[error(transparent)]
    Export(#[from] pvlu_zoo::export::ExportError),
    /// A name stands for no published weights, or for weights that are in no cache.
    #[error(transparent)]
    Published(#[from] pvlu_zoo::published::PublishedError),
    /// Published weights are not on this machine, and may not or cannot be fetched.
    #[error("{source}; {why}")]
    NotFetched {
        /// The error that names the weights, and where they were looked for.
        source: pvlu_zoo::published::PublishedError,
        /// The reason why they were not fetched.
        why: String,
    },
    /// A file could not be fetched.
    #[cfg(feature = "download")]
    #[error(transparent)]
    Download(#[from] crate::common::download::error::DownloadError),
    /// A file has another hash than its publisher states.
    #[error(
        "{}: expected {expected}, found {found}: the file is damaged or another one; without it, it is fetched anew",
        text::path(path)
    )]
    OtherHash {
        /// Path of the file.
        path: PathBuf,
        /// Hash that the publisher states.
        expected: pvlu_zoo::published::Hash,
        /// Hash of the file.
        found: String,
    },
    /// Some files have other hashes than their publishers state; each was reported.
    #[error("{wrong} of {files} files have another hash than their publishers state")]
    SomeFiles {
        /// Number of files with another hash.
        wrong: usize,
        /// Number of files that were checked.
        files: usize,
    },
    /// The network has no part of those that are to be trained.
    #[error(transparent)]
    Freeze(#[from] pvlu_zoo::transfer::FreezeError),
    /// An activation could not be swapped.
    #[error(transparent)]
    Swap(#[from] pvlu_zoo::model::SwapError),
    /// An image could not be read.
    #[error(transparent)]
    Image(#[from] pvlu_zoo::image::ImageError),
    /// An image file that was to be trained on or tested with could not be read.
    #[error("{source}; --skip-unreadable leaves out what cannot be read")]
    Unreadable {
        /// The error of the first such file.
        source: pvlu_zoo::image::ImageError,
    },
    /// An image file of a table could not be read.
    #[error("{source}; repair it or remove it")]
    UnreadableImage {
        /// The error of the first such file.
        source: pvlu_zoo::image::ImageError,
    },
    /// Some images of a list could not be read, or gave no answer; each was reported.
    #[error("{failed} of {images} images could not be read or gave no answer")]
    SomeImages {
        /// Number of images without an answer.
        failed: usize,
        /// Number of images that the command was given.
        images: usize,
    },
    /// A model failed to run.
    #[error("{model}: {source}")]
    Model {
        /// Name of the model that failed.
        model: &'static str,
        /// The error that the model returned.
        source: pvlu::Error,
    },
    /// A step takes more memory than the process may use.
    #[error(
        "{images} images at once take at least {wanted}, and this process may use {allowed}: choose a smaller {option}"
    )]
    Memory {
        /// Number of images in the step.
        images: usize,
        /// Least memory that the step takes, with its unit.
        wanted: String,
        /// Memory that the process may use, with its unit.
        allowed: String,
        /// The option that sets the number of images.
        option: String,
    },
    /// Ctrl-C or SIGTERM came when there was nothing to keep.
    #[error("interrupted; nothing was saved")]
    Stopped,
    /// Another file took the name of the file to be written after the command began.
    #[error("{}: something is there by now that was not when this began; --force would replace it", path.display())]
    Taken {
        /// Path that was free when the command began.
        path: PathBuf,
    },
    /// A command ended early, and a file keeps its results.
    #[error("{}; {what} was kept in {}", source.before_keeping(), path.display())]
    Kept {
        /// The error that ended the command.
        source: Box<CliError>,
        /// Description of the results that were kept.
        what: String,
        /// Path of the file that keeps them.
        path: PathBuf,
    },
    /// A command ended early, and its results could not be kept.
    #[error("{}; {what} could not be kept: {failure}", source.before_keeping())]
    NotKept {
        /// The error that ended the command.
        source: Box<CliError>,
        /// Description of the results that were lost.
        what: String,
        /// The error of writing them.
        failure: Box<CliError>,
    },
    /// A file holds no protocol.
    #[error("{}:{line}:{column}: {what}", text::path(path))]
    Protocol {
        /// Path of the file.
        path: PathBuf,
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault in characters, from 1.
        column: usize,
        /// The key, what was expected there, and what was found.
        what: String,
    },
    /// Options contradict each other or the data.
    #[error("{0}")]
    Usage(String),
    /// The content of a file is not what this program could have written.
    #[error("{}: {what}", text::path(path))]
    Damaged {
        /// Path of the damaged file.
        path: PathBuf,
        /// The fault in the file's content.
        what: String,
    },
    /// A run that was kept has other settings than the one that the command would go on with.
    #[error(
        "{}: of another command: {difference}: choose another --out, or leave out --resume, which moves it aside",
        text::path(path)
    )]
    OtherConfiguration {
        /// Path of the record or checkpoint.
        path: PathBuf,
        /// The first difference between the settings.
        difference: Difference,
    },
    /// A training that was kept has other settings than the one that the command would go on with.
    #[error(
        "{}: of another training: {difference}: choose another folder, or begin anew with --fresh",
        text::path(path)
    )]
    OtherTraining {
        /// Path of the record or checkpoint.
        path: PathBuf,
        /// The first difference between the settings.
        difference: Difference,
    },
    /// Runs that were planned are in none of the merged folders.
    #[error("merge: {table} lacks {missing}; --partial puts the others together")]
    Gaps {
        /// Name of the table that lacks runs.
        table: String,
        /// Addresses of the missing runs, separated by commas.
        missing: String,
    },
    /// Another rank of a command that several do has ended with an error.
    #[error("{name}: {text}")]
    Rank {
        /// Number and machine of the rank.
        name: String,
        /// Exit code of its error.
        code: u8,
        /// The error of the rank.
        text: String,
    },
    /// A rank does something else than the first one.
    #[error(
        "{name}: {what}: expected that of rank 0, {expected}, found {found}: give all ranks the same program, options \
         and files"
    )]
    RanksDiffer {
        /// Number and machine of the rank.
        name: String,
        /// Name of the text that differs.
        what: String,
        /// That of the first rank.
        expected: String,
        /// That of this rank.
        found: String,
    },
    /// Another command is writing in an output folder.
    #[error("{}: another command is writing there: wait for its end, or choose another {option}", folder.display())]
    InUse {
        /// The output folder that is in use.
        folder: PathBuf,
        /// The option that names the output folder.
        option: &'static str,
    },
    /// Ctrl-C or SIGTERM ended a command whose trainings are kept.
    #[error(
        "interrupted; the training was kept in {}: the same command goes on (with --resume, not --fresh)",
        text::path(out)
    )]
    TrainingInterrupted {
        /// The output folder that keeps the trainings.
        out: PathBuf,
    },
    /// Ctrl-C ended a command whose finished runs and checkpoints are kept.
    #[error(
        "interrupted; finished runs and the one under way are kept in {}: the same command goes on (with --resume, not \
         --fresh)",
        text::path(out)
    )]
    Interrupted {
        /// The output folder that keeps the runs.
        out: PathBuf,
    },
}

impl CliError {
    /// The beginning of a message that goes on with the results that were kept.
    fn before_keeping(&self) -> String {
        match self {
            CliError::Stopped => "interrupted".to_owned(),
            error => error.to_string(),
        }
    }
}
