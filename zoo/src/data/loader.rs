//! Batches, prepared on other threads, in order.
//!
//! Worker `w` of `n` prepares the batches `w`, `w + n`, `w + 2n`, ... of an epoch and puts them in a channel of its own; the
//! reader takes from the channels in turn. So the order needs no sorting, and since an image depends on its index and the
//! epoch alone, the batches are the same bit for bit for every number of workers.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use super::rng::{KeyedRng, Purpose};
use super::transform::Change;
use super::{Augmentation, CHANNELS, DataError, IMAGE_LEN, Normalization, Split};

/// How a [`Loader`] makes batches.
#[derive(Clone, Debug, PartialEq)]
pub struct LoaderConfig {
    /// Images in a batch, at least 1. The last batch of an epoch holds what is left.
    pub batch_size: usize,
    /// The seed of the order of the images, another one in each epoch. `None` is the file order.
    pub shuffle: Option<u64>,
    /// Random changes of the images and the seed of their draws. `None` for evaluation.
    pub augmentation: Option<(Augmentation, u64)>,
    /// Bytes to numbers.
    pub normalization: Normalization,
    /// Threads that prepare batches. 0 prepares each batch on the calling thread when it is asked for.
    pub workers: usize,
    /// Batches that are ready or being made ahead of the reader, at most, at least 1. It also limits the workers.
    pub in_flight: usize,
}

impl LoaderConfig {
    /// Shuffled, augmented, one worker, three batches in flight.
    #[must_use]
    pub fn training(batch_size: usize, seed: u64, normalization: Normalization, augmentation: Augmentation) -> Self {
        Self {
            shuffle: Some(seed),
            augmentation: Some((augmentation, seed)),
            ..Self::evaluation(batch_size, normalization)
        }
    }

    /// File order, no augmentation, one worker, three batches in flight.
    #[must_use]
    pub fn evaluation(batch_size: usize, normalization: Normalization) -> Self {
        Self { batch_size, shuffle: None, augmentation: None, normalization, workers: 1, in_flight: 3 }
    }
}

/// Some images, ready for a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// `[n, 3, height, width]`, normalised; 32x32 from a [`Loader`].
    pub images: Vec<f32>,
    /// `n` labels.
    pub labels: Vec<usize>,
}

impl Batch {
    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image; never for a batch of a [`Loader`] or a folder.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// Makes the batches of any epoch of one split.
#[derive(Clone, Debug)]
pub struct Loader {
    split: Arc<Split>,
    config: LoaderConfig,
    table: Arc<[[f32; 256]; CHANNELS]>,
}

impl Loader {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] if `batch_size` or `in_flight` is 0, a standard deviation is not a positive number, or a setting
    /// of the augmentation is outside its range.
    pub fn new(split: Arc<Split>, config: LoaderConfig) -> Result<Self, DataError> {
        for (name, value) in [("batch size", config.batch_size), ("batches in flight", config.in_flight)] {
            if value == 0 {
                return Err(DataError::setting(name, "at least 1", value));
            }
        }
        config.normalization.check()?;
        if let Some((augmentation, _)) = &config.augmentation {
            augmentation.check()?;
        }
        let table = Arc::new(config.normalization.table());
        Ok(Self { split, config, table })
    }

    /// The split the batches are made of.
    #[must_use]
    pub fn split(&self) -> &Split {
        &self.split
    }

