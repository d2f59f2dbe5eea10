//! The container since torch 1.6: a zip archive of stored entries.

use std::collections::BTreeMap;
use std::ops::Range;

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::super::bytes::FileBytes;
use super::super::dtype::Endian;
use super::super::reader::Stream;
use super::archive::{Archive, MAX_PICKLE};
use super::error::Problem;
use super::tensor::Storages;
use crate::weights::shown;

/// Reads the directory and the pickle. `None` if the archive has no pickle of torch.
pub(super) fn read(source: &FileBytes) -> Result<Option<Archive>, Problem> {
    let mut directory = match ZipArchive::new(Stream::new(source)) {
        Ok(directory) => directory,
        Err(error) => return if begins_with_pickle(source)? { Err(broken(&error)) } else { Ok(None) },
    };
    let pickle = directory.file_names().find_map(|name| Some(name.ok()?.into_owned()).filter(|name| is_pickle(name)));
    let Some(pickle) = pickle else { return Ok(None) };
    let folder = pickle.strip_suffix("data.pkl").unwrap_or_default();
    let inside = |name: &str| directory.index_for_name(&format!("{folder}{name}")).is_some();
    if inside("constants.pkl") {
        return Err(Problem::Refused(
            "a TorchScript program: load it in Python by torch.jit.load, and store its weights by \
             torch.save(model.state_dict(), OUT)"
                .into(),
        ));
    }
    let entries = entries(&mut directory, source, |name| name.strip_prefix(folder))?;
    let bytes = |name: &str, limit: u64| match entries.get(name) {
        Some(range) if range.end - range.start > limit => {
            let found = format!("{} bytes", range.end - range.start);
            Err(Problem::new(format!("entry {name} of the archive"), format!("at most {limit} bytes"), found))
        }
        Some(range) => {
            // At most `limit`.
            let mut bytes = vec![0; (range.end - range.start) as usize];
            source.read_at(range.start, &mut bytes)?;
            Ok(Some(bytes))
        }
        None => Ok(None),
    };
    let endian = match bytes("byteorder", 16)?.as_deref() {
        None | Some(b"little") => Endian::Little,
        Some(b"big") => Endian::Big,
        Some(_) => return Err(Problem::new("entry byteorder of the archive", "little or big", "other bytes")),
    };
    let Some(pickle) = bytes("data.pkl", MAX_PICKLE)? else { return Ok(None) };
    let ranges = entries.into_iter().filter_map(|(name, range)| Some((name.strip_prefix("data/")?.to_owned(), range)));
    let storages = Storages { ranges: ranges.collect(), tensors: BTreeMap::new() };
    Ok(Some(Archive { pickle, storages, endian }))
}

/// Places of the stored entries of an archive, by the names that `named` gives them; others are passed over. None is
/// compressed, and no two share bytes.
pub(in crate::weights) fn entries(
    directory: &mut ZipArchive<Stream<'_>>,
    source: &FileBytes,
    named: impl Fn(&str) -> Option<&str>,
) -> Result<BTreeMap<String, Range<u64>>, Problem> {
    let mut entries = BTreeMap::new();
    for index in 0..directory.len() {
        let entry = directory.by_index_raw(index).map_err(|error| broken(&error))?;
        let name = entry.name().map_err(|error| broken(&error))?;
        let Some(name) = named(&name).map(str::to_owned) else { continue };
        if entry.is_dir() {
            continue;
        }
        let what = || format!("entry {} of the archive", shown(&name));
        if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
            let found = if entry.encrypted() { "an encrypted one" } else { "a compressed one" };
            let found = format!("{found}: unpack the archive, and pack it by zip -0 or save the model again");
            return Err(Problem::new(what(), "bytes stored as they are", found));
        }
        let range = entry
            .data_start()
            .and_then(|start| Some(start..start.checked_add(entry.size()).filter(|end| *end <= source.len())?));
        let range = range.filter(|_| entry.size() == entry.compressed_size());
        let range = range.ok_or_else(|| Problem::new(what(), "bytes within the file", "others"))?;
        if entries.insert(name.clone(), range).is_some() {
            return Err(Problem::new(what(), "one of the name", "two"));
        }
    }
    disjoint(&entries)?;
    Ok(entries)
}

/// Returns `true` if the first entry is the pickle, as torch writes it, whatever the directory at the end says.
fn begins_with_pickle(source: &FileBytes) -> Result<bool, Problem> {
    // At most 512.
    let mut begin = vec![0; source.len().min(512) as usize];
    source.read_at(0, &mut begin)?;
    Ok(begin.windows(8).any(|part| part == b"data.pkl"))
}

fn is_pickle(name: &str) -> bool {
    name == "data.pkl" || name.split_once('/').is_some_and(|(_, name)| name == "data.pkl")
}

/// Refuses entries that share bytes.
fn disjoint(entries: &BTreeMap<String, Range<u64>>) -> Result<(), Problem> {
    let filled = entries.iter().filter(|(_, range)| !range.is_empty());
    let mut ranges: Vec<(&Range<u64>, &String)> = filled.map(|(name, range)| (range, name)).collect();
    ranges.sort_unstable_by_key(|(range, _)| (range.start, range.end));
    for pair in ranges.windows(2) {
        let [(first, _), (second, name)] = pair else { continue };
        if second.start < first.end {
            let what = format!("entry {} of the archive", shown(name));
            return Err(Problem::new(what, "bytes of its own", "those of another entry"));
        }
    }
    Ok(())
}

pub(in crate::weights) fn broken(error: &ZipError) -> Problem {
    let found = match error {
        ZipError::Io(error) => error.to_string(),
        error => error.to_string(),
    };
    let found = if found.is_empty() { "none".to_owned() } else { crate::text::shown(&found).to_string() };
    Problem::new("directory of the zip archive", "a whole one", format!("{found}: if it was cut short, fetch it again"))
}
