//! Random numbers keyed by their purpose, never by the thread that draws them.
//!
//! A generator is named by `(purpose, seed, step, index)`. The key of ChaCha8 holds the first three and its stream
//! number the last, so two different names never share a sequence and no thread has a state that its order of work
//! could change.
//!
//! The draws are written out here instead of taken from `rand`'s distributions: those may change their values between
//! versions of `rand`, and an image or an epoch order must not.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Purpose of a random sequence. The numbers are part of the result: never reuse or renumber them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Order of the classes in a block of procedural training images.
    TrainClasses = 1,
    /// Content of a procedural training image.
    TrainImage = 2,
    /// Order of the classes in a block of procedural test images.
    TestClasses = 3,
    /// Content of a procedural test image.
    TestImage = 4,
    /// Order of the images in an epoch.
    EpochOrder = 5,
    /// Augmentation of one image in one epoch.
    Augment = 6,
    /// Share in which the images of a batch are mixed.
    Mix = 7,
    /// Part of an image that is resized to the input.
    Crop = 8,
    /// Change of the colors of an image.
    Jitter = 9,
}

/// The sequence of one `(purpose, seed, step, index)`.
pub(crate) struct KeyedRng(ChaCha8Rng);

impl KeyedRng {
    pub(crate) fn new(purpose: Purpose, seed: u64, step: u64, index: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&step.to_le_bytes());
        key[16] = purpose as u8;
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(index);
        Self(rng)
    }

    pub(crate) fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A number uniform in `0..n`, by one multiplication. There is no rejection, so that a draw always advances the
    /// sequence by the same amount; the price is a bias below `n / 2^64`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        debug_assert!(n > 0);
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.bits() >> 31 == 1
    }

    /// A number uniform in `[0, 1)`, a multiple of `2^-24`: exact in `f32`.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.bits() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// A number uniform in `[low, high)`, up to the rounding of the last operation.
    pub(crate) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// A direction `(cos, sin)` of uniform angle. A point of the unit disc, scaled to length 1: this needs a square
    /// root, which IEEE 754 rounds correctly everywhere, and no sine, which it does not.
    pub(crate) fn direction(&mut self) -> [f32; 2] {
        loop {
            let [x, y] = [self.range(-1.0, 1.0), self.range(-1.0, 1.0)];
            let square = x * x + y * y;
            if (0.01..=1.0).contains(&square) {
                let length = square.sqrt();
                return [x / length, y / length];
            }
        }
    }

    /// Shuffles `items` by the algorithm of Fisher and Yates.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(purpose: Purpose, seed: u64, step: u64, index: u64) -> u32 {
        KeyedRng::new(purpose, seed, step, index).bits()
    }

    #[test]
    fn every_part_of_the_key_counts() {
        let base = first(Purpose::Augment, 1, 2, 3);
        assert_eq!(base, first(Purpose::Augment, 1, 2, 3));
        assert_ne!(base, first(Purpose::EpochOrder, 1, 2, 3));
        assert_ne!(base, first(Purpose::Augment, 9, 2, 3));
        assert_ne!(base, first(Purpose::Augment, 1, 9, 3));
        assert_ne!(base, first(Purpose::Augment, 1, 2, 9));
        assert_ne!(first(Purpose::Augment, 1, 2, 0), first(Purpose::Augment, 2, 1, 0));
    }

    #[test]
    fn below_is_uniform() {
        let mut rng = KeyedRng::new(Purpose::Augment, 0, 0, 0);
        let mut counts = [0_i32; 7];
        for _ in 0..70_000 {
            counts[rng.below(7)] += 1;
        }
        // The standard deviation of a count is 93; 5 of them.
        assert!(counts.iter().all(|&count| (count - 10_000).abs() < 465), "{counts:?}");
    }

    #[test]
    fn directions_have_length_one_and_no_preference() {
        let mut rng = KeyedRng::new(Purpose::Augment, 0, 0, 0);
        let mut quadrants = [0_i32; 4];
        for _ in 0..40_000 {
            let [x, y] = rng.direction();
            assert!((x * x + y * y - 1.0).abs() < 1e-6);
            quadrants[usize::from(x < 0.0) * 2 + usize::from(y < 0.0)] += 1;
        }
        assert!(quadrants.iter().all(|&count| (count - 10_000).abs() < 435), "{quadrants:?}");
    }

    #[test]
    fn shuffle_reaches_every_order_equally() {
        let mut counts = std::collections::BTreeMap::<[u8; 3], i32>::new();
        for index in 0..6_000 {
            let mut items = [0, 1, 2];
            KeyedRng::new(Purpose::EpochOrder, 0, 0, index).shuffle(&mut items);
            *counts.entry(items).or_default() += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|&count| (count - 1_000).abs() < 145), "{counts:?}");
    }
}
