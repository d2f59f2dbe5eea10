//! Protocols in files: those that a user names, and those of the tables in a folder of results.

use std::path::{Path, PathBuf};

use super::paper::{LONGEST_PROTOCOL, Table};
use super::reader::ProtocolError;
use crate::common::error::CliError;
use crate::common::input;

/// Ending of the names of files with the protocols of tables, after the names of these.
const ENDING: &str = "_protocol.toml";

/// The table of the protocol in a file.
pub fn open(path: &Path) -> Result<Table, CliError> {
    let bytes = input::bytes(path)?;
    let refused = |ProtocolError { line, column, what }| {
        let path = path.to_owned();
        CliError::Protocol { path, line, column, what }
    };
    if bytes.len() > LONGEST_PROTOCOL {
        let what = format!("expected a protocol of at most {LONGEST_PROTOCOL} bytes, found {}", bytes.len());
        return Err(refused(ProtocolError { line: 1, column: 1, what }));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let (valid, at) = (error.utf8_error().valid_up_to(), error.as_bytes());
        let before = String::from_utf8_lossy(at.get(..valid).unwrap_or_default()).into_owned();
        refused(ProtocolError::at(&before, before.len(), "expected UTF-8, found other bytes".to_owned()))
    })?;
    Table::of_text(&text).map_err(refused)
}

/// Path of the protocol of a table in a folder of results.
pub fn path(folder: &Path, table: &str) -> PathBuf {
    folder.join(format!("{table}{ENDING}"))
}

/// The tables in a folder of results that are not the paper's, by their names.
pub fn within(folder: &Path) -> Result<Vec<Table>, CliError> {
    let failed = |source| CliError::Read { path: folder.to_owned(), source };
    let mut names = Vec::new();
    if folder.is_dir() {
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            names.extend(name.to_str().and_then(|name| name.strip_suffix(ENDING)).map(str::to_owned));
        }
    }
    // A protocol without a table is of no interest here.
    names.retain(|name| folder.join(format!("{name}.csv")).is_file());
    names.sort();
    names.into_iter().map(|name| of_table(folder, &name)).collect()
}

fn of_table(folder: &Path, name: &str) -> Result<Table, CliError> {
    let path = path(folder, name);
    let table = open(&path)?;
    if table.is_own() && table.name() == name {
        return Ok(table);
    }
    let what = format!("expected the protocol of {name}, found that of {}", table.name());
    Err(CliError::Damaged { path, what })
}
