//! Errors of the decoder, with the file and what they are about.

use std::path::Path;

use hdf5_reader::error::Error;

use crate::text::message;
use crate::weights::WeightsError;

/// An error of the decoder about a part of the file that is no tensor.
pub(super) fn structure(path: &Path, what: &str, error: &Error) -> WeightsError {
    WeightsError::Structure {
        path: path.to_owned(),
        what: what.to_owned(),
        expected: "valid HDF5".into(),
        found: message(&error.to_string()).to_string(),
    }
}

/// An error of the decoder about a tensor.
pub(super) fn tensor(path: &Path, name: &str, error: &Error) -> WeightsError {
    WeightsError::Tensor {
        path: path.to_owned(),
        key: name.to_owned(),
        expected: "a dataset that can be decoded".into(),
        found: message(&error.to_string()).to_string(),
    }
}
