//! Tar archives, compressed by gzip or not, read from front to back without a file being written.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use tar::Archive;

use super::DataError;
use crate::text;

/// Maximum number of bytes that an archive may unpack to, more than twice as many as a published one does.
const UNPACKED: u64 = 1 << 29;

/// Bytes read at a time.
const BUFFER: usize = 1 << 16;

/// The first two bytes of a file compressed by gzip.
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A regular file in an archive.
pub(super) struct Entry<'a> {
    /// Last part of the name.
    pub name: &'a str,
    /// Bytes that it has, by its header.
    pub len: u64,
    /// The bytes, at most `len` of them.
    pub contents: &'a mut dyn Read,
}

/// A reader of a file that decompresses it if it is compressed by gzip, and says so.
pub(super) fn decompressed(path: &Path) -> Result<(Box<dyn Read>, bool), DataError> {
    let io = |source| DataError::Io { path: path.to_owned(), source };
    let mut begin = [0; GZIP.len()];
    let mut len = 0;
    let mut file = File::open(path).map_err(io)?;
    while len < begin.len() {
        match file.read(&mut begin[len..]).map_err(io)? {
            0 => break,
            count => len += count,
        }
    }
    let whole = BufReader::with_capacity(BUFFER, io::Cursor::new(begin).take(len as u64).chain(file));
    Ok(if begin == GZIP { (Box::new(MultiGzDecoder::new(whole)), true) } else { (Box::new(whole), false) })
}

/// Gives every regular file of an archive to `take`, in their order, and reads the archive to its end, where the
/// checksum is. What `take` leaves of a file is passed over. Names longer than 100 bytes are cut off, since no file
/// that is looked for has one; links and the like are passed over.
///
/// # Errors
///
/// Those of `take`; [`DataError::Io`] if the file cannot be opened; [`DataError::Contents`] if it is damaged or unpacks
/// to more than [`UNPACKED`] bytes.
pub(super) fn each_file(
    path: &Path,
    mut take: impl FnMut(Entry<'_>) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let (reader, _) = decompressed(path)?;
    let mut archive = Archive::new(Limited { reader, left: UNPACKED });
    // Raw: the extended headers that long names and attributes are kept in are not read into memory.
    for entry in archive.entries().map_err(|error| damaged(path, &error))?.raw(true) {
        let mut entry = entry.map_err(|error| damaged(path, &error))?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path_bytes().into_owned();
        let name = String::from_utf8_lossy(name.rsplit(|&byte| byte == b'/').next().unwrap_or(&name)).into_owned();
        let len = entry.size();
        take(Entry { name: &name, len, contents: &mut entry })?;
    }
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(|error| damaged(path, &error))?;
    Ok(())
}

/// The error of an archive, or of a compressed file, that cannot be unpacked.
pub(super) fn damaged(path: &Path, error: &io::Error) -> DataError {
    DataError::contents(path, "archive", "a whole one: download it again", text::system(error))
}

/// A reader that fails where there are more bytes than are left.
struct Limited<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::other(format!("one that unpacks to more than {UNPACKED} bytes")))?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
