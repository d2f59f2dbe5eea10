//! Files that a command writes: never over its inputs, and over another file only if the user asked for that.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use pvlu_zoo::atomic::AtomicFile;
use pvlu_zoo::weights::{WeightsError, Writer};

use crate::common::error::CliError;
use crate::common::output::{write_in_folder, write_probe};

/// A file that a command may write.
#[derive(Debug)]
pub struct Target<'a> {
    path: &'a Path,
    /// True if the file may replace an existing one.
    replaces: bool,
}

impl<'a> Target<'a> {
    /// Makes sure, before any work is done, that a file may and can be written: it is none of the `inputs`, under any
    /// name or link, and an existing file is replaced only with `force`.
    pub fn new(path: &'a Path, inputs: &[PathBuf], force: bool) -> Result<Self, CliError> {
        let target = Self { path, replaces: force };
        target.refuse(inputs.iter().map(PathBuf::as_path))?;
        if !force && fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
            return Err(CliError::Usage(format!("{}: is there already: --force replaces it", path.display())));
        }
        write_probe(path)?;
        Ok(target)
    }

    /// A file that must not exist yet.
    pub fn free(path: &'a Path) -> Self {
        Self { path, replaces: false }
    }

    /// Path of the file to be written.
    pub fn path(&self) -> &'a Path {
        self.path
    }

    /// Makes sure that the file is none of the `inputs`.
    pub fn refuse<'b>(&self, mut inputs: impl Iterator<Item = &'b Path>) -> Result<(), CliError> {
        let Some(input) = inputs.find(|input| is_same(self.path, input)) else { return Ok(()) };
        Err(CliError::Usage(format!(
            "{}: is {}, which is read: name another file to write",
            self.path.display(),
            if self.path == input { "the same file".to_owned() } else { input.display().to_string() }
        )))
    }

    /// Writes the file, in a folder that is made if need be. A file that was made at its path since [`new`](Self::new)
    /// is replaced only if the user forced that; otherwise it is [`CliError::Taken`].
    pub fn write(&self, write: impl FnOnce(&Path) -> Result<Writer, CliError>) -> Result<(), CliError> {
        let finish = if self.replaces { Writer::finish } else { Writer::finish_new };
        write_in_folder(self.path, || match finish(write(self.path)?) {
            Err(WeightsError::Io { path, source }) if source.kind() == ErrorKind::AlreadyExists => {
                Err(CliError::Taken { path })
            }
            finished => Ok(finished?),
        })
    }

    /// As [`write`](Self::write), with the contents of another file.
    pub fn copy(&self, from: &Path) -> Result<(), CliError> {
        let failed = |source| CliError::Write { path: self.path.to_owned(), source };
        let mut read = fs::File::open(from).map_err(|source| CliError::Read { path: from.to_owned(), source })?;
        self.write_file(|path| {
            let mut file = AtomicFile::create(path).map_err(failed)?;
            io::copy(&mut read, &mut file).map_err(failed)?;
            Ok(file)
        })
    }

    /// As [`write`](Self::write), for a file that is not of tensors.
    pub fn write_file(&self, write: impl FnOnce(&Path) -> Result<AtomicFile, CliError>) -> Result<(), CliError> {
        write_in_folder(self.path, || {
            let file = write(self.path)?;
            commit(vec![(self.path.to_owned(), file)], self.replaces)
        })
    }
}

