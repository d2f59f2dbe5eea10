//! Decoding of a file to RGB bytes, as `PIL.Image.open(path).convert("RGB")` gives them.

use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::error::Refusal;
use super::limits::{MAX_BYTES, MAX_PIXELS, MAX_SIDE, MAX_WORK};
use super::{Image, ImageError, jpeg, plain, webp};
use crate::signature::PAGE;

impl Image {
    /// Reads a PNG, JPEG, WebP, BMP or Netpbm file. The format is told by the content, not by the name. Of an animation
    /// the first frame is read.
    ///
    /// The bytes are Pillow's. As there, transparency is dropped without blending, 16-bit colors keep their upper byte,
    /// 16-bit gray is cut off at 255 (so that nearly all of it becomes white), and CMYK is taken to be inverted, as
    /// Adobe writes it. As in torchvision's and Keras' loaders, an EXIF orientation and a color profile are ignored.
    ///
    /// Without the feature `jpeg-c` a decoder in Rust reads JPEG files: its values differ from Pillow's by rounding,
    /// half a level in the mean, and at low quality by up to 18. It refuses arithmetic coding, several scans of a file
    /// that is not progressive, and colors sampled in another way than at half the width, half the height, both or
    /// neither. Where entropy-coded data is damaged, Pillow reads as much as it can, and so does this function with the
    /// feature; without it such a file is refused as a rule.
    ///
    /// BMP files are read where they are not compressed and have 1, 4, 8, 24 or 32 bits a pixel, Netpbm files (`.ppm`,
    /// `.pgm`, `.pbm`) of bits or of values up to 255: Pillow's bytes of others are not certain here.
    ///
    /// A file of more than [`MAX_BYTES`], and an image of more than [`MAX_PIXELS`] or with a side above [`MAX_SIDE`],
    /// is refused before any pixel is decoded.
    ///
    /// # Errors
    ///
    /// Any [`ImageError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ImageError> {
        let path = path.as_ref();
        let io = |source| ImageError::Io { path: path.to_owned(), source };
        // The kind of file is checked before the file is opened, since opening a pipe waits for a writer.
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
        Self::decode_within(path, bytes, MAX_PIXELS)
    }

    /// As [`Image::decode`], for images of at most `pixels` pixels where that is less than [`MAX_PIXELS`].
    ///
    /// Decoding takes at most 64 bytes of memory for each of them, with sides rounded up to 32, and for each byte of
    /// the file, and 1 MiB; 16 MiB more for a lossy WebP file that is cut off. The pixels are not bounded by the size
    /// of the file: every format can say in a few bytes that millions of them are equal.
    ///
    /// # Errors
    ///
    /// As [`Image::decode`].
    pub fn decode_within(path: impl AsRef<Path>, bytes: &[u8], pixels: usize) -> Result<Self, ImageError> {
        let path = path.as_ref();
        if bytes.len() as u64 > MAX_BYTES {
            let (unit, limit, found) = ("bytes", MAX_BYTES, "more".to_owned());
            return Err(ImageError::TooLarge { path: path.to_owned(), unit, limit, found });
        }
        let pixels = pixels.min(MAX_PIXELS) as u64;
        let accepted = |width: u32, height: u32| {
            let too_large = |unit, limit| Err(Refusal::TooLarge { unit, limit, found: format!("{width}x{height}") });
            if u64::from(width) * u64::from(height) > pixels {
                return too_large("pixels", pixels);
            }
            if width.max(height) > MAX_SIDE {
                return too_large("pixels along a side", MAX_SIDE.into());
            }
            Ok(())
        };
        let (format, decoded) = match image::guess_format(bytes) {
            Ok(ImageFormat::Jpeg) => ("JPEG", jpeg::decode(bytes, accepted)),
            Ok(ImageFormat::Png) => ("PNG", in_rust(bytes, ImageFormat::Png, accepted)),
            Ok(ImageFormat::Bmp) => ("BMP", checked(bytes, ImageFormat::Bmp, plain::bmp_misfit(bytes), accepted)),
            Ok(ImageFormat::Pnm) => ("Netpbm", checked(bytes, ImageFormat::Pnm, plain::netpbm_misfit(bytes), accepted)),
            Ok(ImageFormat::WebP) if !webp::is_whole(bytes) => ("WebP", Err(Refusal::Cut)),
            Ok(ImageFormat::WebP) => {
                let misfit = webp::misfit(bytes);
                ("WebP", checked(&webp::without_blending(bytes), ImageFormat::WebP, misfit, accepted))
            }
            other => {
                let found = other.map_or_else(|_| unknown(bytes), known);
                return Err(ImageError::Format { path: path.to_owned(), found });
            }
        };
        let image = decoded.and_then(|(width, height, values)| {
            Self::new(width as usize, height as usize, values)
                .ok_or_else(|| Refusal::Because(format!("{width}x{height} pixels are not what it holds")))
        });
        image.map_err(|refusal| refusal.of(path, format, bytes.len()))
    }
}

