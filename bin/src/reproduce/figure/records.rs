//! CSV files that are read whole, and their values by row and column.

use std::path::{Path, PathBuf};

use csv::{ErrorKind, StringRecord};

use crate::common::error::CliError;
use crate::common::input;

/// A CSV file with a header.
#[derive(Debug)]
pub struct Records {
    path: PathBuf,
    columns: StringRecord,
    rows: Vec<StringRecord>,
}

impl Records {
    /// Reads a file. A row with another number of values than the header is an error.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        Self::parse(path, &input::bytes(path)?)
    }

    /// Reads the bytes of a file; the path is only for errors.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, CliError> {
        let mut reader = csv::Reader::from_reader(bytes);
        let failed = |error| failure(path, error);
        let columns = reader.headers().map_err(failed)?.clone();
        let rows = reader.records().collect::<Result<_, _>>().map_err(failed)?;
        Ok(Self { path: path.to_owned(), columns, rows })
    }

    /// The rows, from the first one on.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|values| Row { records: self, values })
    }

    /// True if the file has a column of this name.
    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|name| name == column)
    }

    /// The values of a column, each once, in the order in which they come first.
    pub fn distinct(&self, column: &str) -> Result<Vec<&str>, CliError> {
        let mut values = Vec::new();
        for row in self.rows() {
            let value = row.text(column)?;
            if !values.contains(&value) {
                values.push(value);
            }
        }
        Ok(values)
    }

    /// The columns, among those given, that have more than one value.
    pub fn varying<'a>(&self, columns: &[&'a str]) -> Result<Vec<&'a str>, CliError> {
        let mut varying = Vec::new();
        for column in columns {
            if self.distinct(column)?.len() > 1 {
                varying.push(*column);
            }
        }
        Ok(varying)
    }

    /// An error about this file.
    pub fn error(&self, what: String) -> CliError {
        CliError::Damaged { path: self.path.clone(), what }
    }
}

/// A row of a file.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    records: &'a Records,
    values: &'a StringRecord,
}

impl<'a> Row<'a> {
    /// The text of a value; an error if the file lacks the column.
    pub fn text(&self, column: &str) -> Result<&'a str, CliError> {
        let found = self.records.columns.iter().position(|name| name == column);
        found
            .and_then(|index| self.values.get(index))
            .ok_or_else(|| self.records.error(format!("line 1: expected a column `{column}`, found none of this name")))
    }

    /// The text of a value; empty if the file, being of an earlier build, lacks the column.
    pub fn optional(&self, column: &str) -> &'a str {
        let found = self.records.columns.iter().position(|name| name == column);
        found.and_then(|index| self.values.get(index)).unwrap_or_default()
    }

    /// A name followed by the values of some columns, separated by commas.
    pub fn named(&self, name: &str, columns: &[&str]) -> Result<String, CliError> {
        let mut named = name.to_owned();
        for column in columns {
            named.push_str(", ");
            named.push_str(self.text(column)?);
        }
        Ok(named)
    }

    /// A number; `None` for an empty value, and for one that is not finite and so cannot be drawn.
    pub fn number(&self, column: &str) -> Result<Option<f64>, CliError> {
        let text = self.text(column)?.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let number: f64 = text.parse().map_err(|_| self.error(column, "a number or nothing", text))?;
        Ok(number.is_finite().then_some(number))
    }

    /// A whole number, which is an error if it is anything else.
    pub fn whole(&self, column: &str) -> Result<u32, CliError> {
        let text = self.text(column)?.trim();
        text.parse().map_err(|_| self.error(column, "a whole number", text))
    }

    /// True for the row of a run, false for a summary over the seeds.
    pub fn is_run(&self) -> Result<bool, CliError> {
        Ok(!["mean", "standard_error"].contains(&self.text("seed")?))
    }

    /// An error about a value of this row, with its line and column.
    pub fn error(&self, column: &str, expected: &str, found: &str) -> CliError {
        let line = self.values.position().map_or(0, csv::Position::line);
        // A value can be as long as an image.
        let shown: String = found.chars().take(40).collect();
        let rest = if shown.len() < found.len() { "..." } else { "" };
        self.records.error(format!("line {line}, column `{column}`: expected {expected}, found `{shown}`{rest}"))
    }
}

/// The value of a key in a list that keeps the order in which the keys came first; a default one is added for a new
/// key.
pub fn slot<K: PartialEq, V: Default>(list: &mut Vec<(K, V)>, key: K) -> &mut V {
    let found = list.iter().position(|(known, _)| *known == key);
    let index = found.unwrap_or_else(|| {
        list.push((key, V::default()));
        list.len() - 1
    });
    &mut list[index].1
}

fn failure(path: &Path, error: csv::Error) -> CliError {
    let line = error.position().map_or(0, csv::Position::line);
    let what = match error.into_kind() {
        ErrorKind::Io(source) => return CliError::Read { path: path.to_owned(), source },
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line}: expected {expected_len} values, as in the header, found {len}")
        }
        ErrorKind::Utf8 { err, .. } => {
            format!("line {line}, column {}: expected UTF-8, found other bytes", err.field() + 1)
        }
        other => format!("line {line}: not CSV: {other:?}"),
    };
    CliError::Damaged { path: path.to_owned(), what }
}
