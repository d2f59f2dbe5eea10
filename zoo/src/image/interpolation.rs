//! Interpolation methods for resizing an image.

/// Method by which a value between pixels is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The nearest pixel, without antialiasing.
    Nearest,
    /// A triangle over two pixels, or over as many more as the image shrinks.
    Bilinear,
    /// Keys' cubic with `a = -1/2` over four pixels, or over as many more as the image shrinks.
    Bicubic,
}
