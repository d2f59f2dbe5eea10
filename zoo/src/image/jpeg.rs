//! Whether a JPEG file is whole.
//!
//! The decoder fills what is missing of a file that was cut short with grey. Pillow refuses such a file, and so does this
//! module: a network would be judged on half an image without a word.

const END_OF_IMAGE: u8 = 0xd9;

/// Whether the markers of a JPEG file lead to the end of its image (ITU-T T.81, annex B). What follows the end marker does
/// not matter.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        // In entropy-coded data, and as a decoder does anywhere: whatever is no marker is passed over. `FF 00` is a byte of
        // the data, `FF D0` to `FF D7` restart it, and `FF FF` fills.
        let marker = rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff));
        let Some(position) = marker else { return false };
        let marker = rest[position + 1];
        rest = &rest[position + 2..];
        match marker {
            END_OF_IMAGE => return true,
            // The start of the image and TEM stand alone.
            0xd8 | 0x01 => {}
            // Any other begins a segment with its own length, in which anything may look like a marker: a thumbnail does.
            _ => {
                let Some([high, low]) = rest.first_chunk() else { return false };
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let Some(behind) = rest.get(length.max(2)..) else { return false };
                rest = behind;
            }
        }
    }
}
