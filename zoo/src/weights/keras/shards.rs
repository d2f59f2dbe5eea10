//! Weights in several files, which `model.save_weights("NAME.weights.json", max_shard_size=...)` writes.
//!
//! The JSON lists for each group of variables the files that have them, which lie beside it:
//! `{"weight_map": {"/layers/conv2d/vars": ["NAME_00000.weights.h5"]}}`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;

use pvlu::kernel::Element;
use serde_json::Value as Json;

use super::super::bytes::FileBytes;
use super::super::format::{Contents, Format, TensorEntry};
use super::super::hdf5::Hdf5File;
use super::super::read::{self, Target};
use super::super::{WeightsError, shown, sniff};
use crate::text::message;

/// Bytes accepted in the JSON. That of a ResNet152 has 60 thousand.
const MAX_JSON: u64 = 2 << 20;

/// Files accepted. Keras makes them of 10 GB each unless asked for less.
const MAX_FILES: usize = 1000;

/// The files of a model, opened, and which of them has a tensor.
#[derive(Debug)]
pub(in crate::weights) struct Shards {
    files: Vec<Hdf5File>,
    of: BTreeMap<String, usize>,
}

impl Shards {
    /// Opens all files that the JSON lists. `None` for any other file than such a JSON.
    pub(in crate::weights) fn open(source: &FileBytes) -> Result<Option<(Self, Contents)>, WeightsError> {
        if !source.is_on_disk() || source.len() > MAX_JSON || !sniff::is_json(source)? {
            return Ok(None);
        }
        let path = source.path();
        // At most `MAX_JSON`.
        let mut bytes = vec![0; source.len() as usize];
        source.read_at(0, &mut bytes).map_err(|source| WeightsError::Io { path: path.to_owned(), source })?;
        let Ok(json) = serde_json::from_slice::<Json>(&bytes) else { return Ok(None) };
        let Some(groups) = groups(&json) else { return Ok(None) };
        let names: BTreeSet<&str> = groups.values().flatten().copied().collect();
        let wrong = |what: String, expected: &str, found: String| WeightsError::Structure {
            path: path.to_owned(),
            what,
            expected: expected.to_owned(),
            found,
        };
        if names.len() > MAX_FILES {
            return Err(wrong("weight_map".into(), "at most 1000 files", names.len().to_string()));
        }
        let mut shards = Self { files: Vec::new(), of: BTreeMap::new() };
        let mut entries = BTreeMap::new();
        for name in &names {
            let what = || format!("file {}", shown(name));
            if name.starts_with('.') || name.contains(['/', '\\', ':']) {
                return Err(wrong(what(), "the name of a file in the same folder", "another".into()));
            }
            let shard = match FileBytes::open(&path.with_file_name(name)) {
                Err(WeightsError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                    let found = format!("none: {} of {} files are there", present(path, &names), names.len());
                    return Err(wrong(what(), "it beside the JSON that lists it", found));
                }
                shard => shard?,
            };
            if !sniff::is_hdf5(&shard)? {
                return Err(wrong(what(), "HDF5", "other bytes".into()));
            }
            let (file, _, (tensors, _)) = Hdf5File::new(shard)?;
            for (tensor, entry) in tensors {
                if shards.of.insert(tensor.clone(), shards.files.len()).is_some() {
                    return Err(wrong(shown(&tensor).to_string(), "it in one file", "it in two".into()));
                }
                entries.insert(tensor, entry);
            }
            shards.files.push(file);
        }
        for (group, files) in &groups {
            let prefix = format!("{}/", group.trim_matches('/'));
            let mut tensors = entries.range(prefix.clone()..);
            if !tensors.next().is_some_and(|(tensor, _): (&String, &TensorEntry)| tensor.starts_with(&prefix)) {
                let what = format!("group {}", shown(group));
                let found = format!("none: fetch {} again", message(&files.join(", ")));
                return Err(wrong(what, "tensors in the files that are listed for it", found));
            }
        }
        Ok(Some((shards, (entries, BTreeMap::new()))))
    }

    /// Reads a tensor, in pieces of bounded size.
    pub(in crate::weights) fn read<E: Element>(
        &self,
        path: &Path,
        name: &str,
        entry: &TensorEntry,
        target: Target<'_, E>,
    ) -> Result<(), WeightsError> {
        let file = self.of.get(name).and_then(|file| self.files.get(*file));
        file.ok_or_else(|| read::missing(path, name))?.read(name, entry, target)
    }

    /// Paths of the files.
    pub(in crate::weights) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.place().0)
    }

    /// Format of each of the files.
    pub(in crate::weights) const FORMAT: Format = Format::Keras3;
}

/// Number of the files that are there.
fn present(path: &Path, names: &BTreeSet<&str>) -> usize {
    names.iter().filter(|name| path.with_file_name(name).is_file()).count()
}

/// The groups of the JSON, each with the names of its files; `None` if it lists no files of Keras.
fn groups(json: &Json) -> Option<BTreeMap<&str, Vec<&str>>> {
    let groups = json["weight_map"].as_object().filter(|groups| !groups.is_empty())?;
    groups
        .iter()
        .map(|(group, files)| {
            let files: Option<Vec<&str>> = match files {
                Json::String(file) => Some(vec![file]),
                files => files.as_array()?.iter().map(Json::as_str).collect(),
            };
            let files = files?;
            files.iter().all(|file| file.ends_with(".h5")).then_some((group.as_str(), files))
        })
        .collect()
}
