//! The bytes of a file as a stream, for decoders that want one.

use std::io::{self, Read, Seek, SeekFrom};

use super::bytes::FileBytes;

/// A position in the bytes of a file, which reading moves on.
#[derive(Clone, Debug)]
pub(super) struct Stream<'a> {
    source: &'a FileBytes,
    position: u64,
}

impl<'a> Stream<'a> {
    pub(super) fn new(source: &'a FileBytes) -> Self {
        Self { source, position: 0 }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.source.len().saturating_sub(self.position);
        let count = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.source.read_at(self.position, &mut buffer[..count])?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Stream<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.source.len().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
