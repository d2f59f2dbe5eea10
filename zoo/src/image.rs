//! Image files as a network reads them.
//!
//! | item | contents |
//! |---|---|
//! | [`Image`] | a decoded PNG, JPEG, WebP, BMP or Netpbm file: RGB, one byte a value |
//! | [`Interpolation`] | resizing, bit for bit as Pillow does |
//! | [`Preprocessing`] | resizing, cropping and scaling as the framework did that trained a network; a line of text |
//!
//! Files are not trusted: a damaged or hostile one gives an [`ImageError`] that names it, within the bounds stated at
//! [`Image::open`].

mod channels;
mod decode;
mod error;
mod interpolation;
mod jpeg;
mod limits;
mod parameters;
mod plain;
mod preprocessing;
mod resize;
mod text;
mod webp;

use std::ops::Range;

pub use channels::Channels;
pub use error::ImageError;
pub use interpolation::Interpolation;
pub use limits::{MAX_BYTES, MAX_PIXELS, MAX_SIDE};
pub use parameters::{Fit, PreprocessingError};
pub use preprocessing::{MAX_INPUT, Preprocessing};

/// Names of the formats that are read, for messages.
pub(crate) const FORMATS: &str = "PNG, JPEG, WebP, BMP or Netpbm";

/// An RGB image: one byte a value, the three values of a pixel side by side, rows from the top (HWC).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Image {
    /// An image of `3 * width * height` bytes. `None` unless there are exactly as many, at least one pixel, and at most
    /// [`MAX_PIXELS`].
    #[must_use]
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Option<Self> {
        let count = width.checked_mul(height)?;
        let fits = (1..=MAX_PIXELS).contains(&count) && pixels.len() == 3 * count;
        fits.then_some(Self { width, height, pixels })
    }

    /// An image of three planes, red, green and blue (CHW), of `width * height` bytes each.
    pub(crate) fn from_planes(width: usize, height: usize, planes: &[u8]) -> Self {
        let plane = width * height;
        let pixels = (0..plane).flat_map(|at| [0, 1, 2].map(|color| planes[color * plane + at])).collect();
        Self { width, height, pixels }
    }

    /// The bytes by planes, red, green and blue (CHW).
    pub(crate) fn planes(&self) -> Vec<u8> {
        (0..3).flat_map(|color| self.pixels.iter().skip(color).step_by(3).copied()).collect()
    }

    /// The image within these rows and columns.
    pub(crate) fn cut(&self, rows: Range<usize>, columns: Range<usize>) -> Self {
        let (width, height) = (columns.len(), rows.len());
        let of = |row: usize| &self.pixels[3 * (row * self.width + columns.start)..][..3 * width];
        Self { width, height, pixels: rows.flat_map(|row| of(row).iter().copied()).collect() }
    }

    /// Width in pixels: the number of pixels in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels: the number of rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The bytes: red, green and blue of the first pixel of the first row, and so on.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}

#[cfg(test)]
mod tests;