/// As [`in_rust`], unless there is a reason not to.
fn checked(
    bytes: &[u8],
    format: ImageFormat,
    misfit: Option<String>,
    accepted: impl FnOnce(u32, u32) -> Result<(), Refusal>,
) -> Result<(u32, u32, Vec<u8>), Refusal> {
    misfit.map_or_else(|| in_rust(bytes, format, accepted), |reason| Err(Refusal::Because(reason)))
}

/// Width, height and the RGB bytes of a file in a format whose decoder in Rust gives Pillow's bytes.
fn in_rust(
    bytes: &[u8],
    format: ImageFormat,
    accepted: impl FnOnce(u32, u32) -> Result<(), Refusal>,
) -> Result<(u32, u32, Vec<u8>), Refusal> {
    let refused = |error: image::ImageError| Refusal::Because(error.to_string());
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_WORK);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    accepted(width, height)?;
    let decoded = DynamicImage::from_decoder(decoder).map_err(refused)?;
    // The color type of a PNG, in the header that comes first. With `tRNS`, gray is decoded to gray with alpha.
    let is_grey = format == ImageFormat::Png && bytes.get(25) == Some(&0);
    Ok((width, height, rgb(decoded, is_grey)))
}

/// The bytes as `convert("RGB")` gives them; see [`Image::open`]. `is_grey` is set if the file holds gray without
/// alpha.
fn rgb(image: DynamicImage, is_grey: bool) -> Vec<u8> {
    fn keep<const N: usize>(values: &[u8]) -> Vec<u8> {
        values.chunks_exact(N).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
    }
    fn grey<const N: usize>(values: &[u8]) -> Vec<u8> {
        values.chunks_exact(N).flat_map(|pixel| [pixel[0]; 3]).collect()
    }
    let upper = |values: &[u16]| -> Vec<u8> { values.iter().map(|value| value.to_be_bytes()[0]).collect() };
    // Pillow's mode `I;16`, the only one whose values it cuts off.
    let cut = |values: &[u16]| -> Vec<u8> { values.iter().map(|&value| value.min(255) as u8).collect() };
    match image {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => keep::<4>(image.as_raw()),
        DynamicImage::ImageLuma8(image) => grey::<1>(image.as_raw()),
        DynamicImage::ImageLumaA8(image) => grey::<2>(image.as_raw()),
        DynamicImage::ImageRgb16(image) => upper(image.as_raw()),
        DynamicImage::ImageRgba16(image) => keep::<4>(&upper(image.as_raw())),
        DynamicImage::ImageLuma16(image) => grey::<1>(&cut(image.as_raw())),
        DynamicImage::ImageLumaA16(image) if is_grey => grey::<2>(&cut(image.as_raw())),
        DynamicImage::ImageLumaA16(image) => grey::<2>(&upper(image.as_raw())),
        // The formats read here have no values of other types.
        other => other.into_rgb8().into_raw(),
    }
}

fn known(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Gif => "a GIF",
        ImageFormat::Tiff => "a TIFF",
        ImageFormat::Avif => "an AVIF",
        _ => "another format",
    }
}

fn unknown(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "an empty file",
        [b'<', ..] => PAGE,
        _ => "none of their signatures",
    }
}
