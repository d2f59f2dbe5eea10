//! What is looked at of a WebP file before its decoder is: a RIFF container of chunks, each of four letters, a length
//! and its data.

use std::borrow::Cow;

/// Where the first chunk begins: after `RIFF`, the length of what follows, and `WEBP`.
const CHUNKS: usize = 12;

/// The byte of flags in the data of a chunk `ANMF`, a frame: behind place, size and duration, three bytes each.
const FLAGS: usize = 15;

/// Bytes of a chunk `ANMF` before the chunks of its picture.
const FRAME: usize = 16;

/// The flag of a frame that takes the place of the canvas instead of being blended with it.
const OVERWRITE: u8 = 2;

/// Whether a file is as long as it says. Its decoder would make up the last bytes.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let length = bytes.get(4..).and_then(|rest| rest.first_chunk());
    length.is_some_and(|length| bytes.len() as u64 >= 8 + u64::from(u32::from_le_bytes(*length)))
}

/// The kinds of chunks from a place on, each with the place of its data.
fn chunks(bytes: &[u8], mut place: usize) -> impl Iterator<Item = ([u8; 4], usize)> {
    std::iter::from_fn(move || {
        let &[a, b, c, d, ref length @ ..] = bytes.get(place..)?.first_chunk::<8>()?;
        let data = place + 8;
        // Data of an odd length is followed by a byte that does not count.
        let length = u32::from_le_bytes(*length) as usize;
        place = data.saturating_add(length).saturating_add(length % 2);
        Some(([a, b, c, d], data))
    })
}

/// What is wrong with the picture, or the first frame of an animation, if it is lossy and says that it is larger than
/// the canvas: its decoder would set aside the memory for it before it looks.
pub(super) fn larger_frame(bytes: &[u8]) -> Option<String> {
    let (_, extended) = chunks(bytes, CHUNKS).find(|(kind, _)| kind == b"VP8X")?;
    let &[width @ .., h0, h1, h2] = bytes.get(extended + 4..)?.first_chunk::<6>()?;
    let canvas = [width, [h0, h1, h2]].map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]) + 1);
    let is_picture = |(kind, _): &([u8; 4], usize)| matches!(kind, b"VP8 " | b"VP8L");
    let (kind, picture) = match chunks(bytes, CHUNKS).find(|chunk| is_picture(chunk) || &chunk.0 == b"ANMF")? {
        (kind, frame) if &kind == b"ANMF" => chunks(bytes, frame + FRAME).find(is_picture)?,
        still => still,
    };
    // The lossless decoder compares them itself.
    let &[w0, w1, h0, h1] = bytes.get(picture + 6..).filter(|_| &kind == b"VP8 ")?.first_chunk::<4>()?;
    // The two highest bits are of a scale that viewers may apply.
    let frame = [[w0, w1], [h0, h1]].map(|side| u32::from(u16::from_le_bytes(side) & 0x3fff));
    let [[width, height], [w, h]] = [canvas, frame];
    (w > width || h > height).then(|| format!("a frame of {w}x{h} in an image of {width}x{height}"))
}

/// The file with the first frame of an animation, if it is one, not to be blended with the canvas. The canvas is empty,
/// and where the frame is transparent the decoder here would lose its color to it; libwebp keeps it.
pub(super) fn without_blending(bytes: &[u8]) -> Cow<'_, [u8]> {
    let frame = chunks(bytes, CHUNKS).find(|(kind, data)| kind == b"ANMF" && data + FLAGS < bytes.len());
    if let Some((_, data)) = frame {
        let mut bytes = bytes.to_vec();
        bytes[data + FLAGS] |= OVERWRITE;
        return Cow::Owned(bytes);
    }
    Cow::Borrowed(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
        [kind, &(data.len() as u32).to_le_bytes(), data].concat()
    }

    /// A lossy picture, as far as its size.
    fn lossy(width: u16, height: u16) -> Vec<u8> {
        chunk(b"VP8 ", &[&[0x10, 0, 0, 0x9d, 1, 0x2a], &width.to_le_bytes()[..], &height.to_le_bytes()].concat())
    }

    /// A file with a canvas of 19x13.
    fn extended(rest: &[u8]) -> Vec<u8> {
        let body = [b"WEBP", &chunk(b"VP8X", &[2, 0, 0, 0, 18, 0, 0, 12, 0, 0])[..], rest].concat();
        chunk(b"RIFF", &body)
    }

    #[test]
    fn a_frame_larger_than_its_canvas_is_found_before_it_is_decoded() {
        let animated = |picture: &[u8]| {
            let frames = [&[0; FRAME][..], picture].concat();
            extended(&[chunk(b"ANIM", &[0; 6]), chunk(b"ANMF", &frames), chunk(b"ANMF", &[0; FRAME])].concat())
        };
        for is_animated in [false, true] {
            let file = |picture: &[u8]| if is_animated { animated(picture) } else { extended(picture) };
            for (width, height) in [(19, 13), (19 | 0x4000, 13 | 0x8000), (1, 1)] {
                assert_eq!(larger_frame(&file(&lossy(width, height))), None);
            }
            for (width, height) in [(20, 13), (19, 14), (16383, 16383)] {
                let said = larger_frame(&file(&lossy(width, height))).unwrap();
                assert_eq!(said, format!("a frame of {width}x{height} in an image of 19x13"));
            }
            let (whole, after) = (file(&lossy(20, 13)), file(&chunk(b"VP8L", &[0; 4])));
            (0..whole.len()).for_each(|len| drop(larger_frame(&whole[..len])));
            assert_eq!(larger_frame(&after), None);
        }
        let error = crate::image::Image::decode("x.webp", &extended(&lossy(16383, 16383))).unwrap_err().to_string();
        assert!(error.contains("a frame of 16383x16383 in an image of 19x13"), "{error}");
    }
}
