//! WebDataset: the files of a sample follow each other in a tar archive, with the same name up to the first dot in it
//! (<https://github.com/webdataset/webdataset>).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::packed::{NOT_READ, Packed};
use crate::data::DataError;
use crate::data::folder::kind::{self, Kind};
use crate::data::folder::place::{ImageFile, Part};
use crate::image::FORMATS;
use crate::text;

/// Bytes that a file with the number of a class may have.
const CLS: u64 = 64;

/// Bytes that a file with the description of a sample may have.
const JSON: u64 = 1 << 16;

/// Description of a label.
const LABEL: &str = "the number of a class, from 0 to 65535";

/// Files of a sample.
#[derive(Default)]
struct Sample {
    image: Option<ImageFile>,
    cls: Option<(PathBuf, Part)>,
    json: Option<(PathBuf, Part)>,
    /// Position of its first file.
    at: Option<u64>,
}

/// The samples of an archive, with labels, in their order there; `None` if it is no WebDataset: it has no file `.cls`,
/// and none `.json` beside an image that lies in no folder. In folders the first such file tells: images in class
/// folders may have descriptions, too, and these are of a WebDataset if they have an integer as `label`.
pub(super) fn read(packed: &Packed, path: &Path) -> Result<Option<Vec<(ImageFile, u16)>>, DataError> {
    let mut samples: BTreeMap<PathBuf, Sample> = BTreeMap::new();
    for (file, part) in packed.files() {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((key, extension)) = name.split_once('.') else { continue };
        let kind = kind::of(Path::new(&format!("a.{extension}")));
        let is = |known| extension.eq_ignore_ascii_case(known);
        if kind == Kind::None && !is("cls") && !is("json") {
            continue;
        }
        let sample = samples.entry(file.with_file_name(key)).or_default();
        sample.at = Some(sample.at.map_or(part.at, |at| at.min(part.at)));
        if is("cls") {
            sample.cls = Some((file, part));
        } else if is("json") {
            sample.json = Some((file, part));
        } else if let Some(first) = &sample.image {
            let found = text::shown(&first.path.file_name().unwrap_or_default().to_string_lossy()).to_string();
            return Err(DataError::contents(&file, "sample", "one image of each name", format!("{found} beside it")));
        } else {
            sample.image = Some(ImageFile { path: file, part: Some(part) });
        }
    }
    let described = |(key, sample): (&'_ PathBuf, &'_ Sample)| {
        let json = sample.json.clone().filter(|_| sample.image.is_some())?;
        Some((key.parent() == Some(path), json))
    };
    let is_described = samples.iter().any(|sample| described(sample).is_some_and(|(is_at_top, _)| is_at_top))
        || samples.iter().find_map(described).is_some_and(|(_, (file, part))| has_label(&file, &part));
    if !is_described && samples.values().all(|sample| sample.cls.is_none()) {
        return Ok(None);
    }
    let is_sample = |path: &PathBuf| {
        let is = |known: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(known));
        kind::of(path) != Kind::None || is("cls") || is("json")
    };
    if let Some(path) = packed.others().find(is_sample) {
        return Err(DataError::Unreadable { path, found: format!("expected a file, found {NOT_READ}") });
    }
    let mut samples: Vec<Sample> = samples.into_values().collect();
    samples.sort_by_key(|sample| sample.at);
    let labeled = samples.into_iter().filter_map(|sample| labeled(sample).transpose());
    let labeled = labeled.collect::<Result<Vec<_>, _>>()?;
    if labeled.is_empty() {
        return Err(DataError::EmptyFolder { path: path.to_owned(), expected: "images" });
    }
    Ok(Some(labeled))
}

/// Returns `true` for a description with an integer as `label`. One that cannot be read has none.
fn has_label(file: &Path, part: &Part) -> bool {
    let value = |bytes: Vec<u8>| serde_json::from_slice::<serde_json::Value>(&bytes).ok();
    let value = contents(file, part, JSON).ok().and_then(value);
    value.is_some_and(|value| value.get("label").is_some_and(|label| label.is_i64() || label.is_u64()))
}

/// The image of a sample and its label; `None` if it has neither.
fn labeled(sample: Sample) -> Result<Option<(ImageFile, u16)>, DataError> {
    let Sample { image, cls, json, .. } = sample;
    let Some(image) = image else {
        // A description alone may be one of the whole set.
        let Some((file, _)) = cls else { return Ok(None) };
        return Err(DataError::contents(&file, "sample", "an image of the same name (.jpg, .png or .webp)", "none"));
    };
    if let Kind::Other(format) = kind::of(&image.path) {
        let found = format!("expected {FORMATS} images, found one that is not read here: {format}");
        return Err(DataError::Unreadable { path: image.path, found });
    }
    let label = match (cls, json) {
        (Some((file, part)), _) => {
            let bytes = contents(&file, &part, CLS)?;
            let digits = String::from_utf8_lossy(&bytes).trim().to_owned();
            digits.parse().map_err(|_| DataError::contents(&file, "label", LABEL, text::shown(&digits)))?
        }
        (None, Some((file, part))) => {
            let bytes = contents(&file, &part, JSON)?;
            let value: serde_json::Value = serde_json::from_slice(&bytes)
                .map_err(|error| DataError::contents(&file, "label", "a description in JSON", error))?;
            let label = value.get("label");
            let found = || label.map_or_else(|| "no `label`".to_owned(), ToString::to_string);
            let number = label.and_then(|label| u16::try_from(label.as_u64()?).ok());
            number.ok_or_else(|| DataError::contents(&file, "label", LABEL, found()))?
        }
        (None, None) => {
            return Err(DataError::contents(&image.path, "sample", "a file .cls of the same name", "none"));
        }
    };
    Ok(Some((image, label)))
}

fn contents(file: &Path, part: &Part, limit: u64) -> Result<Vec<u8>, DataError> {
    if part.len > limit {
        return Err(DataError::contents(file, "size", format!("at most {limit} bytes"), part.len));
    }
    part.read(limit).map_err(|source| DataError::Io { path: file.to_owned(), source })
}
