//! Checks of BMP and Netpbm files before they are decoded: of their many kinds those are read of which the decoder
//! gives Pillow's bytes.

/// The masks of a BMP file of 32 bits that have red, green and blue in the places where they are without masks.
const MASKS: [u32; 3] = [0x00ff_0000, 0x0000_ff00, 0x0000_00ff];

/// Place of the header that follows that of the file, and its least length: that of Windows 3.
const HEADER: usize = 14;
const WINDOWS: u32 = 40;

/// The reason for which a BMP file is not read; `None` if it is. Of 16 bits the values would differ by one, and runs
/// that leave out pixels have no color there.
pub(super) fn bmp_misfit(bytes: &[u8]) -> Option<String> {
    let number = |at: usize| bytes.get(HEADER + at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    let Some((size, bits, kind)) = number(0).zip(number(14)).zip(number(16)).map(|((a, b), c)| (a, b & 0xffff, c))
    else {
        return Some("it ends in its header".to_owned());
    };
    if size < WINDOWS {
        return Some(format!("it has a header of {size} bytes, before that of Windows 3"));
    }
    let masks = [40, 44, 48].map(number);
    match (kind, bits) {
        (0, 1 | 4 | 8 | 24 | 32) => None,
        (3, 32) if masks == MASKS.map(Some) => None,
        (0, _) => Some(format!("it has {bits} bits a pixel, and 1, 4, 8, 24 and 32 are read")),
        (3, _) => Some("it has its colors in other bits than usual".to_owned()),
        _ => Some("it is compressed".to_owned()),
    }
}

/// The reason for which a Netpbm file is not read; `None` if it is: bits, or values up to 255, as text or as bytes.
pub(super) fn netpbm_misfit(bytes: &[u8]) -> Option<String> {
    match bytes {
        [b'P', b'1' | b'4', ..] => None,
        [b'P', b'2' | b'3' | b'5' | b'6', rest @ ..] => match numbers(rest).nth(2) {
            Some(255) => None,
            Some(most) => Some(format!("its values are up to {most}, and up to 255 are read")),
            None => Some("it ends in its header".to_owned()),
        },
        _ => Some("it is no bitmap, graymap or pixmap".to_owned()),
    }
}

/// The numbers of a header, between which there are spaces and comments.
fn numbers(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.split(|byte| *byte == b'#').next().unwrap_or(line));
    let words = lines.flat_map(|line| line.split(u8::is_ascii_whitespace)).filter(|word| !word.is_empty());
    words.map_while(|word| std::str::from_utf8(word).ok()?.parse().ok())
}
