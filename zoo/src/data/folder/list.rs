//! The names in a folder of images.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{DataError, ImageFolder};

const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// Images accepted in a folder: their names alone then take about a gigabyte.
pub(super) const MAX_IMAGES: u64 = 10_000_000;

/// The names by which a data set is divided.
const PARTS: [&str; 3] = ["train", "test", "val"];

/// Which of `train`, `test` and `val` `dir` is divided into, if into nothing else.
pub(super) fn parts(dir: &Path) -> Result<Option<Vec<String>>, DataError> {
    let names: Vec<String> =
        entries(dir)?.into_iter().filter(|path| path.is_dir()).map(|path| name(&path)).collect::<Result<_, _>>()?;
    let divided = !names.is_empty() && names.iter().all(|name| PARTS.contains(&name.as_str()));
    Ok(divided.then_some(names))
}

/// The classes and files of `dir`.
pub(super) fn read(dir: &Path) -> Result<ImageFolder, DataError> {
    let mut folder = ImageFolder { path: dir.to_owned(), classes: Vec::new(), files: Vec::new() };
    for path in entries(dir)? {
        if !path.is_dir() {
            if is_image(&path) {
                return Err(DataError::StrayFile { path, expected: "images in a folder for each class" });
            }
            // A readme, a list of classes: no image is left out silently by passing over it.
            continue;
        }
        let too_many =
            |_| DataError::setting("classes of a folder", "at most 65536", folder.classes.len().saturating_add(1));
        let label = u16::try_from(folder.classes.len()).map_err(too_many)?;
        folder.classes.push(name(&path)?);
        let files = entries(&path)?;
        if files.is_empty() {
            return Err(DataError::EmptyFolder { path, expected: "images" });
        }
        for file in files {
            if !is_image(&file) || !file.is_file() {
                return Err(DataError::StrayFile {
                    path: file,
                    expected: "nothing but .png, .jpg, .jpeg and .webp files",
                });
            }
            folder.files.push((file, label));
        }
        let images = folder.files.len() as u64;
        if images > MAX_IMAGES {
            let what = dir.display().to_string();
            return Err(DataError::TooMany { what, images, limit: MAX_IMAGES });
        }
    }
    if folder.classes.is_empty() {
        return Err(DataError::EmptyFolder { path: dir.to_owned(), expected: "a folder for each class" });
    }
    Ok(folder)
}

/// What is in a folder and not hidden, sorted by name.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, DataError> {
    let error = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => DataError::MissingFolder { path: dir.to_owned() },
        ErrorKind::NotADirectory => DataError::NotAFolder { path: dir.to_owned(), found: "a file" },
        _ => DataError::Io { path: dir.to_owned(), source },
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(error)? {
        let entry = entry.map_err(error)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
    Ok(paths)
}

fn is_image(path: &Path) -> bool {
    path.extension().is_some_and(|found| EXTENSIONS.iter().any(|known| found.eq_ignore_ascii_case(known)))
}

/// Name of a class folder. Labels are compared with it and files store it, so it must be text.
fn name(path: &Path) -> Result<String, DataError> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(ToOwned::to_owned)
        .ok_or_else(|| DataError::StrayFile { path: path.to_owned(), expected: "a name in UTF-8" })
}
