//! Checks of the options that need no file.

use pvlu_zoo::registry::{self, RegistryError};
use pvlu_zoo::text::{did_you_mean, quoted};

use super::options::{AllArgs, Listed, TableArgs, TuningArgs, all_of};
use crate::common::error::CliError;
use crate::reproduce::protocol::pretrained::{ARMS, RESERVED};
use crate::reproduce::runs::names::is_name;

impl AllArgs {
    /// Checks the options of all tables before anything is read or written.
    pub fn check(&self) -> Result<(), CliError> {
        self.scratch().check()?;
        self.tuning.check()
    }
}

impl TableArgs {
    /// Refuses seeds and activations that are given twice, and activations that no table can have.
    pub fn check(&self) -> Result<(), CliError> {
        refuse_repeated("--seeds", self.common.seeds.as_deref())?;
        check_listed("--activations", self.activations.as_deref(), &[])?;
        refuse_repeated_names("--activations", self.activations.as_deref())
    }
}

impl TuningArgs {
    /// Refuses what [`TableArgs::check`] does, for seeds, models and arms, and unknown models.
    pub fn check(&self) -> Result<(), CliError> {
        refuse_repeated("--seeds", self.common.seeds.as_deref())?;
        refuse_repeated("--models", self.models.as_deref())?;
        check_listed("--arms", self.arms.as_deref(), &ARMS)?;
        refuse_repeated_names("--arms", self.arms.as_deref())?;
        let unknown = |error: pvlu_zoo::registry::RegistryError| CliError::Usage(format!("--models: {error}"));
        self.models.iter().flatten().try_for_each(|model| registry::find(model).map(drop).map_err(unknown))
    }
}

fn refuse_repeated<T: PartialEq + std::fmt::Display>(name: &str, values: Option<&[T]>) -> Result<(), CliError> {
    match values.and_then(repeated) {
        Some(value) => Err(CliError::Usage(format!("{name} has {value} twice"))),
        None => Ok(()),
    }
}

/// Refuses two arms or activations of the same name, which would be one run.
fn refuse_repeated_names(option: &str, lists: Option<&[Listed]>) -> Result<(), CliError> {
    let names: Vec<&str> = all_of(lists.unwrap_or_default()).map(name_of).collect();
    refuse_repeated(option, Some(&names))
}

/// The name of an arm or an activation in tables.
fn name_of(item: &str) -> &str {
    match registry::activation(item) {
        Ok(activation) if !ARMS.contains(&item) => activation.name(),
        _ => item,
    }
}

/// The first value that repeats an earlier one.
fn repeated<T: PartialEq>(values: &[T]) -> Option<&T> {
    values.iter().enumerate().find_map(|(index, value)| values[..index].contains(value).then_some(value))
}

/// Makes sure that each item is the name of an arm or an activation that a table can have. This is not done while
/// arguments are parsed, since an error in a formula takes three lines.
fn check_listed(option: &str, lists: Option<&[Listed]>, arms: &[&str]) -> Result<(), CliError> {
    for item in all_of(lists.unwrap_or_default()).filter(|item| !arms.contains(item)) {
        let refused = |message: String| CliError::Usage(format!("{option}: {message}"));
        let activation =
            registry::activation(item).map_err(|error| match (error, did_you_mean(item, arms).as_str()) {
                (error @ RegistryError::Activation { .. }, "") => refused(error.to_string()),
                (RegistryError::Activation { .. }, meant) => refused(format!("unknown arm {}{meant}", quoted(item))),
                (error, _) => error.into(),
            })?;
        let name = activation.name();
        if RESERVED.contains(&name) {
            return Err(refused(format!("{name} is the name of another arm")));
        }
        if !is_name(name) {
            return Err(refused(format!(
                "{} is no name of an arm: expected 1 to 64 letters, digits and _",
                quoted(name)
            )));
        }
    }
    Ok(())
}
