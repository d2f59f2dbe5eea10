//! Kinds of files by their first bytes, for readers that find another format than theirs.

/// Description of a file that begins with `<` where one in a binary format was expected.
pub(crate) const PAGE: &str = "text in angle brackets, perhaps the page of a failed download";

/// The name that [`archive`] gives to files that zip joined.
pub(crate) const ZIP: &str = "a zip archive";
/// The name that [`archive`] gives to a file that gzip compressed.
pub(crate) const GZIP: &str = "a gzip archive";
/// The name that [`archive`] gives to files that tar joined.
pub(crate) const TAR: &str = "a tar archive";

/// Number of bytes at the beginning of a file that [`archive`] examines.
pub(crate) const REACH: u64 = 262;

/// The kind of archive or compressed file that begins with these bytes; `None` for anything else.
pub(crate) fn archive(begin: &[u8]) -> Option<&'static str> {
    Some(match begin {
        [b'P', b'K', 3 | 5, 4 | 6, ..] => ZIP,
        [0x1f, 0x8b, ..] => GZIP,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "a zstd archive",
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => "an xz archive",
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => "a bzip2 archive",
        [b'7', b'z', 0xbc, 0xaf, ..] => "a 7z archive",
        _ if begin.get(257..262) == Some(b"ustar") => TAR,
        _ => return None,
    })
}
