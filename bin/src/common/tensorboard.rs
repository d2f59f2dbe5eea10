//! Event files for TensorBoard: scalars by step.
//!
//! A file is a sequence of records (length, CRC-32C of it, data, CRC-32C of that, all little-endian; the checksums are
//! masked as TensorFlow's `crc32c.h` says), each of which is an `Event` in protocol buffers: `wall_time` (1, double),
//! `step` (2, int64), `file_version` (3, string), `summary` (5), whose `value`s (1) have a `tag` (1, string) and a
//! `simple_value` (2, float).

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Writer of an event file, which is whole after every record.
#[derive(Debug)]
pub struct EventFile(File);

impl EventFile {
    /// Creates the file and writes its version, as of a moment in seconds since 1970.
    pub fn create(path: &Path, wall_time: f64) -> io::Result<Self> {
        let mut file = Self(File::create(path)?);
        let mut event = header(wall_time, 0);
        text(&mut event, 3, "brain.Event:2");
        file.record(&event)?;
        Ok(file)
    }

    /// Adds the scalars of a step, each with its tag. What is no finite number is left out, as TensorBoard cannot draw
    /// it.
    pub fn scalars(&mut self, wall_time: f64, step: u64, scalars: &[(&str, f64)]) -> io::Result<()> {
        let mut summary = Vec::new();
        for (tag, value) in scalars.iter().filter(|(_, value)| value.is_finite()) {
            let mut of_one = Vec::new();
            text(&mut of_one, 1, tag);
            of_one.push(2 << 3 | 5);
            of_one.extend((*value as f32).to_le_bytes());
            bytes(&mut summary, 1, &of_one);
        }
        let mut event = header(wall_time, step);
        bytes(&mut event, 5, &summary);
        self.record(&event)
    }

    fn record(&mut self, data: &[u8]) -> io::Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend(masked(&length).to_le_bytes());
        record.extend(data);
        record.extend(masked(data).to_le_bytes());
        self.0.write_all(&record)
    }
}

/// The beginning of an event.
fn header(wall_time: f64, step: u64) -> Vec<u8> {
    let mut event = vec![1 << 3 | 1];
    event.extend(wall_time.to_le_bytes());
    // A field that is zero is left out, as protocol buffers do.
    if step > 0 {
        event.push(2 << 3);
        number(&mut event, step);
    }
    event
}

/// Adds a field of bytes.
fn bytes(to: &mut Vec<u8>, field: u8, value: &[u8]) {
    to.push(field << 3 | 2);
    number(to, value.len() as u64);
    to.extend(value);
}

fn text(to: &mut Vec<u8>, field: u8, value: &str) {
    bytes(to, field, value.as_bytes());
}

/// Adds a number, seven bits a byte, the lowest first.
fn number(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that `tensorboard.summary.writer.record_writer.RecordWriter` of TensorBoard 2.21 writes for the same
    /// events.
    #[test]
    fn events_have_the_bytes_of_tensorboards_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.out.tfevents.1");
        let mut file = EventFile::create(&path, 1.5).unwrap();
        file.scalars(2.5, 300, &[("loss/train", 0.5), ("top1/test", f64::NAN), ("rate", 0.1)]).unwrap();
        let found = std::fs::read(&path).unwrap();
        let hexadecimal: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a32\
                        2a28646c2e00000000000000c5cb57fa09000000000000044010ac022a200a110a0a6c6f\
                        73732f747261696e150000003f0a0b0a047261746515cdcccc3d9469d56b";
        assert_eq!(hexadecimal, expected);
    }
}
