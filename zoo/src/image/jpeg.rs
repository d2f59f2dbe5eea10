//! Decoding of a JPEG file to RGB bytes.
//!
//! | module | contents |
//! |---|---|
//! | `turbo` | with the feature `jpeg-c`: libjpeg's decoder, whose bytes are Pillow's; with `turbo.c` and `build.rs` |
//! | `plain` | without: a decoder in Rust |
//! | `markers` | checks of a file before `plain` decodes it |

#[cfg(any(test, not(feature = "jpeg-c")))]
mod markers;
mod pixels;
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
