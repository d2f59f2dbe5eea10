//! The bytes of a file, read by position.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::WeightsError;
use crate::text::is_url;

/// Bytes that can be read from any position: a file's, or some in memory. The length is that at opening; a file that is
/// cut while it is open gives an error when it is read.
#[derive(Debug)]
pub(super) struct FileBytes {
    path: PathBuf,
    /// Position of the first of these bytes, where they are a part of a file.
    start: u64,
    len: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    // Positioned reads need a call of their own on each system; a seek and a read under a lock are the same on all.
    File(Mutex<File>),
    Memory(Arc<[u8]>),
}

impl FileBytes {
    /// Opens a regular file.
    pub(super) fn open(path: &Path) -> Result<Self, WeightsError> {
        let io = |source| WeightsError::Io { path: path.to_owned(), source };
        // The kind of file is checked first, since opening a pipe would wait for its other end.
        let metadata = match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound && is_url(path) => {
                return Err(WeightsError::Url { path: path.to_owned() });
            }
            metadata => metadata.map_err(io)?,
        };
        if !metadata.is_file() {
            let found = if metadata.is_dir() { folder(path) } else { "a pipe, a device or the like" };
            return Err(WeightsError::NotAFile { path: path.to_owned(), found });
        }
        let file = File::open(path).map_err(io)?;
        let len = file.metadata().map_err(io)?.len();
        Ok(Self { path: path.to_owned(), start: 0, len, kind: Kind::File(Mutex::new(file)) })
    }

    /// Reads from memory; `name` stands for the path in messages.
    pub(super) fn memory(name: PathBuf, bytes: Arc<[u8]>) -> Self {
        Self { path: name, start: 0, len: bytes.len() as u64, kind: Kind::Memory(bytes) }
    }

    /// True if the bytes are a part of a file that does not begin with them.
    pub(super) fn is_part(&self) -> bool {
        self.start > 0
    }

    /// The bytes in `range` alone, as if they were a file of this path; `None` if they are not all there.
    pub(super) fn part(self, range: Range<u64>) -> Option<Self> {
        let len = range.end.checked_sub(range.start).filter(|_| range.end <= self.len)?;
        Some(Self { start: self.start + range.start, len, ..self })
    }

    /// Returns `true` if the bytes are those of a file, which has a folder.
    pub(super) fn is_on_disk(&self) -> bool {
        matches!(self.kind, Kind::File(_))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Length in bytes, as it was when the file was opened.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Fills `buffer` from `position` on.
    pub(super) fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = position.checked_add(buffer.len() as u64).filter(|end| *end <= self.len);
        if end.is_none() {
            let message = format!("{} bytes at {position} are beyond the end at {}", buffer.len(), self.len);
            return Err(io::Error::new(ErrorKind::UnexpectedEof, message));
        }
        let position = self.start + position;
        match &self.kind {
            Kind::File(file) => {
                // Every read seeks first, so a panic in another thread leaves nothing behind that matters.
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(position))?;
                file.read_exact(buffer)
            }
            Kind::Memory(bytes) => {
                let start = usize::try_from(position).map_err(io::Error::other)?;
                let part = bytes.get(start..).and_then(|rest| rest.get(..buffer.len()));
                buffer.copy_from_slice(part.ok_or(ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

/// Description of a folder for messages, with advice if it holds a model by the files in it.
fn folder(path: &Path) -> &'static str {
    let has = |name: &str| path.join(name).is_file();
    if has("saved_model.pb") {
        "a folder, a SavedModel of TensorFlow: load it with Keras and store its weights by \
         model.save_weights(\"NAME.weights.h5\")"
    } else if has("model.safetensors") {
        "a folder: give the model.safetensors in it"
    } else {
        "a folder"
    }
}
