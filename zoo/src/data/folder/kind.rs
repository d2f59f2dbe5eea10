//! What a file in a folder of images is, by its name.

use std::path::Path;

/// Extensions of the formats that are read.
const READ: [&str; 7] = ["png", "apng", "jpg", "jpeg", "jpe", "jfif", "webp"];

/// Extensions of other formats of images. A data set whose files were passed over in silence would be another one.
const OTHER: [(&str, &[&str]); 16] = [
    ("BMP", &["bmp", "dib"]),
    ("GIF", &["gif"]),
    ("TIFF", &["tif", "tiff"]),
    ("Netpbm", &["ppm", "pgm", "pbm", "pnm", "pam", "pfm"]),
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

/// What a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A format that is read.
    Image,
    /// Another format of images.
    Other(&'static str),
    /// No image.
    None,
}

/// What the name of a file says, in either case.
pub(super) fn of(path: &Path) -> Kind {
    let Some(found) = path.extension() else { return Kind::None };
    let is = |known: &&str| found.eq_ignore_ascii_case(known);
    if READ.iter().any(is) {
        return Kind::Image;
    }
    let other = OTHER.iter().find(|(_, extensions)| extensions.iter().any(is));
    other.map_or(Kind::None, |(format, _)| Kind::Other(format))
}

/// Whether a folder is none of the data set's: a system or an archiver left it behind.
pub(super) fn is_left_behind(folder: &Path) -> bool {
    LEFT_BEHIND.iter().any(|name| folder.file_name().is_some_and(|found| found.eq_ignore_ascii_case(name)))
}
