//! Two files that belong together: a program and the weights that it reads.

use std::path::{Path, PathBuf};

use super::ExportError;
use crate::atomic::AtomicFile;

/// Two files that are written and have yet to get their names. Dropped before, they are removed.
#[derive(Debug)]
pub struct Pair([(PathBuf, AtomicFile); 2]);

impl Pair {
    /// Two files, each with its path. The second is the one that is of no use without the first.
    pub(crate) fn new(first: (&Path, AtomicFile), second: (&Path, AtomicFile)) -> Self {
        Self([first, second].map(|(path, file)| (path.to_owned(), file)))
    }

    /// Gives both files their names, once both are on disk. Files that had them are replaced.
    ///
    /// # Errors
    ///
    /// [`ExportError::Io`] if a disk is full or fails: no file has got its name then. Or if a name cannot be given: the
    /// first file may have its own already.
    pub fn commit(self) -> Result<(), ExportError> {
        self.commit_all(false)
    }

    /// As [`commit`](Self::commit), but an existing file of either name, however late it appeared, is an error and
    /// stays. Then neither of these files is there.
    ///
    /// # Errors
    ///
    /// As for [`commit`](Self::commit), and [`AlreadyExists`](std::io::ErrorKind::AlreadyExists) in an
    /// [`ExportError::Io`].
    pub fn commit_new(self) -> Result<(), ExportError> {
        self.commit_all(true)
    }

    fn commit_all(self, new: bool) -> Result<(), ExportError> {
        let committed = AtomicFile::commit_all(self.0.into(), new);
        committed.map_err(|(path, source)| ExportError::Io { path, source })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{self, Write};

    use super::*;

    fn written(folder: &Path) -> Pair {
        let paths = ["weights", "program"].map(|name| folder.join(name));
        let files = paths.clone().map(|path| {
            let mut file = AtomicFile::create(&path).unwrap();
            file.write_all(b"new").unwrap();
            file
        });
        let [weights, program] = files;
        Pair::new((&paths[0], weights), (&paths[1], program))
    }

    fn contents(folder: &Path) -> Vec<(String, String)> {
        let read = |entry: io::Result<fs::DirEntry>| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap())
        };
        let mut all: Vec<_> = fs::read_dir(folder).unwrap().map(read).collect();
        all.sort();
        all
    }

    #[test]
    fn both_files_are_there_or_neither() {
        let both = |text: &str| ["program", "weights"].map(|name| (name.to_owned(), text.to_owned())).to_vec();
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        drop(written(at));
        assert_eq!(contents(at), []);
        written(at).commit_new().unwrap();
        assert_eq!(contents(at), both("new"));
        for name in ["weights", "program"] {
            fs::write(at.join("weights"), "mine").unwrap();
            fs::write(at.join("program"), "mine").unwrap();
            fs::remove_file(at.join(name)).unwrap();
            let left = contents(at);
            let error = written(at).commit_new().unwrap_err();
            assert!(matches!(&error, ExportError::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists));
            assert_eq!(contents(at), left, "{error}");
        }
        written(at).commit().unwrap();
        assert_eq!(contents(at), both("new"));
    }
}
