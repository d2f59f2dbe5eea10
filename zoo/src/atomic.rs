//! Files that are whole or not there: the one place through which this project writes files.
//!
//! A file is written beside its place, under the name `.pvlu-PROCESS-NUMBER.tmp`, and gets its name when all of it is
//! on disk: in the place of the last version, or only if nothing is there. It is locked meanwhile. A lock ends with its
//! process, however that ends: the next file that is written in the folder removes those that nobody holds, so that
//! what a kill leaves does not stay.
//!
//! One exception: where a file cannot have two names (exFAT, some network mounts), one that must not replace another is
//! there without contents for a moment, and stays so if the process is killed then.
//!
//! Crates that replace files by renaming (`tempfile`, `atomicwrites`) would replace a link or a device too, give the
//! new file a mode of its own, and leave what a kill leaves.

use std::ffi::OsStr;
use std::fs::{self, File, FileType, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Links that are followed at most, as many as Linux follows.
const LINKS: usize = 40;

/// What the names of files in the making begin and end with.
const NAME: (&str, &str) = (".pvlu-", ".tmp");

/// A file in the making. Dropped before [`commit`](Self::commit), it is removed, and what was at its place stays as it
/// was.
///
/// A symbolic link stays one: the file that it leads to is replaced, or made. The replaced file's permissions stay,
/// and, where the process may say so, its owner. A character device or a FIFO cannot be replaced: it is written to as
/// it goes.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    /// Where it is and where it goes; `None` if it is written to where it is.
    move_to: Option<(Temporary, PathBuf)>,
    /// The file that it will replace.
    replaced: Option<Metadata>,
}

impl AtomicFile {
    /// Begins a file for `path`. The folder must be there.
    ///
    /// # Errors
    ///
    /// A folder in the place of the file, a block device or a socket, a folder in which no file can be made. A FIFO
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

    /// Gives the file its name, once it is on disk.
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

    /// As [`commit`](Self::commit), unless something has the name, however late it came there.
    ///
    /// # Errors
    ///
    /// As for [`commit`](Self::commit), and [`ErrorKind::AlreadyExists`] if something has the name, which stays as it
    /// is.
    pub fn commit_new(mut self) -> io::Result<()> {
        self.sync()?;
        let Some((temporary, to)) = &mut self.move_to else { return Ok(()) };
        // What was there when this began may be gone.
        if let Some(replaced) = &self.replaced {
            take_after(&self.file, replaced)?;
        }
        temporary.rename_new(to, |from, to| fs::hard_link(from, to))
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

/// The file that a file written to `path` would replace or make: `path`, or what it leads to by symbolic links. `None`
/// for a character device or a FIFO, which is written to where it is.
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

/// Makes sure that files can be written in a folder, and removes what killed processes left there; the working folder
/// for an empty path.
///
/// # Errors
///
/// A folder that is not there or in which no file can be made.
pub fn probe(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    Temporary::in_folder(folder, false).map(drop)
}

/// The folder that a file is in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
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

/// A locked file that is removed when it is dropped, unless it got its name before.
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
                // Another process of the same number, as in another container.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                opened => opened?,
            };
            match file.try_lock() {
                // Between the two steps another process may have taken it for one that nobody holds, and removed it.
                Ok(()) if !is_at(&file, &path) => {}
                Err(TryLockError::WouldBlock) => {}
                // Where a file system has no locks, nobody removes what others left.
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
            // Where a file has one name only, this takes the name for it, and is then replaced.
            Err(_) => {
                OpenOptions::new().write(true).create_new(true).open(to)?;
                let renamed = self.rename(to);
                if renamed.is_err() {
                    let _ = fs::remove_file(to);
                }
                renamed
            }
        }
    }
}

/// Waits until the names in a folder are on disk. Not every system can open one, and the files themselves are whole.
fn sync_names(folder: &Path) {
    #[cfg(unix)]
    drop(File::open(folder).and_then(|folder| folder.sync_all()));
    #[cfg(not(unix))]
    let _ = folder;
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // There is nobody to tell.
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes the files in the making that nobody holds. What cannot be removed is in nobody's way.
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

/// Whether a name is that of a file in the making: two numbers between what all of them begin and end with.
fn is_ours(name: &OsStr) -> bool {
    let numbers = name.to_str().and_then(|name| name.strip_prefix(NAME.0)?.strip_suffix(NAME.1)?.split_once('-'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(process, number)| is_number(process) && is_number(number))
}

/// Whether an open file is still the one at a path: it may have been removed or replaced since it was opened.
pub fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let of = |found: Metadata| (found.dev(), found.ino());
        file.metadata()
            .map(of)
            .ok()
            .zip(fs::symlink_metadata(path).map(of).ok())
            .is_some_and(|(one, other)| one == other)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

#[cfg(test)]
mod tests;
