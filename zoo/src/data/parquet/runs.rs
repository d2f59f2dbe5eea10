//! Runs of equal integers and packed integers, in which levels and places in a dictionary are written
//! (<https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE>).

use super::fault::Fault;

/// Reads `count` integers of `width` bits, 32 at most. The bytes may end within the last packed ones, as long as there
/// are enough.
pub(super) fn read(mut bytes: &[u8], width: u32, count: usize) -> Result<Vec<u32>, Fault> {
    let missing = || Fault::damaged("fewer values than its header says");
    let mut values = Vec::new();
    while values.len() < count {
        let left = count - values.len();
        let header = varint(&mut bytes).ok_or_else(missing)?;
        let len = usize::try_from(header >> 1).unwrap_or(usize::MAX);
        if header & 1 == 0 {
            let (value, rest) = bytes.split_at_checked(width.div_ceil(8) as usize).ok_or_else(missing)?;
            bytes = rest;
            let value = value.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte));
            values.extend(std::iter::repeat_n(value, len.min(left)));
        } else {
            let packed = len.saturating_mul(width as usize).min(bytes.len());
            let (packed, rest) = bytes.split_at(packed);
            bytes = rest;
            let before = values.len();
            unpack(packed, width, len.saturating_mul(8).min(left), &mut values);
            if values.len() == before && len > 0 {
                return Err(missing());
            }
        }
    }
    Ok(values)
}

/// Unpacks up to `count` integers, the lowest bits of a byte first, as far as there are bytes.
fn unpack(bytes: &[u8], width: u32, count: usize, values: &mut Vec<u32>) {
    let (mut held, mut bits) = (0_u64, 0);
    let mut bytes = bytes.iter();
    for _ in 0..count {
        while bits < width {
            let Some(&byte) = bytes.next() else { return };
            held |= u64::from(byte) << bits;
            bits += 8;
        }
        values.push((held & ((1 << width) - 1)) as u32);
        held >>= width;
        bits -= width;
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_packed_integers_are_those_of_the_specification() {
        // The numbers 0 to 7 in three bits each, as the specification packs them.
        assert_eq!(read(&[0x03, 0x88, 0xc6, 0xfa], 3, 8).unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(read(&[0x06, 0x02, 0x03, 0x88, 0xc6, 0xfa], 3, 7).unwrap(), [2, 2, 2, 0, 1, 2, 3]);
        assert_eq!(read(&[0x04, 0x01, 0x02], 9, 2).unwrap(), [513, 513]);
        // No bits, as for the one place of a dictionary.
        assert_eq!(read(&[0x06], 0, 3).unwrap(), [0, 0, 0]);
        assert_eq!(read(&[0x03], 0, 3).unwrap(), [0, 0, 0]);
    }

    #[test]
    fn runs_that_end_early_are_refused() {
        for bytes in [&[][..], &[0x80], &[0x06], &[0x04, 0x01], &[0x03], &[0x00, 0x01], &[0xff; 9]] {
            assert!(read(bytes, 3, 3).is_err(), "{bytes:?}");
        }
    }
}
