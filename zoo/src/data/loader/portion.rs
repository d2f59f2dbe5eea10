//! The part of an epoch that one of several processes makes.

use std::ops::Range;

use pvlu::shard::images_of;

use super::Batch;

/// The part of the batches of an epoch that a process makes, of several that train or evaluate together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Portion {
    /// All batches, each with the images of some shards of it.
    Shards {
        /// Shards that a batch is cut into.
        all: usize,
        /// Those of the process.
        own: Range<usize>,
    },
    /// Whole batches: every so many, from one of the first on.
    Batches {
        /// Number of processes in all.
        every: usize,
        /// Number of this process.
        from: usize,
    },
}

impl Portion {
    /// The places of its images in a batch of this number and size; `None` of a batch that is another process's.
    pub fn images(&self, number: usize, size: usize) -> Option<Range<usize>> {
        match self {
            Portion::Shards { all, own } => Some(images_of(own, size, *all)),
            Portion::Batches { every, from } => (number % (*every).max(1) == *from).then_some(0..size),
        }
    }

    /// Its part of a batch of this number.
    pub fn of_batch(&self, number: usize, batch: Batch) -> Option<Batch> {
        let size = batch.len();
        let range = self.images(number, size)?;
        if range.len() == size {
            return Some(batch);
        }
        let len = batch.images.len() / size.max(1);
        let images = batch.images.get(range.start * len..range.end * len)?.to_vec();
        Some(Batch { images, labels: batch.labels.get(range)?.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portions_of_all_processes_are_the_batches() {
        let batch =
            |size: usize| Batch { images: (0..2 * size).map(|i| i as f32).collect(), labels: (0..size).collect() };
        for size in [0, 1, 5, 8] {
            let parts = (0..3).map(|rank| Portion::Shards { all: 6, own: 2 * rank..2 * rank + 2 });
            let parts: Vec<Batch> = parts.map(|portion| portion.of_batch(4, batch(size)).unwrap()).collect();
            assert_eq!(parts.iter().flat_map(|part| part.labels.clone()).collect::<Vec<_>>(), batch(size).labels);
            assert_eq!(parts.iter().flat_map(|part| part.images.clone()).collect::<Vec<_>>(), batch(size).images);
        }
        for number in 0..7 {
            let whose: Vec<usize> = (0..3)
                .filter(|&from| Portion::Batches { every: 3, from }.of_batch(number, batch(2)) == Some(batch(2)))
                .collect();
            assert_eq!(whose, [number % 3]);
        }
    }
}
