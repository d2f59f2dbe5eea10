//! Helpers that the tests of this module share.

use std::path::PathBuf;
use std::sync::Arc;

use super::{TensorFile, WeightsError};

/// Bytes of a file of `tests/fixtures/weights`; its README says what each holds.
pub(super) fn fixture(name: &str) -> Vec<u8> {
    let path = fixture_path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(super) fn fixture_path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/weights")).join(name)
}

/// The values that the generators of the fixtures give a tensor, exact in every float type.
pub(super) fn values(name: &str, count: usize) -> Vec<f64> {
    let sum: usize = name.bytes().map(usize::from).sum();
    (0..count).map(|i| (((37 * i + sum) % 101) as f64 - 50.0) / 64.0).collect()
}

/// Opens bytes as a file called `test`.
pub(super) fn open(bytes: impl Into<Arc<[u8]>>) -> Result<TensorFile, WeightsError> {
    TensorFile::from_bytes("test", bytes)
}

/// Reads a tensor whole.
pub(super) fn read(file: &TensorFile, name: &str) -> Result<Vec<f64>, WeightsError> {
    let count = file.entries().get(name).map_or(0, |entry| entry.shape.iter().product());
    let mut values = vec![f64::NAN; count];
    file.read_into(name, &mut values).map(|()| values)
}

/// The message of the error that `bytes` give, be it at opening or at reading everything.
pub(super) fn refusal(bytes: impl Into<Arc<[u8]>>) -> String {
    match open(bytes).and_then(|file| file.verify::<f32>()) {
        Ok(()) => panic!("it was accepted"),
        Err(error) => error.to_string(),
    }
}
