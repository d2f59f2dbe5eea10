//! Damage, the same in every run.

/// A deterministic stream of numbers: splitmix64 (Steele et al. 2014).
pub struct Random(u64);

impl Random {
    /// A stream of its own for each name.
    pub fn new(name: &str) -> Self {
        Self(name.bytes().fold(0, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Numbers that readers trip over as lengths, counts and addresses.
const EDGES: [u64; 12] = [0, 1, 2, 8, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 40, i64::MAX as u64, u64::MAX];

/// `bytes` with one to four kinds of damage, some of it with parts of the other files in `donors`.
pub fn of(bytes: &[u8], donors: &[(String, Vec<u8>)], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        let end = bytes.len().min(at + 1 + random.below(64));
        match random.below(7) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => {
                let edge = EDGES[random.below(EDGES.len())].to_le_bytes();
                let width = [1, 2, 4, 8][random.below(4)].min(bytes.len() - at);
                bytes[at..at + width].copy_from_slice(&edge[..width]);
            }
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let part = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, part);
            }
            _ => {
                let (_, donor) = &donors[random.below(donors.len())];
                let from = random.below(donor.len().max(1));
                let part = &donor[from..donor.len().min(from + end - at)];
                bytes[at..at + part.len()].copy_from_slice(part);
            }
        }
    }
    bytes
}
