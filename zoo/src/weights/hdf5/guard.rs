//! Checks of object headers for what the decoder cannot handle, made before it reads them.
//!
//! `hdf5-reader` 0.12.1 multiplies the sizes in a layout message of version 1 or 2 without checking that the product
//! fits: a panic where overflow is checked, a wrong number where not. Every chunk of an object header is handed to it
//! in one piece, so that its messages can be checked first.

use std::collections::HashSet;

/// Types of the messages that are examined: a layout, and a continuation in another chunk.
const LAYOUT: u16 = 0x08;
const CONTINUATION: u16 = 0x10;

/// Flag of a message that is stored elsewhere.
const SHARED: u8 = 0x02;

/// Object headers of one file, as far as they have been read.
#[derive(Debug)]
pub(super) struct Guard {
    /// Position in the file that addresses are counted from.
    base: u64,
    /// Bytes of an address and of a length.
    sizes: [usize; 2],
    /// Chunks in which headers continue, by position, length and envelope of their messages. The same bytes may be
    /// listed with several envelopes.
    continued: HashSet<(u64, usize, Envelope)>,
}

/// Form of the bytes before each message of an object header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Envelope {
    /// Type, size, flags and three unused bytes.
    Version1,
    /// Type, size, flags and, in some headers, the order of creation.
    Version2 { ordered: bool },
}

const ENVELOPES: [Envelope; 3] =
    [Envelope::Version1, Envelope::Version2 { ordered: false }, Envelope::Version2 { ordered: true }];

/// The messages of a chunk that matter here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// Sizes in layout messages of version 1 and 2.
    layouts: Vec<Vec<u32>>,
    /// Set if a layout is stored elsewhere, which the format does not allow.
    shared_layout: bool,
    /// Address and length of the chunks that follow.
    continued: Vec<(u64, u64)>,
}

impl Guard {
    /// Makes the guard of a file whose superblock is at `base` and begins with these bytes. If they are no superblock,
    /// nothing is read of the file.
    pub(super) fn new(base: u64, superblock: &[u8]) -> Self {
        let at = match superblock.get(8) {
            Some(0 | 1) => 13,
            _ => 9,
        };
        let size = |at: usize| usize::from(superblock.get(at).copied().unwrap_or(0).min(8));
        Self { base, sizes: [size(at), size(at + 1)], continued: HashSet::new() }
    }

    /// Checks bytes that the decoder reads from `place`. The error says what is wrong with them.
    pub(super) fn check(&mut self, place: u64, bytes: &[u8]) -> Result<(), &'static str> {
        for (envelope, messages) in self.chunks(place, bytes) {
            let found = messages_of(messages, envelope, self.sizes);
            for (address, length) in found.continued {
                if let (Some(place), Ok(length)) = (self.base.checked_add(address), usize::try_from(length)) {
                    self.continued.insert((place, length, envelope));
                }
            }
            if found.shared_layout {
                return Err("a layout that is stored elsewhere");
            }
            if found.layouts.iter().any(|sizes| product(sizes).is_none()) {
                return Err("a layout of more bytes than a number holds");
            }
        }
        Ok(())
    }

    /// The messages in these bytes, for every way in which the bytes can be a chunk of an object header: as one that a
    /// header continues in, and as a first one.
    fn chunks<'a>(&self, place: u64, bytes: &'a [u8]) -> Vec<(Envelope, &'a [u8])> {
        let inside = |envelope: &Envelope| match envelope {
            Envelope::Version1 => Some(bytes),
            // Behind the signature, and before the checksum.
            Envelope::Version2 { .. } => bytes.get(4..bytes.len().checked_sub(4)?),
        };
        let mut chunks: Vec<_> = ENVELOPES
            .into_iter()
            .filter(|envelope| self.continued.contains(&(place, bytes.len(), *envelope)))
            .filter_map(|envelope| Some((envelope, inside(&envelope)?)))
            .collect();
        chunks.extend(first(bytes));
        chunks
    }
}

/// The messages of the first chunk of an object header; `None` of anything else.
fn first(bytes: &[u8]) -> Option<(Envelope, &[u8])> {
    match bytes {
        [b'O', b'H', b'D', b'R', 2, flags, ..] => {
            let width = 1 << (flags & 3);
            let times = if flags & 0x20 == 0 { 0 } else { 16 };
            let limits = if flags & 0x10 == 0 { 0 } else { 4 };
            let start = 6 + times + limits;
            let length = usize::try_from(number(bytes.get(start..start + width)?)).ok()?;
            let messages = bytes.get(start + width..)?.get(..length)?;
            Some((Envelope::Version2 { ordered: flags & 0x04 != 0 }, messages))
        }
        [1, _, _, _, _, _, _, _, length @ ..] => {
            let length = usize::try_from(number(length.get(..4)?)).ok()?;
            let messages = bytes.get(16..)?;
            (messages.len() == length).then_some((Envelope::Version1, messages))
        }
        _ => None,
    }
}

/// The messages of a chunk, up to one that does not fit, where the decoder gives up too.
fn messages_of(mut rest: &[u8], envelope: Envelope, [address, length]: [usize; 2]) -> Found {
    let mut found = Found::default();
    while let Some((kind, flags, message, behind)) = next(rest, envelope) {
        rest = behind;
        match kind {
            LAYOUT if flags & SHARED != 0 => found.shared_layout = true,
            LAYOUT => found.layouts.extend(sizes(message, address)),
            CONTINUATION if flags & SHARED == 0 => {
                let numbers = message.get(..address).zip(message.get(address..address + length));
                found.continued.extend(numbers.map(|(place, size)| (number(place), number(size))));
            }
            _ => {}
        }
    }
    found
}

