//! From a JPEG file to RGB bytes.
//!
//! | file | what |
//! |---|---|
//! | `turbo` | with the feature `jpeg-c`: libjpeg's decoder, whose bytes are Pillow's; `turbo.c` and `build.rs` belong to it |
//! | `plain` | without: a decoder in Rust |
//! | `markers` | what `plain` is not given |

use std::path::Path;

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

use super::ImageError;

/// Why a file is not read.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// It ends inside the image.
    Cut,
    /// It is damaged, or not to be read here.
    Because(String),
}

/// There is no room for an image of so many pixels.
fn no_memory(pixels: u64) -> Refusal {
    Refusal::Because(format!("there is not enough memory for its {pixels} pixels"))
}

/// Width, height and the RGB bytes of a file, once `accepted` has agreed to width and height. `path` is its name in errors.
pub(super) fn decode(
    path: &Path,
    bytes: &[u8],
    accepted: impl FnOnce(u32, u32) -> Result<(), ImageError>,
) -> Result<(u32, u32, Vec<u8>), ImageError> {
    let refused = |refusal| match refusal {
        Refusal::Cut => ImageError::Cut { path: path.to_owned(), format: "JPEG", len: bytes.len() },
        Refusal::Because(reason) => {
            ImageError::Decode { path: path.to_owned(), format: "JPEG", reason: super::decode::line(&reason) }
        }
    };
    let frame = decoder::frame(bytes).map_err(refused)?;
    let (width, height) = (frame.width, frame.height);
    accepted(width, height)?;
    Ok((width, height, decoder::rgb(frame).map_err(refused)?))
}

#[cfg(test)]
mod tests;
