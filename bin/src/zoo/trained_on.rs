//! The record in a tuned file of the images that it was trained on, so that an evaluation on them is noticed.
//!
//! A folder is recognized by its images and not by its path: by the names of classes and files, the file sizes, and the
//! contents of some of the images.

use std::collections::BTreeMap;
use std::path::Path;

use pvlu_zoo::data::{FolderParts, ImageFolder};
use pvlu_zoo::text;
use serde_json::{Value, json};

use crate::common::data_name::DataName;
use crate::common::digest;
use crate::common::error::CliError;
use crate::common::images::Images;

/// The most training images whose contents are recorded.
const SAMPLED: usize = 128;

/// Hexadecimal digits of a digest that are kept.
const DIGITS: usize = 16;

/// The source of training images.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    dataset: &'static str,
    /// For a folder, its [`listing`] before it was divided, and the share that was then held out, if it was divided
    /// here.
    folder: Option<(String, Option<f64>)>,
}

impl Origin {
    /// The origin of a set that has test images of its own.
    pub fn set(name: DataName) -> Self {
        Self { dataset: name.name(), folder: None }
    }

    /// The origin of a folder; `held_out` is the share that is held out if it has to be divided.
    pub fn folder(parts: &FolderParts, held_out: f64) -> Self {
        let (folder, held_out) = match parts {
            FolderParts::Divided { train, .. } => (train, None),
            FolderParts::Whole(folder) | FolderParts::Train(folder) | FolderParts::Test(folder) => {
                (folder, Some(held_out))
            }
        };
        Self { dataset: DataName::Folder.name(), folder: Some((listing(folder), held_out)) }
    }
}

/// Images that a model was trained on in one tuning.
#[derive(Clone, Debug, PartialEq)]
struct Record {
    dataset: String,
    /// The same as in the [`Origin`] of the images.
    folder: Option<(String, Option<f64>)>,
    /// Number of training images.
    images: u64,
    /// Digests of the contents of some images, by the digests of their names and sizes.
    sample: BTreeMap<String, String>,
}

/// All images that a model was trained on, one tuning after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainedOn(Vec<Record>);

/// The choice of images by [`TrainedOn::to_evaluate`].
pub struct Chosen {
    /// The images to evaluate on.
    pub images: ImageFolder,
    /// Notes and warnings for the user about these images.
    pub notes: Vec<String>,
}

/// The purpose of images that a model should not have been trained on.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// They measure the model.
    Evaluated,
    /// They pick an epoch of a tuning.
    HeldOut,
}

impl Purpose {
    /// Words that end a warning about such images.
    fn text(self) -> &'static str {
        match self {
            Self::Evaluated => "evaluated: its accuracy on them says little of others",
            Self::HeldOut => "held out: the epoch that they pick may be a poor one for other images",
        }
    }
}

impl TrainedOn {
    /// Reads the text that [`to_text`](Self::to_text) wrote; an empty record without a text.
    pub fn of_text(text: Option<&str>, file: &Path) -> Result<Self, CliError> {
        let wrong = || CliError::Damaged {
            path: file.to_owned(),
            what: "what it says of the images that it was trained on is not what finetune writes".to_owned(),
        };
        let Some(text) = text else { return Ok(Self::default()) };
        let records: Vec<Value> = serde_json::from_str(text).map_err(|_| wrong())?;
        records.iter().map(|record| Record::of_json(record).ok_or_else(wrong)).collect::<Result<_, _>>().map(Self)
    }

    /// The record as JSON, for the metadata of a file.
    pub fn to_text(&self) -> String {
        Value::from_iter(self.0.iter().map(Record::to_json)).to_string()
    }

    /// The record with the images of one more tuning, which is added only once.
    #[must_use]
    pub fn and(mut self, origin: Origin, images: &Images) -> Self {
        let (sample, Origin { dataset, folder }) = (sample(images), origin);
        let record = Record { dataset: dataset.to_owned(), folder, images: images.len() as u64, sample };
        if !self.0.contains(&record) {
            self.0.push(record);
        }
        self
    }

    /// Chooses the images of a folder to evaluate `file` on: if the model was tuned on this folder, those that were
    /// held out then. Warns if images that it was trained on are among them.
    pub fn to_evaluate(&self, parts: FolderParts, held_out: f64, file: &Path) -> Result<Chosen, CliError> {
        let mut notes = Vec::new();
        // This reads the size of every file, which is of no use without a record.
        let whole =
            (!self.is_empty()).then(|| Origin::folder(&parts, held_out).folder).flatten().map(|(listing, _)| listing);
        let only_train = matches!(parts, FolderParts::Train(_));
        let is_divided = matches!(parts, FolderParts::Divided { .. });
        let mut images = parts.to_evaluate();
        notes.extend(images.warnings().iter().map(|warning| format!("warning: {warning}")));
        let by_digest = self.by_digest(&images);
        // The share that was held out is not compared: it is taken from the record.
        let is_of_it = |record: &&Record| record.folder.as_ref().map(|(listing, _)| listing) == whole.as_ref();
        let tuned_here = self.0.iter().find(|record| is_of_it(record) && record.finds(&images, &by_digest).0 > 0);
        let name = images.path().display().to_string();
        if let Some(share) = tuned_here.filter(|_| !is_divided).and_then(|record| record.folder.as_ref()?.1) {
            let all = images.len();
            images = images.split_validation(share)?.1;
            notes.push(format!(
                "{name}: {} was tuned on it: evaluated are the {} of {all} images held out then",
                file.display(),
                images.len()
            ));
        } else if only_train {
            notes.push(format!("warning: {name}: no folder of test images, so those to train on are evaluated"));
        }
        notes.extend(self.warnings_of(&images, file, Purpose::Evaluated));
        Ok(Chosen { images, notes })
    }

