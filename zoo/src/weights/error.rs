//! Everything that can go wrong between a file of weights and a model.

use std::io;
use std::path::PathBuf;

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
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An address in the place of a path.
    #[error("{}: a URL, which is not read here: download the file first, and give its path", text::path(path))]
    Url {
        /// What was given.
        path: PathBuf,
    },
    /// A regular file was expected, something else has its name.
    #[error("{}: expected a file, found {found}", text::path(path))]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// The file is in no format that is read here.
    #[error("{}: expected a safetensors or HDF5 file, found {found}", text::path(path))]
    Format {
        /// The file.
        path: PathBuf,
        /// What it looks like, and what to do with it.
        found: String,
    },
    /// The structure of the file is damaged, cut short or not what its format allows.
    #[error("{}: {what}: expected {expected}, found {found}", text::path(path))]
    Structure {
        /// The file.
        path: PathBuf,
        /// Which part.
        what: String,
        /// What the format allows there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A tensor cannot be decoded.
    #[error("{}: {}: expected {expected}, found {found}", text::path(path), shown(key))]
    Tensor {
        /// The file.
        path: PathBuf,
        /// Name of the tensor in the file.
        key: String,
        /// What can be read.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A finite number of the file is infinite in the type of the model, or the other way round.
    #[error("{}: {}: element {index}: expected a number within {dtype}, found {value:e}", text::path(path), shown(key))]
    Range {
        /// The file.
        path: PathBuf,
        /// Name of the tensor in the file.
        key: String,
        /// Position in the tensor, row-major.
        index: usize,
        /// The number.
        value: f64,
        /// Type that it does not fit into.
        dtype: &'static str,
    },
    /// A tensor holds infinities, or what is no number.
    #[error(
        "{}: {}: element {index}: expected a finite number, found {value}; {count} there are not finite, and {}; \
         nothing was loaded", text::path(path), shown(key), others(*tensors)
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Name of the first such tensor in the file, in the order of the model.
        key: String,
        /// Position of the first such number, row-major.
        index: usize,
        /// The number.
        value: f64,
        /// Such numbers in that tensor.
        count: usize,
        /// Such tensors, this one included.
        tensors: usize,
    },
    /// The file is of a model whose layers have the same names and shapes, and compute something else. Nothing was
    /// loaded.
    #[error("{}: {differences}", text::path(path))]
    Configuration {
        /// The file.
        path: PathBuf,
        /// Every difference.
        differences: Differences,
    },
    /// The tensors of the file are not those of the model. Nothing was loaded.
    #[error("{}: {mismatch}", text::path(path))]
    Mismatch {
        /// The file.
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
        /// The file read or to be written.
        path: PathBuf,
        /// The source asked for.
        found: Source,
        /// Those that have names for it.
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
    /// The device refused.
    #[error(transparent)]
    Device(#[from] pvlu::Error),
    /// A tensor given to the [`Writer`](super::Writer) is not the one declared next.
    #[error("{}: expected tensor {expected}, found {found}", text::path(path))]
    Order {
        /// The file.
        path: PathBuf,
        /// The tensor declared, or that there is none left.
        expected: String,
        /// The tensor given, or that there is none.
        found: String,
    },
}

/// How many tensors more than the one that is named.
fn others(tensors: usize) -> String {
    match tensors - 1 {
        0 => "no other tensor has such".to_owned(),
        1 => "one tensor more has such".to_owned(),
        more => format!("{more} tensors more have such"),
    }
}
