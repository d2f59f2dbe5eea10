//! Classes and files of a folder of images, by name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::kind::{self, Kind};
use super::place::ImageFile;
use super::tree::Tree;
use crate::data::DataError;
use crate::data::files::Found;
use crate::image::FORMATS;
use crate::text;

/// Maximum number of images in a folder. Their names alone then take about a gigabyte.
pub(in crate::data) const MAX_IMAGES: u64 = 10_000_000;

/// Maximum number of names that a message lists.
const LISTED: usize = 6;

/// Parts that a data set is divided into.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) train: Option<PathBuf>,
    pub(super) test: Option<PathBuf>,
    pub(super) validation: Option<PathBuf>,
}

impl Parts {
    /// The part that a folder of this name holds, in either case of letters.
    fn of(&mut self, name: &str) -> Option<&mut Option<PathBuf>> {
        match name.to_ascii_lowercase().as_str() {
            "train" | "training" => Some(&mut self.train),
            "test" | "testing" => Some(&mut self.test),
            "val" | "valid" | "validation" | "dev" => Some(&mut self.validation),
            _ => None,
        }
    }
}

/// The parts that `dir` is divided into; `None` if it holds another folder beside them, or none of them.
pub(super) fn parts(tree: &dyn Tree, dir: &Path) -> Result<Option<Parts>, DataError> {
    let mut parts = Parts::default();
    let mut found = 0;
    for path in tree.entries(dir)? {
        if !tree.is_folder(&path) || kind::is_left_behind(&path) {
            continue;
        }
        let name = name(&path)?;
        let Some(part) = parts.of(&name) else { return Ok(None) };
        if let Some(first) = part.replace(path) {
            return Err(DataError::TwoParts { path: dir.to_owned(), found: vec![self::name(&first)?, name] });
        }
        found += 1;
    }
    Ok((found > 0).then_some(parts))
}

/// Files that are no images by their extensions.
#[derive(Default)]
struct PassedOver {
    count: usize,
    /// Up to [`LISTED`] + 1 different names, so that a longer list is recognized.
    names: BTreeSet<String>,
}

impl PassedOver {
    fn add(&mut self, file: &Path) {
        self.count += 1;
        if self.names.len() <= LISTED {
            self.names.insert(shown_name(file));
        }
    }

    fn names(&self) -> String {
        text::listed(&self.names, LISTED)
    }

    fn line(&self, dir: &Path) -> Option<String> {
        let files = if self.count == 1 { "file that is no image" } else { "files that are no images" };
        let line = || format!("{}: passed over {} {files} ({})", text::path(dir), self.count, self.names());
        (self.count > 0).then(line)
    }
}

/// The names in a folder of class folders.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Names of the classes, in order.
    pub(super) classes: Vec<String>,
    /// The images, each with the number of its class.
    pub(super) files: Vec<(ImageFile, u16)>,
    /// A line about the files that were passed over, if there were any.
    pub(super) warnings: Vec<String>,
}

/// The classes and files of `dir`.
pub(super) fn read(tree: &dyn Tree, dir: &Path) -> Result<Listing, DataError> {
    let mut folder = Listing::default();
    let mut passed_over = PassedOver::default();
    // Files that are images by name but cannot be read, each with the reason.
    let mut unreadable = Vec::new();
    for path in tree.entries(dir)? {
        if !tree.is_folder(&path) {
            if matches!(tree.inspect(&path), Ok(Found::Nothing)) {
                unreadable.push((path, tree.nowhere()));
            } else if kind::of(&path) != Kind::None {
                return Err(DataError::StrayFile { path, expected: "images in a folder for each class" });
            }
            // Other files, such as a readme or a list of classes, are passed over, since that leaves out no image.
            continue;
        }
        if kind::is_left_behind(&path) {
            continue;
        }
        let too_many =
            |_| DataError::setting("classes of a folder", "at most 65536", folder.classes.len().saturating_add(1));
        let label = u16::try_from(folder.classes.len()).map_err(too_many)?;
        folder.classes.push(name(&path)?);
        let (images, refused) = (folder.files.len(), unreadable.len());
        let mut here = PassedOver::default();
        for file in tree.entries(&path)? {
            let found = tree.inspect(&file);
            if matches!(found, Ok(Found::Folder)) {
                if kind::is_left_behind(&file) {
                    continue;
                }
                return Err(DataError::StrayFile { path: file, expected: NO_FOLDER });
            }
            match (kind::of(&file), found) {
                (Kind::None, _) => [&mut here, &mut passed_over].into_iter().for_each(|passed| passed.add(&file)),
                (Kind::Other(format), _) => unreadable.push((file, format)),
                (Kind::Image, Ok(Found::File)) => folder.files.push((tree.file(file), label)),
                (Kind::Image, Ok(Found::Nothing)) => unreadable.push((file, tree.nowhere())),
                (Kind::Image, Ok(found)) => return Err(DataError::NotAFile { path: file, found: found.describe() }),
                (Kind::Image, Err(error)) => return Err(error),
            }
        }
        if folder.files.len() == images && unreadable.len() == refused {
            if here.count == 0 {
                return Err(DataError::EmptyFolder { path, expected: "images" });
            }
            let found = format!("expected images, found no file that is one by its name, but {}", here.names());
            return Err(DataError::Unreadable { path, found });
        }
        let images = folder.files.len() as u64;
        if images > MAX_IMAGES {
            let what = text::path(dir).to_string();
            return Err(DataError::TooMany { what, images, limit: MAX_IMAGES });
        }
    }
    if !unreadable.is_empty() {
        return Err(refusal(dir, &unreadable));
    }
    if folder.classes.is_empty() {
        return Err(DataError::EmptyFolder { path: dir.to_owned(), expected: "a folder for each class" });
    }
    folder.warnings.extend(passed_over.line(dir));
    Ok(folder)
}

/// Description of the contents that a class folder may have.
const NO_FOLDER: &str = "images, and no folder within the folder of a class; the parts of a data set are called \
                         train, val and test (or training, valid, validation, dev, testing), and lie beside no other \
                         folder";

/// The error that names the files that cannot be read and says what to do with them.
fn refusal(dir: &Path, files: &[(PathBuf, &str)]) -> DataError {
    let named =
        files.iter().map(|(file, why)| format!("{} ({why})", text::path(file.strip_prefix(dir).unwrap_or(file))));
    let (are, them) = if files.len() == 1 { ("is", "it") } else { ("are", "them") };
    let found = format!(
        "expected {FORMATS} images, found {} that {are} not read here: {}: convert {them} (to PNG), or remove \
         {them}",
        files.len(),
        text::listed(named, LISTED)
    );
    DataError::Unreadable { path: dir.to_owned(), found }
}

/// Name of a file as a message shows it.
fn shown_name(path: &Path) -> String {
    text::shown(&path.file_name().unwrap_or_default().to_string_lossy()).to_string()
}

/// Name of a class folder. Labels are compared with it and files store it, so it must be text.
fn name(path: &Path) -> Result<String, DataError> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(ToOwned::to_owned)
        .ok_or_else(|| DataError::StrayFile { path: path.to_owned(), expected: "a name in UTF-8" })
}
