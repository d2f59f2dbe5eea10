//! Search for the files of a set, with errors that name what was found instead.

use std::path::{Path, PathBuf};

use super::layout::{CifarLayout, Place, Version};
use super::{form, python};
use crate::data::DataError;
use crate::data::error::shortened;
use crate::data::files::{Found, entries, file_name, inspect};

/// Finds the set that `path` has: itself, or a folder or file in it. Of a folder, entries with the names of the
/// required files exist.
pub(super) fn locate(path: &Path, layout: &CifarLayout) -> Result<Place, DataError> {
    match inspect(path)? {
        Found::Folder => {}
        Found::Nothing => return Err(DataError::MissingFolder { path: path.to_owned() }),
        Found::File => return form::place(path, layout),
        found => return Err(DataError::NotAFolder { path: path.to_owned(), found: found.describe() }),
    }
    for version in Version::ALL {
        if let Some(folder) = folder(path, layout, version)? {
            return complete(folder, layout, version);
        }
    }
    let file = |name: &str| path.join(name).is_file();
    if let Some(name) = layout.archives.iter().find(|name| file(name)) {
        return Ok(Place::Archive(path.join(name)));
    }
    if let Some(name) = layout.arrays.iter().find(|name| file(name)) {
        return Ok(Place::Arrays(path.join(name)));
    }
    let other = layout.other();
    for version in Version::ALL {
        let folders = if holds_any(path, other, version) { vec![path.to_owned()] } else { within(path)? };
        if let Some(path) = folders.into_iter().find(|folder| holds_any(folder, other, version)) {
            let there: Vec<&str> = other.files(version).filter(|name| path.join(name).exists()).collect();
            let evidence = format!("it holds {}", there.join(", "));
            return Err(DataError::WrongSet { path, wanted: layout.title, found: other.title, evidence });
        }
    }
    Err(missing(path, &layout.required(Version::Binary), layout)?)
}

/// The folder with the files of a version: `dir` or one [`within`] it.
fn folder(dir: &Path, layout: &CifarLayout, version: Version) -> Result<Option<PathBuf>, DataError> {
    if holds_any(dir, layout, version) {
        return Ok(Some(dir.to_owned()));
    }
    let mut holders: Vec<_> = within(dir)?.into_iter().filter(|path| holds_any(path, layout, version)).collect();
    if holders.len() > 1 {
        let name = |path: &PathBuf| path.strip_prefix(dir).unwrap_or(path).to_string_lossy().into_owned();
        let candidates = holders.iter().map(name).collect();
        return Err(DataError::Ambiguous { path: dir.to_owned(), set: layout.title, candidates });
    }
    Ok(holders.pop())
}

/// The entries of a folder, and those of a folder that Keras unpacks an archive into, `NAME-target` or
/// `NAME_extracted`, sorted.
fn within(dir: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut paths = entries(dir)?;
    let unpacked = |path: &&PathBuf| {
        let name = file_name(path);
        (name.ends_with("-target") || name.ends_with("_extracted")) && path.is_dir()
    };
    // A folder that cannot be read is no obstacle.
    let deeper: Vec<_> = paths.iter().filter(unpacked).filter_map(|path| entries(path).ok()).flatten().collect();
    paths.extend(deeper);
    Ok(paths)
}

fn complete(folder: PathBuf, layout: &CifarLayout, version: Version) -> Result<Place, DataError> {
    let mut absent = Vec::new();
    for name in layout.required(version) {
        if inspect(&folder.join(name))? == Found::Nothing {
            absent.push(name);
        }
    }
    if absent.is_empty() { Ok(Place::Folder(folder, version)) } else { Err(missing(&folder, &absent, layout)?) }
}

/// Returns `true` if the folder has an entry with the name of a file of the set. An entry that is no regular file
/// counts too, since reading it gives an error of its own. An entry whose metadata cannot be read does not count, so
/// that an unreadable neighbor is no obstacle.
fn holds_any(folder: &Path, layout: &CifarLayout, version: Version) -> bool {
    layout.files(version).map(|name| folder.join(name)).any(|path| match version {
        Version::Binary => inspect(&path).is_ok_and(|found| found != Found::Nothing),
        Version::Python => python::is_there(&path, layout),
    })
}

fn missing(folder: &Path, names: &[&str], layout: &CifarLayout) -> Result<DataError, DataError> {
    let paths = entries(folder)?;
    if let Some(other) = form::of_folder(&paths, layout) {
        return Ok(other);
    }
    let found = shortened(paths.iter().map(|path| file_name(path)).collect());
    let looked_for = names.iter().map(ToString::to_string).collect();
    Ok(DataError::MissingFile { folder: folder.to_owned(), looked_for, found })
}
