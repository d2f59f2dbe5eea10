//! Atomic writes: a file is there whole or not at all. This project writes its files through this module alone.
//!
//! The contents go to a temporary file in the destination's folder, `.pvlu-PROCESS-NUMBER.tmp`, which gets the
//! destination's name when all of it is on disk: it replaces the last version, or is refused if there is one. The
//! temporary file is locked meanwhile. A lock ends with its process, however that ends: the next write in the folder
//! removes the temporary files that no process has locked, so that those of a killed process do not stay.
//!
//! One exception: on a file system without hard links (exFAT, some network mounts), a file that must not replace
//! another is there without contents for a moment, and stays so if the process is killed then.
//!
//! Crates that replace files by renaming (`tempfile`, `atomicwrites`) would also replace a symbolic link or a device,
//! give the new file a mode of its own, and leave the temporary files of killed processes.

mod at;
mod committed;

use std::ffi::OsStr;
use std::fs::{self, File, FileType, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use self::at::NAME;
pub use self::at::{folder_of, is_at};
use self::committed::Committed;

/// Most symbolic links that are followed from a path, as many as Linux follows.
const LINKS: usize = 40;

/// A file that is being written. If it is dropped before [`commit`](Self::commit), the temporary file is removed and
/// the destination stays as it was.
///
/// A symbolic link stays one: the file that it leads to is replaced, or created. The new file gets the permissions of
/// the one that it replaces and, where the process may set it, its owner. A character device or a FIFO cannot be
/// replaced: it is written to directly.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    /// The temporary file and its destination; `None` for a character device or a FIFO, which is written to directly.
    move_to: Option<(Temporary, PathBuf)>,
    /// Metadata of the file that will be replaced, if there is one.
    replaced: Option<Metadata>,
}

impl AtomicFile {
    /// Begins to write a file at `path`, whose folder must exist.
    ///
    /// # Errors
    ///
    /// A `path` that is a folder, a block device or a socket, or a folder in which no file can be made. Opening a FIFO
    /// waits for its reader.
    pub fn create(path: &Path) -> io::Result<Self> {
        let Some(place) = destination(path)? else {
            let file = OpenOptions::new().write(true).open(path)?;
            return Ok(Self { file, move_to: None, replaced: None });
        };
        let replaced = fs::metadata(&place).ok();
        let (temporary, file) = Temporary::in_folder(folder_of(&place), replaced.is_some())?;
        Ok(Self { file, move_to: Some((temporary, place)), replaced })
    }

    /// Waits until all that was written is on disk.
    ///
    /// # Errors
    ///
    /// A disk that is full, or fails.
    pub fn sync(&self) -> io::Result<()> {
        // A device has no disk to reach.
        if self.move_to.is_some() { self.file.sync_all() } else { Ok(()) }
    }

    /// Waits until the file is on disk, then gives it its name: a file that had the name is replaced.
    ///
    /// # Errors
    ///
    /// A disk that is full or fails, or a name that cannot be given. The file is then removed.
    pub fn commit(mut self) -> io::Result<()> {
        self.sync()?;
        let Some((temporary, to)) = &mut self.move_to else { return Ok(()) };
        if let Some(replaced) = &self.replaced {
            take_after(&self.file, replaced)?;
        }
        temporary.rename(to)
    }

    /// As [`commit`](Self::commit), but replaces no file, not even one that was made in the meantime.
    ///
    /// # Errors
    ///
    /// As for [`commit`](Self::commit), and [`ErrorKind::AlreadyExists`] if the name is taken; the file that has it
    /// stays as it is.
    pub fn commit_new(self) -> io::Result<()> {
        self.place_new().map(drop)
    }

    /// As [`commit_new`](Self::commit_new); the file can lose its name again.
    fn place_new(mut self) -> io::Result<Committed> {
        self.sync()?;
        let Some((mut temporary, to)) = self.move_to.take() else {
            return Ok(Committed { file: self.file, path: None });
        };
        // The file that had the name at the beginning may be gone.
        if let Some(replaced) = &self.replaced {
            take_after(&self.file, replaced)?;
        }
        temporary.rename_new(&to, |from, to| fs::hard_link(from, to))?;
        Ok(Committed { file: self.file, path: Some(to) })
    }

