//! LZF, the compression that h5py calls by that name: filter 32000.
//!
//! Marc Lehmann's LibLZF, format 1: literal runs and references into the last 8 KiB of what was decoded. The crate
//! `lzf` is deprecated by its author, and sets aside at once all that a file is allowed.

/// Decodes at most `limit` bytes; `None` if they do not end as they should, refer to before their beginning or are
/// more.
pub(super) fn decode(packed: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut rest = packed;
    while let Some((&control, behind)) = rest.split_first() {
        let length = usize::from(control >> 5);
        if length == 0 {
            let (literal, behind) = behind.split_at_checked(usize::from(control) + 1)?;
            bytes.extend_from_slice(literal);
            rest = behind;
        } else {
            let (extra, behind) = if length == 7 { behind.split_first()? } else { (&0, behind) };
            let (&low, behind) = behind.split_first()?;
            let distance = (usize::from(control & 0x1f) << 8 | usize::from(low)) + 1;
            let start = bytes.len().checked_sub(distance)?;
            // A reference may reach into what it makes: the last bytes are then repeated.
            for at in start..start + length + usize::from(*extra) + 2 {
                bytes.push(bytes[at]);
            }
            rest = behind;
        }
        if bytes.len() > limit {
            return None;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn literals_and_references_are_decoded() {
        assert_eq!(decode(&[], 0).unwrap(), b"");
        assert_eq!(decode(b"\x02abc", 3).unwrap(), b"abc");
        // Four bytes from three before, which reaches into what it makes.
        assert_eq!(decode(b"\x02abc\x40\x02", 7).unwrap(), b"abcabca");
        // A length of more than a control byte holds: 7 + 10 + 2 times the last byte.
        assert_eq!(decode(b"\x00x\xe0\x0a\x00", 20).unwrap(), [b'x'; 20]);
        for wrong in [&b"\x02ab"[..], b"\x40", b"\x40\x00", b"\x00x\x40\x01", b"\xe0\x0a"] {
            assert_eq!(decode(wrong, 100), None, "{wrong:?}");
        }
        assert_eq!(decode(b"\x02abc", 2), None);
    }
}
