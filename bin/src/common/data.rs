//! The path of the images that a command works with.

use std::path::{Path, PathBuf};

use crate::common::error::CliError;

/// Environment variable with the path of the images.
pub const DATA_VARIABLE: &str = "PVLU_ZOO_DATA";

/// The path that the user gave, else that of [`DATA_VARIABLE`]. An empty variable counts as none, as in a shell's
/// `PVLU_ZOO_DATA= reproduce table1`.
pub fn path(given: Option<&Path>) -> Option<PathBuf> {
    let variable = || std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    given.map(Path::to_owned).or_else(variable)
}

/// As [`path`], for a command that needs one; `argument` is its name in the error.
pub fn required(given: Option<&Path>, argument: &str) -> Result<PathBuf, CliError> {
    let missing =
        || CliError::Usage(format!("the path of the images is missing: give {argument} or set {DATA_VARIABLE}"));
    path(given).ok_or_else(missing)
}
