//! New files that have their names, and could lose them again: several files get theirs together or not at all.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::at::{NAME, folder_of, is_at};

/// A new file under its name.
#[derive(Debug)]
pub(super) struct Committed {
    /// The file itself, by which it is told from another one that got its name since.
    pub(super) file: File,
    /// Its path; `None` for a character device or a FIFO, which stays.
    pub(super) path: Option<PathBuf>,
}

impl Committed {
    /// Removes the file. Another one that got its name since stays, however late that was. Errors are ignored: this is
    /// done on account of one that is reported.
    pub(super) fn take_back(self) {
        let Some(path) = &self.path else { return };
        // Two steps would be too many: what is at a path can change between a look at it and the removal. Under a name
        // that no other program uses it cannot.
        if is_at(&self.file, path) {
            let aside = aside(folder_of(path));
            if fs::rename(path, &aside).is_ok() {
                self.settle(&aside, path);
            }
        }
    }

    /// Removes what was moved aside, or moves it back if it is another file.
    fn settle(&self, aside: &Path, path: &Path) {
        let removed = match is_at(&self.file, aside) {
            true => Ok(()),
            false => fs::hard_link(aside, path),
        };
        match removed {
            Ok(()) => drop(fs::remove_file(aside)),
            // A third file has the name by now: the second one keeps the other.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            // A file system without hard links.
            Err(_) => drop(fs::rename(aside, path)),
        }
    }
}

/// A name in a folder that nothing has, and that the next write there does not remove as a temporary file.
fn aside(folder: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{}{}-{number}.aside", NAME.0, std::process::id()));
        if fs::symlink_metadata(&path).is_err() {
            return path;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// A file of this name in a folder, as this process made it.
    fn made(folder: &Path) -> Committed {
        let path = folder.join("x");
        Committed { file: File::create_new(&path).unwrap(), path: Some(path) }
    }

    fn contents(folder: &Path) -> Vec<(String, String)> {
        let read = |entry: io::Result<fs::DirEntry>| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap())
        };
        fs::read_dir(folder).unwrap().map(read).collect()
    }

    #[test]
    fn a_file_of_our_own_is_removed_and_nothing_is_left_beside() {
        let folder = tempfile::tempdir().unwrap();
        made(folder.path()).take_back();
        assert_eq!(contents(folder.path()), []);
        // One that is gone already.
        let gone = made(folder.path());
        fs::remove_file(folder.path().join("x")).unwrap();
        gone.take_back();
        assert_eq!(contents(folder.path()), []);
    }

    #[test]
    #[cfg(unix)]
    fn a_file_that_another_program_put_there_since_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let theirs = [("x".to_owned(), "theirs".to_owned())];
        let replaced = || {
            let made = made(folder.path());
            fs::write(folder.path().join("y"), "theirs").unwrap();
            fs::rename(folder.path().join("y"), &path).unwrap();
            made
        };
        replaced().take_back();
        assert_eq!(contents(folder.path()), theirs);
        fs::remove_file(&path).unwrap();
        // Replaced between the look and the renaming.
        let aside = aside(folder.path());
        let made = replaced();
        fs::rename(&path, &aside).unwrap();
        made.settle(&aside, &path);
        assert_eq!(contents(folder.path()), theirs);
    }
}
