//! Kinds of files in a folder of images, told by their names.

use std::path::Path;

/// Extensions of the formats that are read.
const READ: [&str; 13] =
    ["png", "apng", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "dib", "ppm", "pgm", "pbm", "pnm"];

/// Names and extensions of image formats that are not read. Skipping such files silently would change the data set.
const OTHER: [(&str, &[&str]); 15] = [
    ("GIF", &["gif"]),
    ("TIFF", &["tif", "tiff"]),
    ("another form of Netpbm", &["pam", "pfm"]),
    ("JPEG 2000", &["jp2", "j2k", "jpx", "jpf", "jpc", "j2c"]),
    ("AVIF", &["avif", "avifs"]),
    ("HEIF", &["heic", "heif", "hif"]),
    ("JPEG XL", &["jxl"]),
    ("Targa", &["tga"]),
    ("ICO", &["ico", "icns"]),
    ("PCX", &["pcx"]),
    ("QOI", &["qoi"]),
    ("OpenEXR or Radiance", &["exr", "hdr"]),
    ("a camera's raw format", &["dng", "cr2", "cr3", "nef", "arw", "raf", "orf", "rw2"]),
    ("Photoshop", &["psd"]),
    ("SVG", &["svg"]),
];

/// Folders that systems and archivers leave behind.
const LEFT_BEHIND: [&str; 5] = ["__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"];

/// Kind of a file by its extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Image of a format that is read.
    Image,
    /// Image of another format, which the string names.
    Other(&'static str),
    /// Not an image by its extension.
    None,
}

/// Kind of a file by its extension, in either case of letters.
pub(crate) fn of(path: &Path) -> Kind {
    let Some(found) = path.extension() else { return Kind::None };
    let is = |known: &&str| found.eq_ignore_ascii_case(known);
    if READ.iter().any(is) {
        return Kind::Image;
    }
    let other = OTHER.iter().find(|(_, extensions)| extensions.iter().any(is));
    other.map_or(Kind::None, |(format, _)| Kind::Other(format))
}

/// Returns `true` if a system or an archiver left the folder behind, so that it is no part of the data set.
pub(crate) fn is_left_behind(folder: &Path) -> bool {
    LEFT_BEHIND.iter().any(|name| folder.file_name().is_some_and(|found| found.eq_ignore_ascii_case(name)))
}
