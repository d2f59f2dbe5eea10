//! The archives that CIFAR is published in, read without unpacking them.

use std::path::Path;

use super::layout::{CifarLayout, Version};
use super::records::Records;
use super::{binary, python};
use crate::data::error::shortened;
use crate::data::{DataError, archive};

/// The set in an archive.
pub(super) struct Unpacked {
    pub(super) version: Version,
    pub(super) train: Records,
    pub(super) test: Records,
}

/// Reads the files of the set in an archive, whatever their order there and the folder that they are in.
pub(super) fn read(path: &Path, layout: &'static CifarLayout) -> Result<Unpacked, DataError> {
    let names = Version::ALL.map(|version| layout.files(version).collect::<Vec<_>>());
    // For each file of the set: its images.
    let mut parts: Vec<Option<Records>> = names[0].iter().map(|_| None).collect();
    let (mut found_version, mut others) = (None, Vec::new());
    archive::each_file(path, |entry| {
        let place = |names: &Vec<&str>| names.iter().position(|name| *name == entry.name);
        let known = Version::ALL.into_iter().zip(&names).find_map(|(version, names)| Some((version, place(names)?)));
        let Some((version, at)) = known else {
            others.push(entry.name.to_owned());
            others.truncate(DataError::LISTED + 1);
            return Ok(());
        };
        let name = path.join(entry.name);
        if *found_version.get_or_insert(version) != version || parts[at].is_some() {
            let expected = "one file of each name, in one version of the set";
            return Err(DataError::contents(&name, "archive", expected, "another one in the archive"));
        }
        if entry.len > layout.most_bytes() {
            let expected = format!("at most {} bytes, as {} has in a file", layout.most_bytes(), layout.title);
            return Err(DataError::contents(&name, "size", expected, entry.len));
        }
        let mut records = Records::new(layout);
        match version {
            Version::Binary => binary::read(&mut records, &name, entry.len, entry.contents),
            Version::Python => python::read(&mut records, &name, entry.len, entry.contents),
        }
        .map_err(|error| match error {
            // A failed read of an entry is a damaged archive.
            DataError::Io { source, .. } => archive::damaged(path, &source),
            error => error,
        })?;
        parts[at] = Some(records);
        Ok(())
    })?;
    let version = found_version.unwrap_or(Version::Binary);
    let there = [parts.first(), parts.last()].map(|part| part.is_some_and(Option::is_some));
    let absent: Vec<_> =
        layout.required(version).into_iter().zip(there).filter_map(|(name, there)| (!there).then_some(name)).collect();
    if !absent.is_empty() {
        return Err(missing(path, layout, found_version.is_none(), &absent, others));
    }
    let test = parts.pop().flatten().unwrap_or_else(|| Records::new(layout));
    let mut train = Records::new(layout);
    train.append(path, parts.into_iter().flatten().collect())?;
    Ok(Unpacked { version, train, test })
}

/// The error of an archive that lacks files of the set: if it has those of the other set and none of this one, that.
fn missing(path: &Path, layout: &CifarLayout, has_none: bool, absent: &[&str], found: Vec<String>) -> DataError {
    let other = layout.other();
    let of_other: Vec<&str> = Version::ALL
        .into_iter()
        .flat_map(|version| other.files(version))
        .filter(|name| found.iter().any(|found| found == name))
        .collect();
    if has_none && !of_other.is_empty() {
        let evidence = format!("it holds {}", of_other.join(", "));
        return DataError::WrongSet { path: path.to_owned(), wanted: layout.title, found: other.title, evidence };
    }
    let looked_for = absent.iter().map(ToString::to_string).collect();
    DataError::MissingFile { folder: path.to_owned(), looked_for, found: shortened(found) }
}
