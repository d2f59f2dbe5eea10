//! What a file is by its first bytes, for the readers of other formats that find it in the place of theirs.

/// Said of a file that begins with `<`, in the place of one in a binary format.
pub(crate) const PAGE: &str = "text in angle brackets, perhaps the page of a failed download";

/// What kind of archive or compressed file one is that begins so; `None` of anything else. The mark of a tar archive,
/// the latest of all, ends at byte 262.
pub(crate) fn archive(begin: &[u8]) -> Option<&'static str> {
    Some(match begin {
        [b'P', b'K', 3 | 5, 4 | 6, ..] => "a zip archive",
        [0x1f, 0x8b, ..] => "a gzip archive",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "a zstd archive",
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => "an xz archive",
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => "a bzip2 archive",
        [b'7', b'z', 0xbc, 0xaf, ..] => "a 7z archive",
        _ if begin.get(257..262) == Some(b"ustar") => "a tar archive",
        _ => return None,
    })
}
