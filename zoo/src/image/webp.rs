//! Checks of a WebP file before it is decoded. Such a file is a RIFF container of chunks, each of four letters, a
//! length and its data.

use std::borrow::Cow;

/// Position of the first chunk: behind `RIFF`, the length of what follows, and `WEBP`.
const CHUNKS: usize = 12;

/// Position of the byte of flags in the data of a chunk `ANMF`, a frame: behind place, size and duration, three bytes
/// each.
const FLAGS: usize = 15;

/// Bytes of a chunk `ANMF` before the chunks of its picture.
const FRAME: usize = 16;

/// The flag of a file that is an animation.
const ANIMATED: u8 = 2;

/// The flag of a frame that replaces the canvas instead of being blended with it.
const OVERWRITE: u8 = 2;

/// Returns `true` if a file is as long as it says. The decoder would make up missing bytes at the end.
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

/// Description of a lossy picture whose size is not that of its place: the canvas of a file, or the first frame of an
/// animation; `None` if there is none such. The decoder would set aside the memory for the picture before it compares
/// the sizes, and does not compare them where a frame has an alpha channel of its own, nor looks at the kind of the
/// chunk that follows that channel.
pub(super) fn misfit(bytes: &[u8]) -> Option<String> {
    let (_, extended) = chunks(bytes, CHUNKS).find(|(kind, _)| kind == b"VP8X")?;
    let flags = *bytes.get(extended)?;
    let is_animated = flags & ANIMATED != 0;
    let (from, place, name) = if is_animated {
        let (_, frame) = chunks(bytes, CHUNKS).find(|(kind, _)| kind == b"ANMF")?;
        (frame + FRAME, frame + 6, "a frame")
    } else {
        (CHUNKS, extended + 4, "an image")
    };
    let &[width @ .., h0, h1, h2] = bytes.get(place..)?.first_chunk::<6>()?;
    let [width, height] = [width, [h0, h1, h2]].map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]) + 1);
    let mut follows_alpha = false;
    let (is_lossy, picture) = chunks(bytes, from).find_map(|(kind, data)| {
        let is_lossy = &kind == b"VP8 " || follows_alpha;
        follows_alpha = is_animated && &kind == b"ALPH";
        (is_lossy || &kind == b"VP8L").then_some((is_lossy, data))
    })?;
    // The lossless decoder compares them itself.
    let &[w0, w1, h0, h1] = bytes.get(picture + 6..).filter(|_| is_lossy)?.first_chunk::<4>()?;
    // The two highest bits are of a scale that viewers may apply.
    let [w, h] = [[w0, w1], [h0, h1]].map(|side| u32::from(u16::from_le_bytes(side) & 0x3fff));
    ((w, h) != (width, height)).then(|| format!("a picture of {w}x{h} in {name} of {width}x{height}"))
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
        lossy_as(b"VP8 ", width, height)
    }

    /// The same in a chunk of another kind.
    fn lossy_as(kind: &[u8], width: u16, height: u16) -> Vec<u8> {
        chunk(kind, &[&[0x10, 0, 0, 0x9d, 1, 0x2a], &width.to_le_bytes()[..], &height.to_le_bytes()].concat())
    }

    /// A file with a canvas of 19x13, animated or not.
    fn extended(is_animated: bool, rest: &[u8]) -> Vec<u8> {
        let flags = if is_animated { ANIMATED } else { 0 };
        let body = [b"WEBP", &chunk(b"VP8X", &[flags, 0, 0, 0, 18, 0, 0, 12, 0, 0])[..], rest].concat();
        chunk(b"RIFF", &body)
    }

    #[test]
    fn a_picture_of_another_size_than_its_place_is_found_before_it_is_decoded() {
        // In a frame of 7x5.
        let animated = |picture: &[u8]| {
            let frame = [&[0, 0, 0, 0, 0, 0, 6, 0, 0, 4, 0, 0, 0, 0, 0, 0], picture].concat();
            // A picture outside of the frames is not looked at.
            let stray = lossy(16383, 16383);
            let others = chunk(b"ANMF", &[0; FRAME]);
            extended(true, &[chunk(b"ANIM", &[0; 6]), stray, chunk(b"ANMF", &frame), others].concat())
        };
        let still = |picture: &[u8]| extended(false, picture);
        type Wrap<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
        let cases: [(Wrap<'_>, _, _, _); 2] =
            [(&still, 19, 13, "an image of 19x13"), (&animated, 7, 5, "a frame of 7x5")];
        for (file, width, height, place) in cases {
            for (width, height) in [(width, height), (width | 0x4000, height | 0x8000)] {
                assert_eq!(misfit(&file(&lossy(width, height))), None);
            }
            for (width, height) in [(width + 1, height), (width, height + 1), (16383, 16383), (width, height - 1)] {
                let picture = lossy(width, height);
                // An alpha channel may come before it.
                for picture in [picture.clone(), [chunk(b"ALPH", &[0; 6]), picture].concat()] {
                    assert_eq!(misfit(&file(&picture)).unwrap(), format!("a picture of {width}x{height} in {place}"));
                }
            }
            // Behind an alpha channel of a frame any chunk is decoded as a lossy picture; of an image it is passed
            // over.
            for kind in [b"VP8L", b"XMP "] {
                let behind = [chunk(b"ALPH", &[0; 6]), lossy_as(kind, 20, 20)].concat();
                let found = (place != "an image of 19x13").then(|| format!("a picture of 20x20 in {place}"));
                assert_eq!(misfit(&file(&behind)), found);
            }
            let whole = file(&lossy(20, 13));
            (0..whole.len()).for_each(|len| drop(misfit(&whole[..len])));
            assert_eq!(misfit(&file(&chunk(b"VP8L", &[0; 4]))), None);
        }
        let error = crate::image::Image::decode("x.webp", &extended(false, &lossy(16383, 16383))).unwrap_err();
        assert!(error.to_string().contains("a picture of 16383x16383 in an image of 19x13"), "{error}");
    }
}
