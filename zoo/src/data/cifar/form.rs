//! The other forms that CIFAR is published or kept in, and what to do with each: torchvision and Keras download the
//! Python version, Hugging Face has Parquet files, and archives are not unpacked here.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::files::{Found, entries, file_name, inspect};
use super::layout::{CIFAR10, CIFAR100, CifarLayout};
use crate::data::DataError;
use crate::signature::{PAGE, archive};

/// Maximum number of files whose first bytes are read in search of another form.
const LOOKED_AT: usize = 64;

/// Number of bytes read from the beginning of a file to tell its format, as many as [`archive`] examines.
const FIRST: u64 = 262;

/// The set that a file of the Python version belongs to; `None` for any other file. The files of that version have the
/// names of the binary ones without `.bin`, and hold pickles.
fn python(path: &Path, first: &[u8]) -> Option<&'static CifarLayout> {
    let is_pickle = matches!(first, [0x80, 2..=5, ..]);
    match file_name(path).as_str() {
        "batches.meta" | "test_batch" => Some(&CIFAR10),
        name if name.strip_prefix("data_batch_").is_some_and(|rest| matches!(rest, "1" | "2" | "3" | "4" | "5")) => {
            Some(&CIFAR10)
        }
        "train" | "test" | "meta" if is_pickle => Some(&CIFAR100),
        _ => None,
    }
}

/// A message that names the form of a file and says what to do with it; `None` if the form is not recognized.
fn other(path: &Path, first: &[u8], layout: &CifarLayout) -> Option<String> {
    let name = file_name(path).to_lowercase();
    let read_here = format!("the binary version ({}) is read here", layout.archive);
    if layout.files().any(|file| file == name) {
        return Some("expected the folder of the files, found one of them: give the folder that it is in".to_owned());
    }
    if let Some(set) = python(path, first) {
        let of = if set.name == layout.name { String::new() } else { format!(" of {}", set.title) };
        return Some(format!("this is the Python version{of}; {read_here}"));
    }
    if matches!(first, [b'P', b'A', b'R', b'1', ..]) {
        return Some(format!("this is a Parquet file, as Hugging Face has them; {read_here}"));
    }
    if first.starts_with(b"MATLAB 5.0") || name.contains("matlab") {
        return Some(format!("this is the Matlab version; {read_here}"));
    }
    if first.starts_with(b"\x93NUMPY") || name.ends_with(".npz") {
        return Some(format!("this is a file of NumPy; {read_here}"));
    }
    let Some(archive) = archive(first) else {
        let what = match first {
            [0x89, b'H', b'D', b'F', ..] => "an HDF5 file",
            [b'A', b'R', b'R', b'O', b'W', b'1', ..] => "an Arrow file",
            [b'<', ..] => PAGE,
            _ => return None,
        };
        return Some(format!("this is {what}; {read_here}"));
    };
    Some(if name.ends_with(".bin.gz") && first.starts_with(&[0x1f, 0x8b]) {
        "this is compressed by gzip: unpack it (gunzip), and give its folder".to_owned()
    } else if name.contains("python") {
        format!("this is the Python version, in {archive}; {read_here}")
    } else if name.contains("binary") {
        format!("this is {archive}: unpack it (tar xf), and give the folder that comes out")
    } else {
        format!("this is {archive}: unpack it, and give the folder that comes out; {read_here}")
    })
}

/// The error for a path that leads to a file although a folder is expected; `None` if the file cannot be read or its
/// form is not recognized.
pub(super) fn of_file(path: &Path, layout: &CifarLayout) -> Option<DataError> {
    let found = other(path, &first(path)?, layout)?;
    Some(DataError::OtherForm { path: path.to_owned(), found })
}

/// The error for a folder that lacks the files of `layout` and holds another form of CIFAR, directly or one level down;
/// `None` if no such form is found.
pub(super) fn of_folder(folder: &Path, paths: &[PathBuf], layout: &CifarLayout) -> Option<DataError> {
    let within = paths.iter().filter(|path| path.is_dir()).filter_map(|path| entries(path).ok()).flatten();
    let files = paths.iter().cloned().chain(within).filter(|path| {
        let name = file_name(path).to_lowercase();
        let begins = ["data_batch", "test_batch", "batches.meta", "train", "test", "meta"];
        // Files of the set itself are no other form: some are present when only others of the set are missing.
        !layout.files().any(|file| file == name)
            && (name.contains("cifar") || begins.iter().any(|begin| name.starts_with(begin)))
    });
    let mut found = None;
    for path in files.filter(|path| inspect(path).is_ok_and(|found| found == Found::File)).take(LOOKED_AT) {
        let Some(first) = first(&path) else { continue };
        if let Some(set) = python(&path, &first) {
            // The error names the whole folder, and a Python version takes precedence over other forms.
            let place = path.parent().unwrap_or(folder).to_owned();
            let text = other(&path, &first, layout)?;
            found = Some((place, text));
            if set.name == layout.name {
                break;
            }
        } else if found.is_none() {
            found = other(&path, &first, layout).map(|text| (path, text));
        }
    }
    found.map(|(path, found)| DataError::OtherForm { path, found })
}

/// The first bytes of a file; `None` if it cannot be read, which is not the error to report here.
fn first(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(FIRST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
