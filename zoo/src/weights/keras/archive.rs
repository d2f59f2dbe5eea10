//! The archive of a whole model that Keras writes: `.keras`.

use std::collections::BTreeMap;
use std::ops::Range;

use zip::ZipArchive;

use super::super::bytes::FileBytes;
use super::super::configuration::MAX_JSON;
use super::super::reader::Stream;
use super::super::torch::Problem;
use super::super::torch::zip::{broken, entries};
use super::super::{WeightsError, sniff};

const WEIGHTS: &str = "model.weights.h5";
const NUMPY: &str = "model.weights.npz";
const CONFIGURATION: &str = "config.json";
const METADATA: &str = "metadata.json";

/// Bytes accepted in the entry that says which version of Keras wrote the archive and when.
const MAX_METADATA: usize = 1 << 16;

/// The parts of an archive.
#[derive(Debug)]
pub(in crate::weights) struct Archive {
    /// The HDF5 with the weights, which lies in the archive as it is.
    pub(in crate::weights) weights: FileBytes,
    /// Configuration of the layers as JSON.
    pub(in crate::weights) configuration: String,
    /// Version of Keras that wrote the archive.
    pub(in crate::weights) version: Option<String>,
}

/// Opens an archive. Any other file is given back.
pub(in crate::weights) fn open(source: FileBytes) -> Result<Result<Archive, FileBytes>, WeightsError> {
    if sniff::begins_as_safetensors(&source)? {
        return Ok(Err(source));
    }
    let path = source.path().to_owned();
    match read(&source, sniff::begins_as_keras(&source)?) {
        Ok(None) => Ok(Err(source)),
        Ok(Some((range, configuration, version))) => {
            let weights = source.part(range).ok_or_else(|| missing(WEIGHTS).of(&path))?;
            if !sniff::is_hdf5(&weights)? {
                let what = format!("entry {WEIGHTS} of the archive");
                return Err(Problem::new(what, "HDF5", "other bytes").of(&path));
            }
            Ok(Ok(Archive { weights, configuration, version }))
        }
        Err(problem) => Err(problem.of(&path)),
    }
}

type Parts = (Range<u64>, String, Option<String>);

fn read(source: &FileBytes, begins: bool) -> Result<Option<Parts>, Problem> {
    let mut directory = match ZipArchive::new(Stream::new(source)) {
        Ok(directory) => directory,
        Err(error) => return if begins { Err(broken(&error)) } else { Ok(None) },
    };
    let has = |name: &str| directory.index_for_name(name).is_some();
    if has(NUMPY) && !has(WEIGHTS) {
        return Err(Problem::Refused(format!(
            "an archive of Keras with {NUMPY}, which is not read: load it with Keras and store its weights by \
             model.save_weights(\"NAME.weights.h5\")"
        )));
    }
    let is_archive = has(WEIGHTS) || (has(CONFIGURATION) && has(METADATA));
    if !is_archive {
        return Ok(None);
    }
    let known = [WEIGHTS, CONFIGURATION, METADATA];
    let entries = entries(&mut directory, source, |name| known.iter().find(|known| **known == name).copied())?;
    let weights = entries.get(WEIGHTS).cloned().ok_or_else(|| missing(WEIGHTS))?;
    let configuration = text(source, &entries, CONFIGURATION, MAX_JSON)?.ok_or_else(|| missing(CONFIGURATION))?;
    let metadata = text(source, &entries, METADATA, MAX_METADATA)?;
    let metadata = metadata.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
    let version = metadata.and_then(|metadata| metadata["keras_version"].as_str().map(str::to_owned));
    Ok(Some((weights, configuration, version)))
}

/// The text of an entry; `None` if there is none of the name.
fn text(
    source: &FileBytes,
    entries: &BTreeMap<String, Range<u64>>,
    name: &str,
    limit: usize,
) -> Result<Option<String>, Problem> {
    let Some(range) = entries.get(name) else { return Ok(None) };
    let what = || format!("entry {name} of the archive");
    let count = usize::try_from(range.end - range.start).ok().filter(|count| *count <= limit);
    let count = count
        .ok_or_else(|| Problem::new(what(), format!("at most {limit} bytes"), (range.end - range.start).to_string()))?;
    let mut bytes = vec![0; count];
    source.read_at(range.start, &mut bytes)?;
    String::from_utf8(bytes).map(Some).map_err(|_| Problem::new(what(), "text in UTF-8", "other bytes"))
}

fn missing(name: &str) -> Problem {
    Problem::new(format!("entry {name} of the archive"), "one, as model.save of Keras writes it", "none")
}
