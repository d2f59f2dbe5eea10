//! Where files go that are in the way of a run of other settings: to `OUT/aside/1`, or the first number after it that is free.
//!
//! Such a folder is an output folder itself, with `runs` and `weights`: `reproduce merge OUT/aside/1` makes the table of the runs
//! that are finished there, and a table with `--out OUT/aside/1` goes on with those that are not.

use std::cell::RefCell;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::CliError;

/// The folder of a command for what was in its way, which is made when it is needed.
#[derive(Debug)]
pub struct Aside {
    out: PathBuf,
    folder: RefCell<Option<PathBuf>>,
}

impl Aside {
    /// That of an output folder.
    pub fn of(out: &Path) -> Self {
        Self { out: out.to_owned(), folder: RefCell::default() }
    }

    /// Moves files of the output folder, each with the reason why, and says so in one line.
    pub fn take(&self, files: &[(PathBuf, String)], say: &dyn Fn(&str)) -> Result<(), CliError> {
        let Some((first, why)) = files.first() else { return Ok(()) };
        let folder = self.folder()?;
        for (path, _) in files {
            let failed = |source| CliError::Write { path: path.clone(), source };
            let to = folder.join(path.strip_prefix(&self.out).unwrap_or(path));
            to.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
            // Two files of one name come one after the other: the folder is this command's, so that nothing else can be there.
            if fs::symlink_metadata(&to).is_ok() {
                return Err(failed(ErrorKind::AlreadyExists.into()));
            }
            fs::rename(path, &to).map_err(failed)?;
        }
        let (name, others) = (first.file_name().unwrap_or_default().to_string_lossy(), files.len() - 1);
        let others = if others > 0 { format!(" and {others} more") } else { String::new() };
        say(&format!("moved aside to {}: {name}{others}: {why}", folder.display()));
        Ok(())
    }

    /// The folder, which nobody had before.
    fn folder(&self) -> Result<PathBuf, CliError> {
        if let Some(folder) = &*self.folder.borrow() {
            return Ok(folder.clone());
        }
        let all = self.out.join("aside");
        let failed = |source| CliError::Write { path: all.clone(), source };
        fs::create_dir_all(&all).map_err(failed)?;
        let mut number = 1_u64;
        let folder = loop {
            let folder = all.join(number.to_string());
            match fs::create_dir(&folder) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                made => break made.map(|()| folder).map_err(failed)?,
            }
        };
        Ok(self.folder.borrow_mut().insert(folder).clone())
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
}
