//! Published sets in Parquet files: Hugging Face keeps CIFAR and MNIST as image files of their usual size.

use std::path::Path;

use rayon::prelude::*;

use super::find::{self, Kind};
use super::{PARQUET, of_archives, of_tables};
use crate::data::folder::{self, FolderParts, ImageFolder};
use crate::data::source::Recognized;
use crate::data::{DataError, Dataset, KnownSet, SETS, Split};
use crate::image::Image;
use crate::text;

/// Images that are decoded at a time.
const IMAGES: usize = 1024;

impl KnownSet {
    /// Reads the set from a file, from the folder of its files, or from one that holds that folder.
    ///
    /// # Errors
    ///
    /// As for [`Dataset::open_cifar10`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Dataset, DataError> {
        let path = path.as_ref();
        (self.open)(path)
            .or_else(|error| if self.is_elsewhere(&error) { instead(path, self, error) } else { Err(error) })
    }
}

/// Reads a set from Parquet files in place of one of which no file was found, as `error` says, which is returned where
/// there are no such files.
fn instead(path: &Path, set: &KnownSet, error: DataError) -> Result<Dataset, DataError> {
    match find::shards(path)? {
        Some(shards) if shards.iter().all(|shard| shard.kind == Kind::Parquet) => {
            let (parts, is_named) = of_tables(path, &shards)?;
            dataset(path, set, parts, is_named)
        }
        _ => Err(error),
    }
}

/// Contents of the archives or Parquet files of a path: a published set with both parts, by the names that the files
/// give its classes and the size of its first image, or else images in files. `None` if there are no such files.
pub(crate) fn recognized(path: &Path) -> Result<Option<Recognized>, DataError> {
    let Some(shards) = find::shards(path)? else { return Ok(None) };
    if shards.iter().any(|shard| shard.kind != Kind::Parquet) {
        return Ok(of_archives(path, &shards)?.map(Recognized::Folder));
    }
    let (parts, is_named) = of_tables(path, &shards)?;
    let (true, FolderParts::Divided { train, test }) = (is_named, &parts) else {
        return Ok(Some(Recognized::Folder(parts)));
    };
    let first = train.open_image(0)?;
    let set = SETS.iter().copied().find(|set| is_of(set, train.classes()) && is_alike(set, &first));
    Ok(Some(match set {
        Some(set) => Recognized::Set(joined(set, train, test)?),
        None => Recognized::Folder(parts),
    }))
}

/// Compares names of classes as they are spelled differently: `T - shirt / top` is `T-shirt/top`.
fn is_of(set: &KnownSet, names: &[String]) -> bool {
    let plain =
        |name: &str| -> String { name.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase() };
    names.len() == set.class_names.len() && names.iter().zip(set.class_names).all(|(a, b)| plain(a) == plain(b))
}

/// Returns `true` for an image of the height and width that the set's have.
fn is_alike(set: &KnownSet, image: &Image) -> bool {
    [image.height(), image.width()] == set.shape[1..]
}

/// The set in memory, if the parts are of it by the names that their files give the classes, or have no more classes
/// where these have no names.
fn dataset(path: &Path, set: &KnownSet, parts: FolderParts, is_named: bool) -> Result<Dataset, DataError> {
    let missing = |part: &str| DataError::MissingFile {
        folder: path.to_owned(),
        looked_for: vec![format!("{part}-00000-of-00001.parquet")],
        found: Vec::new(),
    };
    let (train, test) = match parts {
        FolderParts::Divided { train, test } => (train, test),
        FolderParts::Test(_) => return Err(missing("train")),
        FolderParts::Train(_) | FolderParts::Whole(_) => return Err(missing("test")),
    };
    let names = train.classes();
    let is_of_it = if is_named { is_of(set, names) } else { names.len() <= set.class_names.len() };
    if !is_of_it {
        if let Some(other) = SETS.iter().find(|other| is_of(other, names)) {
            let evidence = format!("its classes are {}", text::listed(names.iter().map(|name| text::shown(name)), 3));
            let (wanted, found) = (set.title, other.title);
            return Err(DataError::WrongSet { path: path.to_owned(), wanted, found, evidence });
        }
        let known: Vec<String> = set.class_names.iter().map(ToString::to_string).collect();
        return Err(folder::other_classes(path, &known, names));
    }
    joined(set, &train, &test)
}

fn joined(set: &KnownSet, train: &ImageFolder, test: &ImageFolder) -> Result<Dataset, DataError> {
    let files = train.on_disk().chain(test.on_disk()).map(Path::to_owned).collect();
    let (train, test) = (split(set, train)?, split(set, test)?);
    let warnings = set.unofficial([train.len(), test.len()]);
    let (name, form, classes) = (set.name, PARQUET.to_owned(), set.class_names.len());
    Ok(Dataset { name, form, classes, train, test, warnings, class_names: Vec::new(), files })
}

/// Decodes all images of a part.
pub(super) fn split(set: &KnownSet, folder: &ImageFolder) -> Result<Split, DataError> {
    let [channels, height, width] = set.shape;
    let decoded = |index: usize| {
        let image = folder.open_image(index)?;
        if !is_alike(set, &image) {
            let found = format!("one of {}x{}", image.height(), image.width());
            let expected = format!("an image of {height}x{width}, as {} has", set.title);
            return Err(DataError::contents(folder.file(index).0, "image", expected, found));
        }
        let mut planes = image.planes();
        // Of a gray image, each plane is what there is of it.
        let kept = channels * height * width;
        if channels == 1 && planes.chunks(kept).any(|plane| *plane != planes[..kept]) {
            let expected = format!("a gray image, as {} has", set.title);
            return Err(DataError::contents(folder.file(index).0, "image", expected, "one of colors"));
        }
        planes.truncate(kept);
        Ok(planes)
    };
    let mut pixels = Vec::new();
    // Some at a time, so that the error is that of the first image in order.
    for first in (0..folder.len()).step_by(IMAGES) {
        let some = first..folder.len().min(first + IMAGES);
        for planes in some.into_par_iter().map(decoded).collect::<Vec<Result<Vec<u8>, DataError>>>() {
            pixels.extend(planes?);
        }
    }
    let labels = (0..folder.len()).map(|index| folder.file(index).1 as u16).collect();
    Split::with_shape(set.shape, pixels, labels, None, set.class_names.len())
}