/// Type, flags and bytes of the next message, and what is behind it.
fn next(bytes: &[u8], envelope: Envelope) -> Option<(u16, u8, &[u8], &[u8])> {
    let (kind, size, flags, begin) = match (envelope, bytes) {
        (Envelope::Version1, [a, b, c, d, flags, _, _, _, ..]) => {
            (u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]), *flags, 8)
        }
        (Envelope::Version2 { ordered }, [kind, c, d, flags, ..]) => {
            (u16::from(*kind), u16::from_le_bytes([*c, *d]), *flags, if ordered { 6 } else { 4 })
        }
        _ => return None,
    };
    let (message, behind) = bytes.get(begin..)?.split_at_checked(usize::from(size))?;
    Some((kind, flags, message, behind))
}

/// The sizes in a layout message of version 1 or 2, as the decoder reads it: version, number of sizes, class, some
/// unused bytes, an address, the sizes.
fn sizes(message: &[u8], address: usize) -> Option<Vec<u32>> {
    let [version @ (1 | 2), count, _, rest @ ..] = message else { return None };
    let nothing = if *version == 1 { 5 } else { 3 };
    let sizes = rest.get(nothing + address..)?.as_chunks().0;
    sizes.get(..usize::from(*count)).map(|sizes| sizes.iter().map(|size| u32::from_le_bytes(*size)).collect())
}

/// The product of sizes; `None` if it does not fit.
fn product(sizes: &[u32]) -> Option<u64> {
    sizes.iter().try_fold(1_u64, |product, size| product.checked_mul(u64::from(*size)))
}

/// A little-endian number of at most eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_a_number_or_does_not_fit() {
        assert_eq!(product(&[]), Some(1));
        assert_eq!(product(&[3, 5, 4]), Some(60));
        assert_eq!(product(&[u32::MAX, u32::MAX]), Some(u64::from(u32::MAX) * u64::from(u32::MAX)));
        assert_eq!(product(&[u32::MAX, u32::MAX, 2]), None);
        // As the decoder multiplies, from the left on: a zero that comes later is too late.
        assert_eq!(product(&[u32::MAX, u32::MAX, 2, 0]), None);
        assert_eq!(product(&[0, u32::MAX, u32::MAX, u32::MAX]), Some(0));
    }

    /// A layout of version 1: contiguous, at address 7, with these sizes.
    fn layout(sizes: &[u32]) -> Vec<u8> {
        let mut message = vec![1, sizes.len() as u8, 1, 0, 0, 0, 0, 0];
        message.extend(7_u64.to_le_bytes());
        message.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
        message
    }

    /// Messages as a header has them.
    fn messages(envelope: Envelope, messages: &[(u16, u8, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, flags, message) in messages {
            let size = (message.len() as u16).to_le_bytes();
            match envelope {
                Envelope::Version1 => {
                    bytes.extend(kind.to_le_bytes());
                    bytes.extend([size[0], size[1], *flags, 0, 0, 0]);
                }
                Envelope::Version2 { ordered } => {
                    bytes.extend([*kind as u8, size[0], size[1], *flags]);
                    bytes.extend(&[0, 0][..if ordered { 2 } else { 0 }]);
                }
            }
            bytes.extend(message);
        }
        bytes
    }

    #[test]
    fn layouts_are_found_in_headers_of_every_version_and_where_these_go_on() {
        // Superblock of version 0 with addresses and lengths of eight bytes, behind a user block.
        let superblock = [&b"\x89HDF\r\n\x1a\n"[..], &[0, 0, 0, 0, 0, 8, 8]].concat();
        let beyond = [4000_u64.to_le_bytes(), 500_u64.to_le_bytes()].concat();
        for envelope in ENVELOPES {
            let content = messages(
                envelope,
                &[(0, 0, vec![0; 3]), (LAYOUT, 0, layout(&[2, 3])), (CONTINUATION, 0, beyond.clone())],
            );
            let mut header = match envelope {
                Envelope::Version1 => {
                    [&[1, 0, 3, 0, 1, 0, 0, 0][..], &(content.len() as u32).to_le_bytes(), &[0; 4]].concat()
                }
                Envelope::Version2 { ordered } => {
                    let flags = 0x30 | 1 | if ordered { 4 } else { 0 };
                    [b"OHDR", &[2, flags][..], &[0; 20], &(content.len() as u16).to_le_bytes()].concat()
                }
            };
            header.extend(&content);
            if envelope != Envelope::Version1 {
                header.extend([0; 4]);
            }
            let mut guard = Guard::new(512, &superblock);
            let inside = &content[..];
            assert_eq!(guard.chunks(512 + 96, &header), [(envelope, inside)]);
            let found = messages_of(inside, envelope, guard.sizes);
            assert_eq!(found, Found { layouts: vec![vec![2, 3]], shared_layout: false, continued: vec![(4000, 500)] });
            assert_eq!(guard.check(512 + 96, &header), Ok(()));
            assert_eq!(guard.continued, HashSet::from([(4512, 500, envelope)]));
            let more = vec![0; 500];
            let inside = if envelope == Envelope::Version1 { 500 } else { 492 };
            assert_eq!(guard.chunks(4512, &more), [(envelope, &more[..inside])]);
            assert_eq!(guard.chunks(4511, &more), []);

            let shared = messages(envelope, &[(LAYOUT, SHARED, vec![0; 8])]);
            assert!(messages_of(&shared, envelope, [8, 8]).shared_layout);
        }
        // Version 3 has no sizes to multiply.
        assert_eq!(sizes(&[3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8), None);
    }
}
