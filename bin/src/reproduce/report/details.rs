//! The circumstances of a table: the parts of its JSON file that a report shows.

use std::path::Path;

use serde_json::Value;

use crate::common::error::CliError;
use crate::common::input;

/// Keys of the parts that are shown.
const SHOWN: [&str; 4] = ["configuration", "versions", "machines", "seconds"];

/// Names and their values, in the order in which they are shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Details(pub Vec<(String, String)>);

impl Details {
    /// Reads a file; `None` if it does not exist or has no part that is shown.
    pub fn read(path: &Path) -> Result<Option<Self>, CliError> {
        if !path.exists() {
            return Ok(None);
        }
        Self::parse(path, &input::bytes(path)?)
    }

    /// Reads the bytes of a file; the path is only for errors.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Option<Self>, CliError> {
        let failed = |what| CliError::Damaged { path: path.to_owned(), what };
        let value = serde_json::from_slice(bytes).map_err(|error| failed(format!("expected JSON, found: {error}")))?;
        let Value::Object(parts) = value else {
            return Err(failed("expected a JSON object, found another value".to_owned()));
        };
        let mut found = Vec::new();
        for name in SHOWN {
            if let Some(value) = parts.get(name) {
                flatten(name, value, &mut found);
            }
        }
        Ok(Some(Self(found)).filter(|details| !details.0.is_empty()))
    }
}

/// Adds a value, or those within it, each under the keys that lead to it.
fn flatten(name: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(parts) => {
            parts.iter().for_each(|(part, value)| flatten(&format!("{name}, {part}"), value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| flatten(name, value, found)),
        Value::Null => {}
        Value::String(text) => found.push((name.to_owned(), text.clone())),
        other => found.push((name.to_owned(), other.to_string())),
    }
}
