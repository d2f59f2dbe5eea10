//! Files that are read whole: records and tables, which may be anybody's.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::common::error::CliError;

/// Bytes of a file at most, many times those of the longest record: one of a million epochs.
const LONGEST: u64 = 1 << 30;

/// The bytes of a regular file. A device or a FIFO may have no end, and is refused.
///
/// # Errors
///
/// A file that cannot be read, one that is no file, and one that is longer than any of ours.
pub fn bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |source| CliError::Read { path: path.to_owned(), source };
    let damaged = |what: String| CliError::Damaged { path: path.to_owned(), what };
    // Before it is opened: that waits for the writer of a FIFO.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(damaged("expected a file, found something else of this name".to_owned()));
    }
    let file = File::open(path).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    if len > LONGEST {
        return Err(damaged(format!("expected a file of at most {LONGEST} bytes, found {len}")));
    }
    let mut bytes = Vec::new();
    // As long as it was: it may grow meanwhile.
    file.take(len).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
