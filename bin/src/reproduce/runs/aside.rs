//! Moving files that are in the way of a run of other settings: to `OUT/aside/1`, or the first number after it that is
//! free.
//!
//! Such a folder is an output folder itself, with `runs` and `weights`: `reproduce merge OUT/aside/1` makes the table
//! of the runs that are finished there, and a table with `--out OUT/aside/1` goes on with those that are not.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use pvlu_zoo::atomic::{AtomicFile, folder_of};

use crate::common::error::CliError;
use crate::common::output::new_folder;

/// The folder to which a command moves files that are in its way, made when the first one is moved.
#[derive(Debug)]
pub struct Aside {
    out: PathBuf,
    folder: RefCell<Option<PathBuf>>,
}

impl Aside {
    /// The folder within an output folder; nothing is made yet.
    pub fn of(out: &Path) -> Self {
        Self { out: out.to_owned(), folder: RefCell::default() }
    }

    /// Moves files of the output folder, each given with the reason why, and reports them through `say` in one line. If
    /// one cannot be moved, the line reports those before it.
    pub fn take(&self, files: &[(PathBuf, String)], say: &dyn Fn(&str)) -> Result<(), CliError> {
        let Some((first, why)) = files.first() else { return Ok(()) };
        let folder = self.folder()?;
        let mut moved = 0;
        let taken = files.iter().try_for_each(|(path, _)| {
            let to = folder.join(path.strip_prefix(&self.out).unwrap_or(path));
            move_new(path, &to).map_err(|source| CliError::Write { path: to, source })?;
            moved += 1;
            Ok(())
        });
        if moved > 0 {
            let name = first.file_name().unwrap_or_default().to_string_lossy();
            let others = if moved > 1 { format!(" and {} more", moved - 1) } else { String::new() };
            say(&format!("moved aside to {}: {name}{others}: {why}", folder.display()));
        } else {
            // Goes only if it is empty.
            let _ = fs::remove_dir(&folder).map(|()| self.folder.take());
        }
        taken
    }

    /// The folder of this command, made on the first call under a name that was free.
    fn folder(&self) -> Result<PathBuf, CliError> {
        if let Some(folder) = &*self.folder.borrow() {
            return Ok(folder.clone());
        }
        let folder = new_folder(&self.out.join("aside"), "")?;
        Ok(self.folder.borrow_mut().insert(folder).clone())
    }
}

/// Moves a file, making the target's folder if need be. A file that is at the target already is an error.
fn move_new(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(folder_of(to))?;
    // Two files of one name can only come one after the other, since nothing but this command uses the folder.
    if fs::symlink_metadata(to).is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    match fs::rename(from, to) {
        // The devices differ where `runs` is a link to another disk, for example.
        Err(error) if error.kind() == ErrorKind::CrossesDevices && fs::symlink_metadata(from)?.is_file() => {
            let mut copy = AtomicFile::create(to)?;
            io::copy(&mut File::open(from)?, &mut copy)?;
            copy.commit()?;
            fs::remove_file(from)
        }
        renamed => renamed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_to_a_folder_of_their_own_and_none_is_replaced() {
        let out = tempfile::tempdir().unwrap();
        fs::create_dir(out.path().join("runs")).unwrap();
        let path = out.path().join("runs/x.json");
        for number in ["1", "2"] {
            fs::write(&path, number).unwrap();
            let aside = Aside::of(out.path());
            let said = RefCell::new(String::new());
            let take = |files: &[(PathBuf, String)]| aside.take(files, &|line| *said.borrow_mut() += line);
            take(&[]).unwrap();
            assert!(!out.path().join("aside").join(number).exists(), "made when it is needed");
            take(&[(path.clone(), "why".to_owned())]).unwrap();
            assert!(!path.exists() && said.borrow().ends_with(&format!("/aside/{number}: x.json: why")), "{said:?}");
            // The same file again is another one.
            fs::write(&path, "new").unwrap();
            let error = take(&[(path.clone(), "why".to_owned())]).unwrap_err().to_string();
            assert!(error.contains("x.json"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "new");
            assert_eq!(fs::read_to_string(out.path().join(format!("aside/{number}/runs/x.json"))).unwrap(), number);
        }
    }

    #[test]
    fn what_was_moved_before_an_error_is_said() {
        let out = tempfile::tempdir().unwrap();
        let files =
            ["a.json", "b.json", "none.json"].map(|name| (out.path().join("runs").join(name), "why".to_owned()));
        fs::create_dir(out.path().join("runs")).unwrap();
        files[..2].iter().for_each(|(path, _)| fs::write(path, "").unwrap());
        let said = RefCell::new(Vec::new());
        let say = |line: &str| said.borrow_mut().push(line.to_owned());
        let error = Aside::of(out.path()).take(&files, &say).unwrap_err().to_string();
        assert!(error.contains("none.json"), "{error}");
        assert!(said.borrow().len() == 1 && said.borrow()[0].ends_with("aside/1: a.json and 1 more: why"), "{said:?}");
        let error = Aside::of(out.path()).take(&files[2..], &say).unwrap_err().to_string();
        assert!(error.contains("none.json") && said.borrow().len() == 1, "{error} {said:?}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_on_another_disk_is_moved_too() {
        use std::os::unix::fs::{MetadataExt, symlink};
        let out = tempfile::tempdir().unwrap();
        let disk = tempfile::tempdir_in("/dev/shm");
        let Some(disk) = disk.ok().filter(|disk| {
            let device = |folder: &tempfile::TempDir| folder.path().metadata().unwrap().dev();
            device(disk) != device(&out)
        }) else {
            println!("skipped: no other file system is here");
            return;
        };
        symlink(disk.path(), out.path().join("runs")).unwrap();
        let path = out.path().join("runs/x.json");
        fs::write(&path, "x").unwrap();
        Aside::of(out.path()).take(&[(path.clone(), "why".to_owned())], &|_| ()).unwrap();
        assert!(!path.exists());
        assert_eq!(fs::read_to_string(out.path().join("aside/1/runs/x.json")).unwrap(), "x");
    }
}