/// Writes files with these contents, all or, if one cannot be written or was made by another program since
/// [`new`](Target::new), none. All were made with the same `force`.
pub fn write_all(files: &[(&Target<'_>, Vec<u8>)]) -> Result<(), CliError> {
    let replaces = files.iter().all(|(target, _)| target.replaces);
    write_rest(files, Vec::with_capacity(files.len()), replaces)
}

/// As [`write_all`], where some are `written` and have yet to get their names.
fn write_rest(
    files: &[(&Target<'_>, Vec<u8>)],
    mut written: Vec<(PathBuf, AtomicFile)>,
    replaces: bool,
) -> Result<(), CliError> {
    let Some(((Target { path, .. }, contents), rest)) = files.split_first() else { return commit(written, replaces) };
    write_in_folder(path, || {
        let failed = |source| CliError::Write { path: (*path).to_owned(), source };
        let mut file = AtomicFile::create(path).map_err(failed)?;
        file.write_all(contents).map_err(failed)?;
        written.push(((*path).to_owned(), file));
        write_rest(rest, written, replaces)
    })
}

/// Gives files their names, in place of others or not.
fn commit(files: Vec<(PathBuf, AtomicFile)>, replaces: bool) -> Result<(), CliError> {
    AtomicFile::commit_all(files, !replaces).map_err(|(path, source)| match source.kind() {
        ErrorKind::AlreadyExists => CliError::Taken { path },
        _ => CliError::Write { path, source },
    })
}

/// True if two paths lead to the same file. A missing file is the same only under an equal path.
fn is_same(a: &Path, b: &Path) -> bool {
    let (Ok(first), Ok(second)) = (fs::metadata(a), fs::metadata(b)) else { return a == b };
    if let Some(same) = identity(&first).zip(identity(&second)).map(|(a, b)| a == b) {
        return same;
    }
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

/// Device and inode number of a file, which its hard links share.
#[cfg(unix)]
fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

/// `None`: this system gives files no portable identity.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_output_that_is_read_is_refused_by_every_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("in"), "x").unwrap();
        fs::create_dir(path("sub")).unwrap();
        fs::hard_link(path("in"), path("hard")).unwrap();
        let mut names = vec![path("in"), path("sub/../in"), path("hard")];
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(path("in"), path("soft")).unwrap();
            std::os::unix::fs::symlink(folder.path(), path("loop")).unwrap();
            names.extend([path("soft"), path("loop/in")]);
        }
        let input = path("in");
        for name in names {
            for force in [false, true] {
                let error = Target::new(&name, &[path("other"), input.clone()], force).unwrap_err().to_string();
                assert!(error.contains(&name.display().to_string()) && error.contains("which is read"), "{error}");
            }
        }
        // Neither is there yet.
        assert!(Target::new(&path("new"), &[path("new")], true).is_err());
        Target::new(&path("new"), &[input.clone(), path("none")], false).unwrap();
        assert_eq!(fs::read_to_string(&input).unwrap(), "x");
    }

    #[test]
    fn a_file_that_is_there_is_replaced_by_force_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        Target::new(&path, &[], false).unwrap();
        fs::write(&path, "mine").unwrap();
        let error = Target::new(&path, &[], false).unwrap_err();
        assert!(error.to_string().contains("--force") && matches!(error, CliError::Usage(_)), "{error}");
        Target::new(&path, &[], true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_file_that_came_to_be_there_during_the_work_is_replaced_by_force_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, place) = (folder.path().join("new/out"), folder.path().join("new"));
        let empty = |path: &Path| Ok(Writer::create(path, Vec::new(), &BTreeMap::new())?);
        let [kept, forced] = [false, true].map(|force| Target::new(&path, &[], force).unwrap());
        fs::create_dir(&place).unwrap();
        fs::write(&path, "mine").unwrap();
        let error = kept.write(empty).unwrap_err();
        assert!(error.to_string().contains("--force") && matches!(error, CliError::Taken { .. }), "{error}");
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), fs::read_dir(&place).unwrap().count()), ("mine", 1));
        forced.write(empty).unwrap();
        assert_ne!(fs::read_to_string(&path).unwrap(), "mine");
        fs::remove_file(&path).unwrap();
        kept.write(empty).unwrap();
    }

    #[test]
    fn of_several_files_all_are_written_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["new/a", "new/within/b", "c"].map(|name| folder.path().join(name));
        let write = |force| {
            let [a, b, c] = paths.each_ref().map(|path| Target { path, replaces: force });
            write_all(&[(&a, b"a".to_vec()), (&b, b"b".to_vec()), (&c, b"c".to_vec())])
        };
        fs::write(&paths[2], "mine").unwrap();
        let error = write(false).unwrap_err();
        assert!(matches!(&error, CliError::Taken { path } if *path == paths[2]), "{error}");
        assert_eq!(fs::read_to_string(&paths[2]).unwrap(), "mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        // One that is no place for a file.
        fs::remove_file(&paths[2]).unwrap();
        fs::create_dir(&paths[2]).unwrap();
        for force in [false, true] {
            let error = write(force).unwrap_err();
            assert!(matches!(&error, CliError::Write { path, .. } if *path == paths[2]), "{error}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
        fs::remove_dir(&paths[2]).unwrap();
        for force in [false, true] {
            write(force).unwrap();
            assert_eq!(paths.each_ref().map(|path| fs::read_to_string(path).unwrap()), ["a", "b", "c"]);
        }
    }
}
