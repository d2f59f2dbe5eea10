//! Slices of a batch, each of which one thread takes through the whole network.
//!
//! The maps of a few images stay in the cache from one step to the next, where those of a large batch go through memory
//! at every step. But every slice reads all weights anew.

/// Bytes of the maps of a slice, about: a few times the second cache level, of which at any time a part is in use.
const MAPS: usize = 4 << 20;
/// Multiply-adds that a thread computes while it reads a byte of the weights from memory.
const BYTE: usize = 10;
/// Least share of the threads' time that slices leave in use, in percent: the last ones may keep only some threads
/// busy.
const BUSY: usize = 90;

/// Memory and work of a network for one image.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Bytes of the buffers of its maps.
    pub map_bytes: usize,
    /// Bytes of its weights, which it takes once for any number of images.
    pub weight_bytes: usize,
    /// Multiply-adds of the convolutions and linear layers.
    pub multiply_adds: usize,
}

impl Load {
    /// Images of each slice, or none if a batch is faster as a whole, all threads working on one step. Results do not
    /// depend on it.
    pub fn images_of_a_slice(&self, batch: usize, threads: usize) -> Option<usize> {
        let for_weights = (self.weight_bytes * BYTE).div_ceil(self.multiply_adds.max(1));
        let images = (MAPS / self.map_bytes.max(1)).max(for_weights).max(1);
        let rounds = (batch / (images * threads)).max(1);
        let slice = batch.div_ceil(rounds * threads);
        let is_worth_it = threads > 1 && slice >= for_weights.max(1) && 100 * batch >= BUSY * slice * rounds * threads;
        is_worth_it.then_some(slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn slices_are_of_one_size_and_keep_all_threads_busy() {
        // As ResNet-20 at 32x32 and ResNet-50 at 224x224.
        let small = Load { map_bytes: 400 << 10, weight_bytes: 4 * MIB, multiply_adds: 20 << 20 };
        let large = Load { map_bytes: 12 * MIB, weight_bytes: 150 * MIB, multiply_adds: 3 << 30 };
        let slices = [128, 127, 20, 8, 4].map(|batch| small.images_of_a_slice(batch, 2));
        assert_eq!(slices, [11, 11, 10, 4, 2].map(Some));
        assert_eq!([8, 4, 2].map(|batch| large.images_of_a_slice(batch, 2)), [Some(1), Some(1), Some(1)]);
        // One image, an odd one among few, and a thread alone.
        assert_eq!([1, 3, 5].map(|batch| large.images_of_a_slice(batch, 2)), [None; 3]);
        assert_eq!(small.images_of_a_slice(128, 1), None);
        assert_eq!(small.images_of_a_slice(0, 2), None);
    }

    #[test]
    fn weights_that_take_longer_to_read_than_a_slice_to_compute_are_read_once() {
        // As VGG16 at 32x32.
        let load = Load { map_bytes: 600 << 10, weight_bytes: 200 * MIB, multiply_adds: 200 << 20 };
        assert_eq!([8, 16, 32].map(|batch| load.images_of_a_slice(batch, 2)), [None, None, Some(16)]);
    }
}
