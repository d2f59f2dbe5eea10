//! Locks of files that are being fetched.

use std::fs::{File, OpenOptions, TryLockError, create_dir_all, remove_file};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pvlu_zoo::atomic::{folder_of, is_at};

use crate::common::error::CliError;
use crate::common::interrupt;
use crate::common::output::note;

/// Time between two attempts to take a lock.
const WAIT: Duration = Duration::from_millis(100);

/// A lock of a file that is being fetched, held until it is dropped.
#[must_use]
pub struct Lock {
    path: PathBuf,
    _file: File,
    remove: bool,
}

/// Path of the lock of a file: beside it.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    path.with_file_name(name)
}

/// Takes a lock, and waits while another program holds it. It is a lock of the system on the file, as those of
/// `huggingface_hub` are, and ends with the process. The file is removed afterwards if `remove`.
///
/// On a file system without locks a warning is printed, and nothing is waited for.
pub fn hold(path: &Path, remove: bool) -> Result<Lock, CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    create_dir_all(folder_of(path)).map_err(failed)?;
    let mut told = false;
    loop {
        if interrupt::interrupted() {
            return Err(CliError::Stopped);
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) if is_at(&file, path) => return Ok(Lock { path: path.to_owned(), _file: file, remove }),
            // The former holder has removed the file meanwhile.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                if !std::mem::replace(&mut told, true) {
                    note(&format!("waiting for another program that holds {}", path.display()));
                }
                std::thread::sleep(WAIT);
            }
            Err(TryLockError::Error(error)) => {
                note(&format!("warning: {}: this file system has no locks ({error})", path.display()));
                return Ok(Lock { path: path.to_owned(), _file: file, remove });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.remove {
            // Still locked: a program that has opened it finds that it is gone from the path.
            let _ = remove_file(&self.path);
        }
    }
}
