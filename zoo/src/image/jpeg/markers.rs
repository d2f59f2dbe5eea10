//! Checks, by the markers of a JPEG file (ITU-T T.81, annex B), that the decoder in Rust reads it right.
//!
//! That decoder fills the missing part of a file that was cut short with gray, knows no arithmetic coding, and misreads
//! the scans of a baseline file if there are more than one and colors are subsampled from top to bottom. Pillow refuses
//! the first, and reads the others: a network would be judged on half an image, or on noise, without a word.

use crate::image::error::Refusal;

const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;

/// Advice for a file that libjpeg reads and the decoder in Rust does not.
const READ_BY_C: &str = "re-encode it, or build with the feature jpeg-c";

/// Follows the markers of a file to the end of its image. What follows the end marker does not matter.
pub(super) fn check(bytes: &[u8]) -> Result<(), Refusal> {
    let mut rest = bytes;
    let mut sequential = true;
    let mut scans = 0;
    let mut restarts = 0;
    loop {
        // In entropy-coded data, and as a decoder does anywhere: bytes that are no marker are passed over. `FF 00` is a
        // byte of the data, and `FF FF` fills.
        let marker = rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff));
        let position = marker.ok_or(Refusal::Cut)?;
        let marker = rest[position + 1];
        rest = &rest[position + 2..];
        match marker {
            END_OF_IMAGE => return Ok(()),
            // Restart markers of a scan are counted modulo 8; the decoder would take any of them for the next one.
            0xd0..=0xd7 if scans > 0 && marker != 0xd0 + restarts => {
                return Err(Refusal::Because("it is damaged: restart markers out of order".to_owned()));
            }
            0xd0..=0xd7 => {
                restarts = (restarts + 1) % 8;
                continue;
            }
            // The start of the image and TEM stand alone.
            0xd8 | 0x01 => continue,
            // Frames: of these twelve kinds the second half is coded arithmetically, and C2 and CA are progressive.
            0xc9..=0xcb | 0xcd..=0xcf => return Err(Refusal::Because(format!("arithmetic coding: {READ_BY_C}"))),
            0xc0..=0xc2 => {
                sequential = marker != 0xc2;
                if !is_common(rest) {
                    return Err(Refusal::Because(format!("unusual sampling of colors: {READ_BY_C}")));
                }
            }
            START_OF_SCAN => (scans, restarts) = (scans + 1, 0),
            _ => {}
        }
        if sequential && scans > 1 {
            return Err(Refusal::Because(format!("several scans, and not progressive: {READ_BY_C}")));
        }
        // Any other marker begins a segment with its length, in which bytes may look like a marker, as a thumbnail's
        // do.
        let length = rest.first_chunk().ok_or(Refusal::Cut)?;
        rest = rest.get(usize::from(u16::from_be_bytes(*length)).max(2)..).ok_or(Refusal::Cut)?;
    }
}

/// Returns `true` if the components of the frame that this segment describes are sampled in a way that the decoder
/// reads right: gray, three with the second and third at half the width, half the height, both or neither, or four
/// alike.
fn is_common(segment: &[u8]) -> bool {
    let count = segment.get(7).map_or(0, |&count| usize::from(count));
    // Each component takes three bytes, of which the second holds both sampling factors.
    let factors: Vec<u8> = segment.iter().skip(9).step_by(3).take(count).copied().collect();
    match factors[..] {
        [_] => true,
        [gray, 0x11, 0x11] => matches!(gray, 0x11 | 0x12 | 0x21 | 0x22),
        [0x11, 0x11, 0x11, 0x11] => true,
        _ => false,
    }
}
