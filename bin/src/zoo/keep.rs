//! Keeping the results of a command that ends early.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use pvlu_zoo::atomic;
use pvlu_zoo::weights::Writer;

use super::targets::Target;
use crate::common::error::CliError;
use crate::common::output::new_folder;

/// Writes a file that has yet to be renamed into place.
pub type Save<'a> = &'a dyn Fn(&Path) -> Result<Writer, CliError>;

/// Keeps the results of a command in the file that was asked for, beside it if another file has taken its name, or, if
/// neither can be written, in the folder for temporary files. Returns the error that ended the command, with the place
/// of the results or the reason why they could not be kept.
pub fn keep(error: CliError, what: impl Into<String>, target: &Target<'_>, save: Save<'_>) -> CliError {
    let path = target.path();
    let written = match atomic::destination(path) {
        // A device or a pipe may have taken a part already. The reader of a pipe may be gone, and opening it again
        // would wait for another one.
        Ok(None) => among_temporary(path, save),
        _ => match target.write(save) {
            Err(CliError::Taken { .. }) => beside(path, save),
            written => written.map(|()| path.to_owned()),
        }
        // The command may have ended because this very file could not be written.
        .or_else(|_| among_temporary(path, save)),
    };
    let (source, what) = (Box::new(error), what.into());
    match written {
        Ok(path) => CliError::Kept { source, what, path },
        Err(failure) => CliError::NotKept { source, what, failure: Box::new(failure) },
    }
}

/// Writes `t-1.safetensors` for `t.safetensors`, or the first number after it that is free.
fn beside(path: &Path, save: Save<'_>) -> Result<PathBuf, CliError> {
    let mut number = 1_u64;
    loop {
        let mut name = OsString::from(path.file_stem().unwrap_or_default());
        name.push(format!("-{number}"));
        if let Some(extension) = path.extension() {
            name.push(".");
            name.push(extension);
        }
        let other = path.with_file_name(name);
        // A link would lead elsewhere.
        let free = fs::symlink_metadata(&other).is_err();
        match free.then(|| Target::free(&other).write(save)) {
            None | Some(Err(CliError::Taken { .. })) => number += 1,
            Some(written) => return written.map(|()| other),
        }
    }
}

/// Writes the file in a new folder within that for temporary files, where no other user can have put a link under its
/// name.
fn among_temporary(path: &Path, save: Save<'_>) -> Result<PathBuf, CliError> {
    let folder = new_folder(&std::env::temp_dir(), "zoo-kept-")?;
    let path = folder.join(path.file_name().unwrap_or_default());
    let written = Target::free(&path).write(save);
    if written.is_err() {
        let _ = fs::remove_dir(folder);
    }
    written.map(|()| path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_cannot_have_its_name_is_kept_under_another_one_and_no_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let target = at("t.v1.safetensors");
        let checked = Target::new(&target, &[], false).unwrap();
        let metadata = BTreeMap::from([("of".to_owned(), "the network".to_owned())]);
        let save = |path: &Path| Ok(Writer::create(path, Vec::new(), &metadata)?);
        let kept = || match keep(CliError::Stopped, "it", &checked, &save) {
            CliError::Kept { path, .. } => path,
            error => panic!("{error}"),
        };
        let is_whole = |path: &Path| fs::read_to_string(path).unwrap().contains("the network");
        assert!(kept() == target && is_whole(&target));
        for name in ["t.v1.safetensors", "t.v1-1.safetensors"] {
            fs::write(at(name), "mine").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("elsewhere"), at("t.v1-2.safetensors")).unwrap();
        #[cfg(not(unix))]
        fs::write(at("t.v1-2.safetensors"), "mine").unwrap();
        let other = kept();
        assert!(other == at("t.v1-3.safetensors") && is_whole(&other), "{other:?}");
        assert!(!at("elsewhere").exists());
        for name in ["t.v1.safetensors", "t.v1-1.safetensors"] {
            assert_eq!(fs::read_to_string(at(name)).unwrap(), "mine");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_device_or_a_pipe_is_not_written_to_twice() {
        let target = Target::new(Path::new("/dev/null"), &[], false).unwrap();
        let save = |path: &Path| Ok(Writer::create(path, Vec::new(), &BTreeMap::new())?);
        match keep(CliError::Stopped, "it", &target, &save) {
            CliError::Kept { path, .. } => {
                assert!(path.starts_with(std::env::temp_dir()) && path.is_file(), "{path:?}");
                fs::remove_dir_all(path.parent().unwrap()).unwrap();
            }
            error => panic!("{error}"),
        }
    }
}
