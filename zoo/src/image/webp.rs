//! What is looked at of a WebP file before its decoder is: a RIFF container of chunks, each of four letters, a length
//! and its data.

use std::borrow::Cow;

/// Where the first chunk begins: after `RIFF`, the length of what follows, and `WEBP`.
const CHUNKS: usize = 12;

/// The byte of flags in the data of a chunk `ANMF`, a frame: behind place, size and duration, three bytes each.
const FLAGS: usize = 15;

/// The flag of a frame that takes the place of the canvas instead of being blended with it.
const OVERWRITE: u8 = 2;

/// Whether a file is as long as it says. Its decoder would make up the last bytes.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    length(bytes, 4).is_some_and(|length| bytes.len() as u64 >= 8 + u64::from(length))
}

/// The file with the first frame of an animation, if it is one, not to be blended with the canvas. The canvas is empty,
/// and where the frame is transparent the decoder here would lose its color to it; libwebp keeps it.
pub(super) fn without_blending(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut place = CHUNKS;
    while let (Some(kind), Some(length)) = (bytes.get(place..place + 4), length(bytes, place + 4)) {
        let flags = place + 8 + FLAGS;
        if kind == b"ANMF" && flags < bytes.len() {
            let mut bytes = bytes.to_vec();
            bytes[flags] |= OVERWRITE;
            return Cow::Owned(bytes);
        }
        // Data of an odd length is followed by a byte that does not count.
        place = place.saturating_add(8).saturating_add(length as usize).saturating_add(length as usize % 2);
    }
    Cow::Borrowed(bytes)
}

fn length(bytes: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(place..)?.first_chunk()?))
}
