//! The places that the bytes of an image are read from: a file of its own, a part of a larger one, memory.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::image::{Image, ImageError, MAX_BYTES};

/// A file that holds images.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) path: PathBuf,
    /// Bytes that it, or a compressed part of it, unpacks to; `None` for a file from which the bytes of an image are
    /// read when they are needed.
    pub(crate) unpacked: Option<Vec<u8>>,
}

/// A part of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) of: Arc<Container>,
    pub(crate) at: u64,
    pub(crate) len: u64,
}

impl Part {
    /// Reads the bytes, at most `limit` of them; room for them is made as they arrive.
    pub(crate) fn read(&self, limit: u64) -> io::Result<Vec<u8>> {
        let len = self.len.min(limit);
        let mut bytes = Vec::new();
        match &self.of.unpacked {
            None => {
                let mut file = File::open(&self.of.path)?;
                file.seek(SeekFrom::Start(self.at))?;
                file.take(len).read_to_end(&mut bytes)?;
            }
            Some(all) => {
                let rest = usize::try_from(self.at).ok().and_then(|at| all.get(at..)).unwrap_or_default();
                rest.take(len).read_to_end(&mut bytes)?;
            }
        }
        if bytes.len() as u64 == len {
            return Ok(bytes);
        }
        Err(io::Error::new(ErrorKind::UnexpectedEof, "the file that it is in has become shorter"))
    }
}

/// An image, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageFile {
    /// Path of the file; of an image in another file, that of the other one and the name in it.
    pub(crate) path: PathBuf,
    /// `None` for a file of its own.
    pub(crate) part: Option<Part>,
}

impl From<PathBuf> for ImageFile {
    fn from(path: PathBuf) -> Self {
        Self { path, part: None }
    }
}

impl Ord for ImageFile {
    fn cmp(&self, other: &Self) -> Ordering {
        let at = |file: &Self| file.part.as_ref().map(|part| part.at);
        self.path.cmp(&other.path).then_with(|| at(self).cmp(&at(other)))
    }
}

impl PartialOrd for ImageFile {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl ImageFile {
    /// Reads and decodes the image.
    pub(crate) fn open(&self) -> Result<Image, ImageError> {
        match &self.part {
            None => Image::open(&self.path),
            Some(part) => {
                // One more than accepted, which is then refused as such.
                let read = part.read(MAX_BYTES + 1);
                let bytes = read.map_err(|source| ImageError::Io { path: self.path.clone(), source })?;
                Image::decode(&self.path, &bytes)
            }
        }
    }

    /// The bytes of the image as they are stored, as many as an image file may have.
    pub(crate) fn bytes(&self) -> io::Result<Vec<u8>> {
        match &self.part {
            Some(part) => part.read(MAX_BYTES),
            None => {
                let mut bytes = Vec::new();
                File::open(&self.path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
                Ok(bytes)
            }
        }
    }

    /// The number of these bytes; `None` if the file cannot be looked at.
    pub(crate) fn size(&self) -> Option<u64> {
        match &self.part {
            None => Some(self.path.metadata().ok()?.len()),
            Some(part) => Some(part.len),
        }
    }

    /// The file on this machine that the image is in, or was when it was opened.
    pub(crate) fn on_disk(&self) -> &Path {
        self.part.as_ref().map_or(&self.path, |part| &part.of.path)
    }
}
