//! Reading whole files: records and tables, which may come from anywhere.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::common::error::CliError;

/// The most bytes in a file, many times those of the longest record, which has a million epochs.
const LONGEST: u64 = 1 << 30;

/// The bytes of a regular file. A device or a FIFO may have no end, and is refused.
///
/// # Errors
///
/// A file that cannot be read, a path that is no regular file, and a file of more than 1 GiB.
pub fn bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |source| CliError::Read { path: path.to_owned(), source };
    let damaged = |what: String| CliError::Damaged { path: path.to_owned(), what };
    // This comes before opening, which would wait for the writer of a FIFO.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(damaged("expected a file, found something else of this name".to_owned()));
    }
    let file = File::open(path).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    if len > LONGEST {
        return Err(damaged(format!("expected a file of at most {LONGEST} bytes, found {len}")));
    }
    let mut bytes = Vec::new();
    // No more than the length that was checked, since the file may grow meanwhile.
    file.take(len).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
