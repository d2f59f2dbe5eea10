//! The form of a file that is given in place of a folder, and the forms of CIFAR that are not read, with what to do
//! with each.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::layout::{CIFAR10, CIFAR100, CifarLayout, Place};
use super::python::is_pickle;
use crate::data::files::{Found, entries, file_name, inspect};
use crate::data::{DataError, archive::GZIP};
use crate::signature::{self, PAGE, archive};

/// Maximum number of files whose first bytes are read in search of another form.
const LOOKED_AT: usize = 64;

/// Takes a file that is given as the set for the form that its first bytes tell.
pub(super) fn place(path: &Path, layout: &CifarLayout) -> Result<Place, DataError> {
    let not_a_folder = || DataError::NotAFolder { path: path.to_owned(), found: Found::File.describe() };
    let first = first(path).ok_or_else(not_a_folder)?;
    if let Some(found) = other(path, &first, layout) {
        return Err(DataError::OtherForm { path: path.to_owned(), found });
    }
    match archive(&first) {
        Some(signature::GZIP | signature::TAR) => Ok(Place::Archive(path.to_owned())),
        Some(signature::ZIP) => Ok(Place::Arrays(path.to_owned())),
        _ => Err(not_a_folder()),
    }
}

/// A message that names a form which is not read, and says what to do with it; `None` if the form is read or not
/// recognized.
fn other(path: &Path, first: &[u8], layout: &CifarLayout) -> Option<String> {
    let name = file_name(path).to_lowercase();
    let archives = layout.archives[..2].join(", ");
    let read_here = format!("the binary and the Python version ({archives}) are read here, unpacked or not");
    if layout.has_file(&name)
        || name == "batches.meta"
        || is_pickle(first) && (layout.other().has_file(&name) || name == "meta")
    {
        return Some("expected the folder of the files, found one of them: give the folder that it is in".to_owned());
    }
    if first.starts_with(b"MATLAB 5.0") || name.contains("matlab") {
        return Some(format!("this is the Matlab version; {read_here}"));
    }
    if first.starts_with(b"\x93NUMPY") {
        return Some(
            "this is one array of NumPy: save all in one file (numpy.savez) as x_train, y_train, x_test and y_test"
                .to_owned(),
        );
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
    if name.ends_with(".bin.gz") && first.starts_with(&GZIP) {
        return Some("this is compressed by gzip: unpack it (gunzip), and give its folder".to_owned());
    }
    let is_read = matches!(archive, signature::GZIP | signature::TAR) || name.ends_with(".npz");
    (!is_read).then(|| format!("this is {archive}: unpack it, and give the folder that comes out"))
}

/// The error for a folder that lacks the files of `layout`, and of which `paths` are the entries, if it holds a form of
/// CIFAR that is not read, directly or one level down; `None` if no such form is found.
pub(super) fn of_folder(paths: &[PathBuf], layout: &CifarLayout) -> Option<DataError> {
    let within = paths.iter().filter(|path| path.is_dir()).filter_map(|path| entries(path).ok()).flatten();
    let files = paths.iter().cloned().chain(within).filter(|path| {
        let name = file_name(path).to_lowercase();
        let begins = ["data_batch", "test_batch", "train", "test"];
        // Files of a set itself are no other form: some are present when only others of the set are missing.
        !CIFAR10.has_file(&name)
            && !CIFAR100.has_file(&name)
            && (name.contains("cifar") || begins.iter().any(|begin| name.starts_with(begin)))
    });
    let files = files.filter(|path| inspect(path).is_ok_and(|found| found == Found::File)).take(LOOKED_AT);
    let mut forms = files.filter_map(|path| {
        let first = first(&path)?;
        let found = match archive(&first) {
            // One with a name that is not looked for in a folder.
            Some(signature::GZIP | signature::TAR) if !file_name(&path).ends_with(".bin.gz") => {
                "this is an archive: give its own path if the set is in it".to_owned()
            }
            Some(signature::ZIP) if file_name(&path).ends_with(".npz") => {
                "this is a file of NumPy: give its own path if the set is in it".to_owned()
            }
            _ => other(&path, &first, layout)?,
        };
        Some(DataError::OtherForm { path, found })
    });
    forms.next()
}

/// The first bytes of a file; `None` if it cannot be read, which is not the error to report here.
fn first(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(signature::REACH).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
