//! Files and the paths that they are at.

use std::fs::File;
use std::path::Path;

/// Prefix and suffix of the names of temporary files.
pub(super) const NAME: (&str, &str) = (".pvlu-", ".tmp");

/// The folder that a file is in, `.` for a path of one part.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns true if an open file is still the one at `path`: it may have been removed or replaced since it was opened.
/// On systems other than Unix, true if there is any file at `path`.
pub fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::fs::{self, Metadata};
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
