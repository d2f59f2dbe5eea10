//! Errors of reading, writing and matching weights.

use std::io;
use std::path::PathBuf;

use pvlu::Precision;

use super::configuration::Differences;
use super::mismatch::Mismatch;
use super::name::shown;
use crate::source::Source;
use crate::text;

/// Error of the weights module. A message names the file, the key, what was expected and what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// Opening, reading or writing failed.
    #[error("{}: {}", text::path(path), text::system(source))]
    Io {
        /// Path of the file that could not be opened, read or written.
        path: PathBuf,
        /// Error that the system reported.
        source: io::Error,
    },
    /// A URL was given instead of a path.
    #[error("{}: a URL, which is not read here: download the file first, and give its path", text::path(path))]
    Url {
        /// The URL that was given.
        path: PathBuf,
    },
    /// A regular file was expected, something else has its name.
    #[error("{}: expected a file, found {found}", text::path(path))]
    NotAFile {
        /// Path of the entry that is no regular file.
        path: PathBuf,
        /// Description of the entry at the path, e.g. `a folder`.
        found: &'static str,
    },
    /// The file is in no format that is read here.
    #[error("{}: expected a file of safetensors, torch or HDF5, found {found}", text::path(path))]
    Format {
        /// Path of the file in another format.
        path: PathBuf,
        /// Description of the file by its first bytes or its name, with what to do with it.
        found: String,
    },
    /// The structure of the file is damaged, cut short or not what its format allows.
    #[error("{}: {what}: expected {expected}, found {found}", text::path(path))]
    Structure {
        /// Path of the file that is damaged or cannot be written.
        path: PathBuf,
        /// Part of the file that is wrong, e.g. `header length`.
        what: String,
        /// Description of what the format allows there.
        expected: String,
        /// Description of what was found there.
        found: String,
    },
    /// A tensor cannot be decoded.
    #[error("{}: {}: expected {expected}, found {found}", text::path(path), shown(key))]
    Tensor {
        /// Path of the file that should hold the tensor.
        path: PathBuf,
        /// Name of the tensor in the file.
        key: String,
        /// Description of a tensor that could be read.
        expected: String,
        /// Description of the tensor that was found.
        found: String,
    },
    /// A finite number of the file is infinite in the type of the model, or the other way round.
    #[error("{}: {}: element {index}: expected a number within {dtype}, found {value:e}", text::path(path), shown(key))]
    Range {
        /// Path of the file to be read or written.
        path: PathBuf,
        /// Name of the tensor in the file.
        key: String,
        /// Position in the tensor, row-major.
        index: usize,
        /// Number that is out of range.
        value: f64,
        /// Name of the type that the number does not fit into.
        dtype: &'static str,
    },
    /// A tensor holds infinities or NaNs.
    #[error(
        "{}: {}: element {index}: expected a finite number, found {value}; {count} there are not finite, and {}; \
         nothing was loaded", text::path(path), shown(key), others(*tensors)
    )]
    NotFinite {
        /// Path of the file that holds the tensor.
        path: PathBuf,
        /// Name of the first such tensor in the file, in the order of the model.
        key: String,
        /// Position of the first such number, row-major.
        index: usize,
        /// First number that is not finite: an infinity or NaN.
        value: f64,
        /// Number of such elements in that tensor.
        count: usize,
        /// Number of tensors with such elements, this one included.
        tensors: usize,
    },
    /// The file is of a model whose layers have the same names and shapes, and compute something else. Nothing was
    /// loaded.
    #[error("{}: {differences}", text::path(path))]
    Configuration {
        /// Path of the file whose layers differ.
        path: PathBuf,
        /// All differences between the file and the model.
        differences: Differences,
    },
    /// The tensors of the file are not those of the model. Nothing was loaded.
    #[error("{}: {mismatch}", text::path(path))]
    Mismatch {
        /// Path of the file whose tensors do not fit.
        path: PathBuf,
        /// Every tensor that does not fit.
        mismatch: Mismatch,
    },
    /// A source that has no names for the model.
    #[error(
        "{}: the model has no {found} names; it has those of {}",
        text::path(path),
        text::listed(known, usize::MAX)
    )]
    Names {
        /// Path of the file to be read or written.
        path: PathBuf,
        /// Source that was asked for.
        found: Source,
        /// Sources that have names for the model.
        known: Vec<Source>,
    },
    /// A model whose layers are not those of its list of names.
    #[error("{path}: the model has other layers than the {named} that have names")]
    Layers {
        /// Path of the tensor without a name.
        path: String,
        /// Layers that have names.
        named: usize,
    },
    /// A saved training of a network that computed in another precision. Nothing was restored.
    #[error(
        "{}: a training in which the layer {} computed in {kept}, and here it computes in {here}: set the network's \
         precision to that of the training, or train anew",
        text::path(path),
        shown(layer)
    )]
    Precision {
        /// Path of the saved training.
        path: PathBuf,
        /// Path in the network of the first such layer.
        layer: String,
        /// Precision of the layer in the training that was saved.
        kept: Precision,
        /// Precision of the layer in the network that was to go on.
        here: Precision,
    },
    /// The network or its device reported an error.
    #[error(transparent)]
    Device(#[from] pvlu::Error),
    /// A tensor given to the [`Writer`](super::Writer) is not the one declared next.
    #[error("{}: expected tensor {expected}, found {found}", text::path(path))]
    Order {
        /// Path of the file to be written.
        path: PathBuf,
        /// The declared tensor, or a note that none is left.
        expected: String,
        /// The given tensor, or a note that there is none.
        found: String,
    },
}

/// Text about the number of tensors with such elements beside the one that is named.
fn others(tensors: usize) -> String {
    match tensors - 1 {
        0 => "no other tensor has such".to_owned(),
        1 => "one tensor more has such".to_owned(),
        more => format!("{more} tensors more have such"),
    }
}
