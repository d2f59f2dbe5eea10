//! Search for the folder of a set, with errors that name what was found instead.

use std::path::{Path, PathBuf};

use super::files::{Found, entries, file_name, inspect};
use super::form;
use super::layout::CifarLayout;
use crate::data::DataError;
use crate::data::error::shortened;

/// The folder with the files of `layout`: `dir` or a folder in it. Entries with the names of its required files exist.
pub(super) fn locate(dir: &Path, layout: &CifarLayout) -> Result<PathBuf, DataError> {
    match inspect(dir)? {
        Found::Folder => {}
        Found::Nothing => return Err(DataError::MissingFolder { path: dir.to_owned() }),
        found => {
            let other = if found == Found::File { form::of_file(dir, layout) } else { None };
            return Err(other.unwrap_or(DataError::NotAFolder { path: dir.to_owned(), found: found.describe() }));
        }
    }
    if holds_any(dir, layout) {
        return complete(dir.to_owned(), layout);
    }
    let mut holders = holders(dir, layout)?;
    match holders.len() {
        0 => {}
        1 => return complete(holders.remove(0), layout),
        _ => {
            let candidates = holders.iter().map(|path| file_name(path)).collect();
            return Err(DataError::Ambiguous { path: dir.to_owned(), set: layout.title, candidates });
        }
    }
    let other = layout.other();
    let wrong =
        if holds_any(dir, other) { Some(dir.to_owned()) } else { self::holders(dir, other)?.into_iter().next() };
    if let Some(path) = wrong {
        let there: Vec<&str> = other.files().filter(|name| path.join(name).exists()).collect();
        let evidence = format!("it holds {}", there.join(", "));
        return Err(DataError::WrongSet { path, wanted: layout.title, found: other.title, evidence });
    }
    Err(missing(dir, &layout.required(), layout)?)
}

fn complete(folder: PathBuf, layout: &CifarLayout) -> Result<PathBuf, DataError> {
    let mut absent = Vec::new();
    for name in layout.required() {
        if inspect(&folder.join(name))? == Found::Nothing {
            absent.push(name);
        }
    }
    if absent.is_empty() { Ok(folder) } else { Err(missing(&folder, &absent, layout)?) }
}

/// Returns `true` if the folder has an entry with the name of a file of the set. An entry that is no regular file
/// counts too, since reading it gives an error of its own. An entry whose metadata cannot be read does not count, so
/// that an unreadable neighbor is no obstacle.
fn holds_any(folder: &Path, layout: &CifarLayout) -> bool {
    layout.files().any(|name| inspect(&folder.join(name)).is_ok_and(|found| found != Found::Nothing))
}

/// The folders in `dir` that hold a file of the set, sorted.
fn holders(dir: &Path, layout: &CifarLayout) -> Result<Vec<PathBuf>, DataError> {
    Ok(entries(dir)?.into_iter().filter(|path| holds_any(path, layout)).collect())
}

fn missing(folder: &Path, names: &[&str], layout: &CifarLayout) -> Result<DataError, DataError> {
    let paths = entries(folder)?;
    if let Some(other) = form::of_folder(folder, &paths, layout) {
        return Ok(other);
    }
    let found = shortened(paths.iter().map(|path| file_name(path)).collect());
    let looked_for = names.iter().map(ToString::to_string).collect();
    Ok(DataError::MissingFile { folder: folder.to_owned(), looked_for, found })
}