    /// Gives files their names in this order, once all are on disk: files that had them are replaced, or, if all have
    /// to be `new`, are an error.
    ///
    /// # Errors
    ///
    /// The path of the file that failed, and the error. A disk that is full or fails: no file has got its name then. A
    /// name that cannot be given: new files are removed again, but for one that another program has replaced since;
    /// those that replaced others stay.
    pub fn commit_all(files: Vec<(PathBuf, Self)>, new: bool) -> Result<(), (PathBuf, io::Error)> {
        for (path, file) in &files {
            file.sync().map_err(|error| (path.clone(), error))?;
        }
        let mut committed = Vec::new();
        for (path, file) in files {
            let done = if new { file.place_new().map(|file| committed.push(file)) } else { file.commit() };
            if let Err(error) = done {
                committed.into_iter().for_each(Committed::take_back);
                return Err((path, error));
            }
        }
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The file that a write to `path` replaces or makes: `path` itself, or the target of its symbolic links. `None` for a
/// character device or a FIFO, which is written to directly.
///
/// # Errors
///
/// A folder, a block device or a socket; links that lead in a circle.
pub fn destination(path: &Path) -> io::Result<Option<PathBuf>> {
    if path.file_name().is_none() {
        return Err(ErrorKind::IsADirectory.into());
    }
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        Ok(found) if is_stream(found.file_type()) => return Ok(None),
        Ok(found) if !found.is_file() => {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a block device or a socket, expected a file"));
        }
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = folder_of(&path).join(target),
            Err(_) => return Ok(Some(path)),
        }
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "symbolic links that lead in a circle"))
}

/// Checks that files can be made in a folder (the working folder for an empty path), and removes the temporary files
/// that killed processes left there.
///
/// # Errors
///
/// A folder that is not there or in which no file can be made.
pub fn probe(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    Temporary::in_folder(folder, false).map(drop)
}

#[cfg(unix)]
fn is_stream(kind: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_char_device() || kind.is_fifo()
}

#[cfg(not(unix))]
fn is_stream(_: FileType) -> bool {
    false
}

/// Gives a file the permissions of the one that it will replace, and, where that is allowed, its owner.
fn take_after(file: &File, replaced: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (replaced.uid(), replaced.gid()) {
            // Only root may give files away: that of another user becomes this one's, as with an editor.
            let _ = fchown(file, Some(replaced.uid()), Some(replaced.gid()));
        }
    }
    file.set_permissions(replaced.permissions())
}

/// A locked temporary file, which is removed when it is dropped unless it was renamed before.
#[derive(Debug)]
struct Temporary {
    path: Option<PathBuf>,
}

impl Temporary {
    /// A new file in a folder, which other users may not read if it is `private`.
    fn in_folder(folder: &Path, private: bool) -> io::Result<(Self, File)> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        sweep(folder);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if private {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{}{}-{number}{}", NAME.0, std::process::id(), NAME.1));
            let file = match options.open(&path) {
                // A process of the same number, as in another container, has a file of this name.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                opened => opened?,
            };
            match file.try_lock() {
                // Between the two steps another process may have taken it for one of a killed process, and removed it.
                Ok(()) if !is_at(&file, &path) => {}
                Err(TryLockError::WouldBlock) => {}
                // On a file system without locks no process removes the files of others.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok((Self { path: Some(path) }, file)),
            }
        }
    }

    fn rename(&mut self, to: &Path) -> io::Result<()> {
        let Some(from) = &self.path else { return Ok(()) };
        fs::rename(from, to)?;
        self.path = None;
        sync_names(folder_of(to));
        Ok(())
    }

    /// Renames, or fails if the name is taken. `link` makes a second name for a file, which fails if it is taken too.
    fn rename_new(&mut self, to: &Path, link: impl Fn(&Path, &Path) -> io::Result<()>) -> io::Result<()> {
        let Some(from) = &self.path else { return Ok(()) };
        match link(from, to) {
            // The first name goes when this is dropped.
            Ok(()) => {
                sync_names(folder_of(to));
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
            // Without hard links an empty file takes the name, and is then replaced.
            Err(_) => {
                let file = OpenOptions::new().write(true).create_new(true).open(to)?;
                let renamed = self.rename(to);
                if renamed.is_err() {
                    Committed { file, path: Some(to.to_owned()) }.take_back();
                }
                renamed
            }
        }
    }
}

/// Waits until the names in a folder are on disk. Errors are ignored: not every system can open a folder, and the files
/// themselves are whole.
fn sync_names(folder: &Path) {
    #[cfg(unix)]
    drop(File::open(folder).and_then(|folder| folder.sync_all()));
    #[cfg(not(unix))]
    let _ = folder;
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // A drop cannot return an error.
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes the temporary files that no process has locked. One that cannot be removed stays.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if !is_ours(&entry.file_name()) || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let path = entry.path();
        // For writing too: on some file systems only such a file can be locked.
        let Ok(file) = OpenOptions::new().read(true).write(true).open(&path) else { continue };
        if file.try_lock().is_ok() && is_at(&file, &path) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Returns true for the name of a temporary file: two numbers between the prefix and the suffix of [`NAME`].
fn is_ours(name: &OsStr) -> bool {
    let numbers = name.to_str().and_then(|name| name.strip_prefix(NAME.0)?.strip_suffix(NAME.1)?.split_once('-'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(process, number)| is_number(process) && is_number(number))
}

#[cfg(test)]
mod tests;
