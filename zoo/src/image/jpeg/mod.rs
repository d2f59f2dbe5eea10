//! From a JPEG file to RGB bytes.
//!
//! | file | what |
//! |---|---|
//! | `turbo` | with the feature `jpeg-c`: libjpeg's decoder, whose bytes are Pillow's; with `turbo.c` and `build.rs` |
//! | `plain` | without: a decoder in Rust |
//! | `markers` | what `plain` is not given |

#[cfg(any(test, not(feature = "jpeg-c")))]
mod markers;
#[cfg(any(test, not(feature = "jpeg-c")))]
mod plain;
#[cfg(feature = "jpeg-c")]
#[allow(unsafe_code)]
mod turbo;

#[cfg(not(feature = "jpeg-c"))]
use plain as decoder;
#[cfg(feature = "jpeg-c")]
use turbo as decoder;

use super::error::Refusal;

/// Zeros for an image of so many pixels: `values` bytes for each.
fn zeros(pixels: u64, values: usize) -> Result<Vec<u8>, Refusal> {
    let no_memory = || Refusal::Because(format!("there is not enough memory for its {pixels} pixels"));
    let len = usize::try_from(pixels).ok().and_then(|pixels| pixels.checked_mul(values)).ok_or_else(no_memory)?;
    let mut zeros = Vec::new();
    zeros.try_reserve_exact(len).map_err(|_| no_memory())?;
    zeros.resize(len, 0_u8);
    Ok(zeros)
}

/// From grey values in the first third to three equal values a pixel.
fn spread(values: &mut [u8]) {
    for pixel in (0..values.len() / 3).rev() {
        let grey = values[pixel];
        values[3 * pixel..3 * pixel + 3].fill(grey);
    }
}

/// Width, height and the RGB bytes of a file, once `accepted` has agreed to width and height.
pub(super) fn decode(
    bytes: &[u8],
    accepted: impl FnOnce(u32, u32) -> Result<(), Refusal>,
) -> Result<(u32, u32, Vec<u8>), Refusal> {
    let frame = decoder::frame(bytes)?;
    let (width, height) = (frame.width, frame.height);
    accepted(width, height)?;
    Ok((width, height, decoder::rgb(frame)?))
}

#[cfg(test)]
mod tests;
