//! From a file to RGB bytes, as `PIL.Image.open(path).convert("RGB")` gives them.

use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::{Image, ImageError, jpeg};

/// Pixels accepted in an image: the number above which Pillow warns of a "decompression bomb".
pub const MAX_PIXELS: usize = 89_478_485;

/// Pixels accepted along a side: the most that a JPEG can have.
pub const MAX_SIDE: u32 = 65_535;

/// Bytes accepted in a file.
pub const MAX_BYTES: u64 = 1 << 28;

/// Bytes that a decoder may take beside its output.
const MAX_WORK: u64 = 1 << 30;

impl Image {
    /// Reads a PNG, JPEG or WebP file; its content decides which, not its name. Of an animation it is the first frame.
    ///
    /// As in Pillow, transparency is dropped without blending, 16-bit colours keep their upper byte, and 16-bit grey is cut
    /// off at 255 (so that nearly all of it becomes white). As in torchvision's and Keras' loaders, an EXIF orientation and
    /// a colour profile are ignored. PNG and WebP give Pillow's bytes. JPEG leaves
    /// rounding to the decoder: on average a value differs by less than half a level, and in noise one may by 13.
    ///
    /// A file of more than [`MAX_BYTES`], and an image of more than [`MAX_PIXELS`] or with a side above [`MAX_SIDE`], is
    /// refused before any pixel is decoded.
    ///
    /// # Errors
    ///
    /// Any [`ImageError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ImageError> {
        let path = path.as_ref();
        let io = |source| ImageError::Io { path: path.to_owned(), source };
        // Looked at before it is opened: opening a pipe waits for a writer.
        let metadata = fs::metadata(path).map_err(io)?;
        if !metadata.is_file() {
            let found = if metadata.is_dir() { "a folder" } else { "a pipe, a device or the like" };
            return Err(ImageError::NotAFile { path: path.to_owned(), found });
        }
        let mut bytes = Vec::new();
        // One more than accepted, to notice a file that grows.
        File::open(path).map_err(io)?.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
        Self::decode(path, &bytes)
    }

    /// Decodes the bytes of a file. `path` is its name in errors. See [`Image::open`].
    ///
    /// # Errors
    ///
    /// Any [`ImageError`] but those of the file system.
    pub fn decode(path: impl AsRef<Path>, bytes: &[u8]) -> Result<Self, ImageError> {
        let path = path.as_ref();
        let too_large = |unit, limit, found| ImageError::TooLarge { path: path.to_owned(), unit, limit, found };
        if bytes.len() as u64 > MAX_BYTES {
            return Err(too_large("bytes", MAX_BYTES, "more".to_owned()));
        }
        let (format, name) = match image::guess_format(bytes) {
            Ok(ImageFormat::Png) => (ImageFormat::Png, "PNG"),
            Ok(ImageFormat::Jpeg) => (ImageFormat::Jpeg, "JPEG"),
            Ok(ImageFormat::WebP) => (ImageFormat::WebP, "WebP"),
            other => {
                let found = other.map_or_else(|_| unknown(bytes), known);
                return Err(ImageError::Format { path: path.to_owned(), found });
            }
        };
        let whole = match format {
            ImageFormat::Jpeg => jpeg::is_whole(bytes),
            ImageFormat::WebP => riff_is_whole(bytes),
            // Its decoder misses no pixel.
            _ => true,
        };
        if !whole {
            return Err(ImageError::Cut { path: path.to_owned(), format: name, len: bytes.len() });
        }

        let refused =
            |error: image::ImageError| ImageError::Decode { path: path.to_owned(), format: name, reason: line(&error) };
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(MAX_WORK);
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        reader.limits(limits);
        let decoder = reader.into_decoder().map_err(refused)?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > MAX_PIXELS as u64 {
            return Err(too_large("pixels", MAX_PIXELS as u64, format!("{width}x{height}")));
        }
        if width.max(height) > MAX_SIDE {
            return Err(too_large("pixels along a side", MAX_SIDE.into(), format!("{width}x{height}")));
        }
        let decoded = DynamicImage::from_decoder(decoder).map_err(refused)?;
        let (width, height) = (decoded.width() as usize, decoded.height() as usize);
        Self::new(width, height, rgb(decoded)).ok_or_else(|| {
            let reason = format!("{width}x{height} pixels are not what it holds");
            ImageError::Decode { path: path.to_owned(), format: name, reason }
        })
    }
}

/// The bytes as `convert("RGB")` gives them; see [`Image::open`].
fn rgb(image: DynamicImage) -> Vec<u8> {
    fn keep<const N: usize>(values: &[u8]) -> Vec<u8> {
        values.chunks_exact(N).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
    }
    fn grey<const N: usize>(values: &[u8]) -> Vec<u8> {
        values.chunks_exact(N).flat_map(|pixel| [pixel[0]; 3]).collect()
    }
    let upper = |values: &[u16]| -> Vec<u8> { values.iter().map(|value| value.to_be_bytes()[0]).collect() };
    match image {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => keep::<4>(image.as_raw()),
        DynamicImage::ImageLuma8(image) => grey::<1>(image.as_raw()),
        DynamicImage::ImageLumaA8(image) => grey::<2>(image.as_raw()),
        DynamicImage::ImageRgb16(image) => upper(image.as_raw()),
        DynamicImage::ImageRgba16(image) => keep::<4>(&upper(image.as_raw())),
        DynamicImage::ImageLuma16(image) => {
            // Pillow's mode `I;16`, the only one whose values it cuts off.
            let cut: Vec<u8> = image.as_raw().iter().map(|&value| value.min(255) as u8).collect();
            grey::<1>(&cut)
        }
        DynamicImage::ImageLumaA16(image) => grey::<2>(&upper(image.as_raw())),
        // The formats read here have no values of other types.
        other => other.into_rgb8().into_raw(),
    }
}

/// Whether a WebP file is as long as it says: a RIFF container, whose length follows its four letters. Its decoder would
/// make up the last bytes.
fn riff_is_whole(bytes: &[u8]) -> bool {
    let length = bytes.get(4..8).and_then(|length| length.first_chunk());
    length.is_some_and(|length| bytes.len() as u64 >= 8 + u64::from(u32::from_le_bytes(*length)))
}

fn known(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Gif => "a GIF",
        ImageFormat::Tiff => "a TIFF",
        ImageFormat::Bmp => "a BMP",
        ImageFormat::Avif => "an AVIF",
        _ => "another format",
    }
}

fn unknown(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "an empty file",
        [b'<', ..] => "text in angle brackets, perhaps the page of a failed download",
        _ => "none of their signatures",
    }
}

/// A message of a decoder as one line of bounded length.
fn line(error: &image::ImageError) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}
