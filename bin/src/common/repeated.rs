//! Lists of options, in which nothing may stand twice.

use std::fmt::Display;

use super::error::CliError;

/// Refuses a value of an option that repeats an earlier one.
pub fn refuse_repeated<T: PartialEq + Display>(option: &str, values: &[T]) -> Result<(), CliError> {
    match values.iter().enumerate().find(|(index, value)| values[..*index].contains(value)) {
        Some((_, value)) => Err(CliError::Usage(format!("{option} has {value} twice"))),
        None => Ok(()),
    }
}
