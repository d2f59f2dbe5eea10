//! Limits on the size of an image and of its file.

/// Pixels accepted in an image: the number above which Pillow warns of a "decompression bomb".
#[doc(hidden)]
pub const MAX_PIXELS: usize = 89_478_485;

/// Pixels accepted along a side: the most that a JPEG can have.
#[doc(hidden)]
pub const MAX_SIDE: u32 = 65_535;

/// Bytes accepted in an image file.
#[doc(hidden)]
pub const MAX_BYTES: u64 = 1 << 28;

/// Bytes that a decoder may take beside its output.
pub(super) const MAX_WORK: u64 = 1 << 30;
