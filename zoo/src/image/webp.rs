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
    let length = bytes.get(4..).and_then(|rest| rest.first_chunk());
    length.is_some_and(|length| bytes.len() as u64 >= 8 + u64::from(u32::from_le_bytes(*length)))
}

/// The file with the first frame of an animation, if it is one, not to be blended with the canvas. The canvas is empty,
/// and where the frame is transparent the decoder here would lose its color to it; libwebp keeps it.
pub(super) fn without_blending(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut place = CHUNKS;
    while let Some(&[a, b, c, d, ref length @ ..]) = bytes.get(place..).and_then(|rest| rest.first_chunk::<8>()) {
        let flags = place + 8 + FLAGS;
        if [a, b, c, d] == *b"ANMF" && flags < bytes.len() {
            let mut bytes = bytes.to_vec();
            bytes[flags] |= OVERWRITE;
            return Cow::Owned(bytes);
        }
        // Data of an odd length is followed by a byte that does not count.
        let length = u32::from_le_bytes(*length) as usize;
        place = place.saturating_add(8).saturating_add(length).saturating_add(length % 2);
    }
    Cow::Borrowed(bytes)
}
