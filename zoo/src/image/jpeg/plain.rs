//! A decoder in Rust, for builds without the feature `jpeg-c`: its pixels differ from Pillow's by rounding, mostly of
//! colors, and it refuses what it does not read right.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::markers;
use super::pixels::{spread, zeros};
use crate::image::error::Refusal;

pub(super) struct Frame<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    decoder: JpegDecoder<ZCursor<&'a [u8]>>,
}

/// Reads the headers, and follows the markers to the end of the image.
pub(super) fn frame(bytes: &[u8]) -> Result<Frame<'_>, Refusal> {
    markers::check(bytes)?;
    // Strict: a code that does not exist is an error, and not the end of what is decoded.
    let options = DecoderOptions::default().set_strict_mode(true).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(refused)?;
    let is_gray = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let wanted = if is_gray { ColorSpace::Luma } else { ColorSpace::RGB };
    decoder.set_options(options.jpeg_set_out_colorspace(wanted));
    let (width, height) = decoder.dimensions().unwrap_or_default();
    Ok(Frame { width: width as u32, height: height as u32, decoder })
}

/// Decodes the pixels of a frame whose size was accepted.
pub(super) fn rgb(mut frame: Frame<'_>) -> Result<Vec<u8>, Refusal> {
    let mut values = zeros(u64::from(frame.width) * u64::from(frame.height), 3)?;
    let is_gray = frame.decoder.output_colorspace() == Some(ColorSpace::Luma);
    let samples = if is_gray { values.len() / 3 } else { values.len() };
    frame.decoder.decode_into(&mut values[..samples]).map_err(refused)?;
    if is_gray {
        spread(&mut values);
    }
    Ok(values)
}

fn refused(error: zune_jpeg::errors::DecodeErrors) -> Refusal {
    Refusal::Because(error.to_string())
}