    /// Warnings about images that `file` was trained on and that are to serve this purpose.
    pub fn warnings(&self, images: &Images, file: &Path, purpose: Purpose) -> Vec<String> {
        match images {
            Images::Memory(_) => Vec::new(),
            Images::Files(folder) => self.warnings_of(folder, file, purpose),
        }
    }

    fn warnings_of(&self, folder: &ImageFolder, file: &Path, purpose: Purpose) -> Vec<String> {
        let by_digest = self.by_digest(folder);
        let warning = |record: &Record| {
            let (found, of) = record.finds(folder, &by_digest);
            let sampled = if of as u64 == record.images {
                String::new()
            } else {
                format!(" that were looked for, of {}", record.images)
            };
            (found > 0).then(|| {
                format!(
                    "warning: {}: {found} of {of} images{sampled} that {} was trained on are among those {}",
                    folder.path().display(),
                    file.display(),
                    purpose.text()
                )
            })
        };
        self.0.iter().filter_map(warning).collect()
    }

    /// The images of a folder by digest, to look for recorded ones; empty without a record, to spare reading every
    /// file's size.
    fn by_digest(&self, folder: &ImageFolder) -> BTreeMap<String, usize> {
        if self.is_empty() { BTreeMap::new() } else { by_digest(folder) }
    }

    /// The sets that the model was trained on, one tuning after the other, for people.
    pub fn sets(&self) -> Vec<String> {
        let set = |Record { dataset, folder, images, .. }: &Record| {
            let held_out = folder.as_ref().and_then(|(_, share)| *share);
            let rest = held_out.map_or_else(String::new, |share| format!(", of which {share} had been held out"));
            format!("{images} images of {}{rest}", text::shown(dataset))
        };
        self.0.iter().map(set).collect()
    }

    /// True if no tuning is recorded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Record {
    /// The number of sampled images that are among those of a folder, whose places are given by their digests, and the
    /// number of sampled ones.
    fn finds(&self, folder: &ImageFolder, by_digest: &BTreeMap<String, usize>) -> (usize, usize) {
        let same = |(digest, content): &(&String, &String)| {
            by_digest.get(*digest).is_some_and(|&index| contents(folder, index).as_ref() == Some(content))
        };
        (self.sample.iter().filter(same).count(), self.sample.len())
    }

    fn to_json(&self) -> Value {
        let Self { dataset, folder, images, sample } = self;
        let (listing, held_out) = folder.clone().unzip();
        json!({ "dataset": dataset, "listing": listing, "held_out": held_out, "images": images, "sample": sample })
    }

    fn of_json(value: &Value) -> Option<Self> {
        let held_out = match &value["held_out"] {
            Value::Null => None,
            share => Some(share.as_f64().filter(|share| *share > 0.0 && *share < 1.0)?),
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let sample = value["sample"].as_object()?.iter().take(SAMPLED);
        Some(Self {
            dataset: text(&value["dataset"])?,
            folder: text(&value["listing"]).map(|listing| (listing, held_out)),
            images: value["images"].as_u64()?,
            sample: sample.map(|(key, content)| Some((key.clone(), text(content)?))).collect::<Option<_>>()?,
        })
    }
}

/// A digest of the names and sizes of all images of a folder.
fn listing(folder: &ImageFolder) -> String {
    let described: Vec<Vec<u8>> = (0..folder.len()).map(|index| described(folder, index)).collect();
    digest::of_parts(described.iter().map(Vec::as_slice))
}

/// Name of the class, or of the file around the image, name and size of the image, each followed by a zero byte.
fn described(folder: &ImageFolder, index: usize) -> Vec<u8> {
    let path = folder.file(index).0;
    let name = |path: Option<&Path>| path.and_then(Path::file_name).unwrap_or_default().as_encoded_bytes().to_vec();
    let size = folder.stored_size(index).unwrap_or(0);
    [name(path.parent()), name(Some(path)), size.to_string().into_bytes(), Vec::new()].join(&0)
}

fn short(bytes: &[u8]) -> String {
    let mut digest = digest::of_bytes(bytes);
    digest.truncate(DIGITS);
    digest
}

/// A short digest of the contents of an image's file; `None` if it cannot be read.
fn contents(folder: &ImageFolder, index: usize) -> Option<String> {
    Some(short(&folder.stored_bytes(index)?))
}

/// The places of a folder's images by the short digests of their names and sizes.
fn by_digest(folder: &ImageFolder) -> BTreeMap<String, usize> {
    (0..folder.len()).map(|index| (short(&described(folder, index)), index)).collect()
}

/// Digests of the contents of some images of a folder: those with the smallest digests of names and sizes, a choice
/// that does not depend on the order of the images.
fn sample(images: &Images) -> BTreeMap<String, String> {
    let Images::Files(folder) = images else { return BTreeMap::new() };
    let some = by_digest(folder).into_iter().take(SAMPLED);
    some.filter_map(|(digest, index)| Some((digest, contents(folder, index)?))).collect()
}