    /// Number of batches in an epoch.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.split.len().div_ceil(self.config.batch_size)
    }

    /// All batches of epoch `epoch`, each image once. Epochs are independent: one can be repeated, or started at, to resume a
    /// training. The threads live until the iterator is dropped, and dropping it early waits for a batch in the making at
    /// most.
    ///
    /// If the system refuses a thread, the batches are prepared on the calling thread; they are the same.
    #[must_use]
    pub fn epoch(&self, epoch: u64) -> Epoch {
        self.epoch_with(epoch, |_| ())
    }

    /// `begin` is told the index of each batch that a worker begins; the tests count with it.
    fn epoch_with(&self, epoch: u64, begin: impl Fn(usize) + Clone + Send + 'static) -> Epoch {
        let maker = self.maker(epoch);
        let workers = self.config.workers.min(self.config.in_flight).min(self.batches());
        let spawned: io::Result<Vec<Worker>> =
            (0..workers).map(|first| self.spawn(&maker, first, workers, begin.clone())).collect();
        let source = match spawned {
            Ok(workers) if !workers.is_empty() => Source::Threads(workers),
            _ => Source::Here(maker),
        };
        Epoch { source, next: 0, batches: self.batches() }
    }

    fn maker(&self, epoch: u64) -> Maker {
        let mut order: Vec<usize> = (0..self.split.len()).collect();
        if let Some(seed) = self.config.shuffle {
            KeyedRng::new(Purpose::EpochOrder, seed, epoch, 0).shuffle(&mut order);
        }
        Maker {
            split: Arc::clone(&self.split),
            table: Arc::clone(&self.table),
            order: order.into(),
            batch_size: self.config.batch_size,
            augmentation: self.config.augmentation,
            epoch,
        }
    }

    fn spawn(
        &self,
        maker: &Maker,
        first: usize,
        workers: usize,
        begin: impl Fn(usize) + Send + 'static,
    ) -> io::Result<Worker> {
        let in_flight = self.config.in_flight;
        let share = in_flight / workers + usize::from(first < in_flight % workers);
        // One batch of the share is in the hands of the worker. No channel needs room for more than the epoch.
        let (sender, batches) = sync_channel((share - 1).min(self.batches()));
        let (maker, count) = (maker.clone(), self.batches());
        let thread = thread::Builder::new().name(format!("batches-{first}")).spawn(move || {
            for index in (first..count).step_by(workers) {
                begin(index);
                // The reader is gone: nobody wants the rest.
                if sender.send(maker.make(index)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Worker { batches: Some(batches), thread: Some(thread) })
    }
}

/// Makes any batch of one epoch.
#[derive(Clone)]
struct Maker {
    split: Arc<Split>,
    table: Arc<[[f32; 256]; CHANNELS]>,
    order: Arc<[usize]>,
    batch_size: usize,
    augmentation: Option<(Augmentation, u64)>,
    epoch: u64,
}

impl Maker {
    fn make(&self, batch: usize) -> Batch {
        // Cannot overflow: `batch` is below the number of batches.
        let start = batch * self.batch_size;
        let end = start.saturating_add(self.batch_size).min(self.order.len());
        let indices = &self.order[start..end];
        let mut images = vec![0.0; indices.len() * IMAGE_LEN];
        for (&index, out) in indices.iter().zip(images.chunks_exact_mut(IMAGE_LEN)) {
            let change = match &self.augmentation {
                Some((augmentation, seed)) => augmentation.draw(*seed, self.epoch, index),
                None => Change::NONE,
            };
            change.apply(self.split.image(index), &self.table, out);
        }
        Batch { images, labels: indices.iter().map(|&index| self.split.label(index)).collect() }
    }
}

/// The batches of one epoch, in order. See [`Loader::epoch`].
pub struct Epoch {
    source: Source,
    next: usize,
    batches: usize,
}

enum Source {
    Here(Maker),
    Threads(Vec<Worker>),
}

struct Worker {
    batches: Option<Receiver<Batch>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn receive(&mut self) -> Batch {
        if let Some(Ok(batch)) = self.batches.as_ref().map(Receiver::recv) {
            return batch;
        }
        // A worker leaves before its last batch only by a panic. To end the epoch here would train on a part of the images
        // without a word, so the panic goes on in this thread.
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            _ => unreachable!("a worker sends all its batches"),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // First the receiver, so that a worker that waits to send wakes up and leaves.
        drop(self.batches.take());
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, concerns batches that nobody asked for.
            let _ = thread.join();
        }
    }
}

impl Iterator for Epoch {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if self.next == self.batches {
            return None;
        }
        let index = self.next;
        self.next += 1;
        Some(match &mut self.source {
            Source::Here(maker) => maker.make(index),
            Source::Threads(workers) => {
                let worker = index % workers.len();
                workers[worker].receive()
            }
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.batches - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Epoch {}
impl std::iter::FusedIterator for Epoch {}

#[cfg(test)]
mod tests;
