//! Locks of output folders, in which one command at a time writes.
//!
//! The lock is on the file `.lock` in the folder, and ends with the process that holds it, even if that is killed. The
//! file is removed when the lock is dropped; a file that is left locks nothing.

use std::fs::{File, OpenOptions, TryLockError, remove_file};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use pvlu_zoo::atomic::is_at;

use crate::common::error::CliError;
use crate::common::output::{note, prepare_folder};

/// Locks of folders, held until they are dropped.
#[derive(Debug)]
#[must_use]
pub struct Lock(Vec<(PathBuf, File)>);

/// Makes the folders, makes sure that files can be written there, and locks them.
///
/// On a file system without locks a warning is printed, and another command in the folder is not noticed.
///
/// # Errors
///
/// A folder that cannot be made or written in, and one that another command holds.
pub fn hold(folders: &[&Path]) -> Result<Lock, CliError> {
    let mut lock = Lock(Vec::new());
    for folder in folders {
        prepare_folder(folder)?;
        let failed = |source| CliError::Write { path: (*folder).to_owned(), source };
        let path = folder.canonicalize().map_err(failed)?.join(".lock");
        // Two names may be those of one folder.
        if lock.0.iter().any(|(held, _)| *held == path) {
            continue;
        }
        loop {
            // A link would lead to a file elsewhere, which is never the one at this path.
            if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
                let other =
                    io::Error::new(ErrorKind::InvalidInput, "expected a file of this program, found something else");
                return Err(CliError::Write { path, source: other });
            }
            let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            let file = open.map_err(failed)?;
            match file.try_lock() {
                Ok(()) if is_at(&file, &path) => lock.0.push((path, file)),
                // The former holder has ended meanwhile, and removed the file.
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) => {
                    return Err(CliError::InUse { folder: (*folder).to_owned(), option: "--out" });
                }
                Err(TryLockError::Error(error)) => note(&format!(
                    "warning: {}: this file system has no locks ({error}): let no other command write there \
                     meanwhile",
                    folder.display()
                )),
            }
            break;
        }
    }
    Ok(lock)
}

impl Drop for Lock {
    fn drop(&mut self) {
        for (path, _file) in self.0.drain(..) {
            // The lock is still held here: a command that has opened the file finds that it is gone from the path.
            let _ = remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_once_and_is_free_after_that() {
        let place = tempfile::tempdir().unwrap();
        let (one, other) = (place.path().join("one"), place.path().join("other"));
        let same = one.join("../one");
        let lock = hold(&[&one, &same]).unwrap();
        let error = hold(&[&other, &one]).unwrap_err().to_string();
        assert!(error.contains("one: another command"), "{error}");
        // The folder that it locked before it failed is free again.
        drop(hold(&[&other]).unwrap());
        drop(lock);
        drop(hold(&[&one]).unwrap());
        assert_eq!(std::fs::read_dir(&one).unwrap().count(), 0, "nothing is left");
        // A killed command leaves the file.
        std::fs::write(one.join(".lock"), "").unwrap();
        drop(hold(&[&one]).unwrap());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(place.path().join("elsewhere"), one.join(".lock")).unwrap();
            let error = hold(&[&one]).unwrap_err().to_string();
            assert!(error.contains(".lock"), "{error}");
            assert!(!place.path().join("elsewhere").exists());
        }
    }
}
