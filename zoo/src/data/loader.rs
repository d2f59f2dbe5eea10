//! Batches, prepared on other threads, in order.
//!
//! Since an image depends on its index and the epoch alone, the batches are the same bit for bit for every number of
//! workers.

mod ahead;
mod batch;
mod portion;

use std::borrow::Cow;
use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::rng::{KeyedRng, Purpose};
use super::transform::{Change, Planes, check_channels, crop, jitter};
use super::{Augmentation, CHANNELS, DataError, Gaussian, ImageFolder, Normalization, Split};
use crate::image::{Channels, Image, Preprocessing};

pub(crate) use ahead::start_thread;
pub use ahead::{Epoch, on_thread_start};
pub use batch::Batch;
pub use portion::Portion;

/// Settings of a [`Loader`]: order, augmentation, preprocessing and threads.
#[derive(Clone, Debug, PartialEq)]
pub struct LoaderConfig {
    /// Images in a batch, at least 1. The last batch of an epoch holds what is left.
    pub batch_size: usize,
    /// Seed of the order of the images, which is another one in each epoch; `None` for the file order.
    pub shuffle: Option<u64>,
    /// Random changes of the images and the seed of their draws. `None` for evaluation.
    pub augmentation: Option<(Augmentation, u64)>,
    /// A filter over the image at the size of the input, before it is changed and normalized.
    pub filter: Option<Gaussian>,
    /// Conversion of an image to the input of a network.
    pub preprocessing: Preprocessing,
    /// Threads that prepare batches. 0 prepares each batch on the calling thread when it is asked for.
    pub workers: usize,
    /// Batches that are ready or being made ahead of the reader, at most, at least 1. It also limits the workers.
    pub in_flight: usize,
}

impl LoaderConfig {
    /// Settings for training: shuffled, augmented, one worker, three batches in flight. A [`Normalization`] stands for
    /// the preprocessing of 32x32 images, [`Preprocessing::small`].
    #[must_use]
    pub fn training(
        batch_size: usize,
        seed: u64,
        preprocessing: impl Into<Preprocessing>,
        augmentation: Augmentation,
    ) -> Self {
        Self {
            shuffle: Some(seed),
            augmentation: Some((augmentation, seed)),
            ..Self::evaluation(batch_size, preprocessing)
        }
    }

    /// Settings for evaluation: file order, no augmentation, one worker, three batches in flight.
    #[must_use]
    pub fn evaluation(batch_size: usize, preprocessing: impl Into<Preprocessing>) -> Self {
        let preprocessing = preprocessing.into();
        Self { batch_size, shuffle: None, augmentation: None, filter: None, preprocessing, workers: 1, in_flight: 3 }
    }
}

/// A source of images for a [`Loader`]: memory ([`Split`]) or files ([`ImageFolder`]).
pub trait Images: Send + Sync + 'static {
    /// Error of an image that cannot be read.
    type Error: Send;
    /// Set if an image takes so long that the images of a batch are shared out to the threads of the pool.
    const SLOW: bool;
    /// Number of images in the source.
    fn count(&self) -> usize;
    /// Class label of image `index`.
    fn label(&self, index: usize) -> usize;
    /// Number of channels; 3 unless overridden.
    fn channels(&self) -> usize {
        CHANNELS
    }
    /// Checks that the images can be brought to the size of the input; accepts them unless overridden.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] if they cannot.
    fn check(&self, preprocessing: &Preprocessing) -> Result<(), DataError> {
        let _ = preprocessing;
        Ok(())
    }
    /// The bytes of an image at the size of the input, by planes: red, green, blue, or as many as there are channels.
    fn fitted(&self, index: usize, preprocessing: &Preprocessing) -> Result<Cow<'_, [u8]>, Self::Error>;
    /// As [`fitted`](Self::fitted), of the part of the image, by rows and columns, that `part` gives for its height and
    /// width, resized to the input. Images with another number of channels than 3 are not asked for parts.
    fn part(&self, index: usize, preprocessing: &Preprocessing, part: PartOf<'_>) -> Result<Vec<u8>, Self::Error>;
}

/// The rows and columns of a part, for the height and width of an image.
pub type PartOf<'a> = &'a dyn Fn((usize, usize)) -> [Range<usize>; 2];

impl Images for Split {
    type Error = Infallible;
    const SLOW: bool = false;

    fn count(&self) -> usize {
        self.len()
    }
    fn label(&self, index: usize) -> usize {
        self.label(index)
    }
    fn channels(&self) -> usize {
        self.shape()[0]
    }
    /// Only color images are resized.
    fn check(&self, preprocessing: &Preprocessing) -> Result<(), DataError> {
        let [channels, height, width] = self.shape();
        check_channels(channels)?;
        if channels == CHANNELS || preprocessing.keeps((height, width)) {
            return Ok(());
        }
        let expected = "that of the images, which are not in color and not resized";
        let (height, width) = preprocessing.input();
        Err(DataError::setting("size of the input", expected, format!("{height}x{width} for {:?}", self.shape())))
    }
    fn fitted(&self, index: usize, preprocessing: &Preprocessing) -> Result<Cow<'_, [u8]>, Infallible> {
        let (image, [channels, height, width]) = (self.image(index), self.shape());
        if channels != CHANNELS || preprocessing.keeps((height, width)) {
            return Ok(image.into());
        }
        Ok(preprocessing.fitted(&Image::from_planes(width, height, image)).planes().into())
    }
    fn part(&self, index: usize, preprocessing: &Preprocessing, part: PartOf<'_>) -> Result<Vec<u8>, Infallible> {
        let [_, height, width] = self.shape();
        let image = Image::from_planes(width, height, self.image(index));
        Ok(preprocessing.stretched(&image, part((height, width))).planes())
    }
}

impl Images for ImageFolder {
    type Error = DataError;
    const SLOW: bool = true;

    fn count(&self) -> usize {
        self.len()
    }
    fn label(&self, index: usize) -> usize {
        self.file(index).1
    }
    fn fitted(&self, index: usize, preprocessing: &Preprocessing) -> Result<Cow<'_, [u8]>, DataError> {
        Ok(preprocessing.fitted(&self.open_image(index)?).planes().into())
    }
    fn part(&self, index: usize, preprocessing: &Preprocessing, part: PartOf<'_>) -> Result<Vec<u8>, DataError> {
        let image = self.open_image(index)?;
        Ok(preprocessing.stretched(&image, part((image.height(), image.width()))).planes())
    }
}

/// Makes the batches of any epoch of some images.
#[derive(Debug)]
pub struct Loader<S = Split> {
    images: Arc<S>,
    config: LoaderConfig,
    tables: Arc<[[f32; 256]; CHANNELS]>,
}

impl<S> Clone for Loader<S> {
    fn clone(&self) -> Self {
        Self { images: Arc::clone(&self.images), config: self.config.clone(), tables: Arc::clone(&self.tables) }
    }
}

impl<S: Images> Loader<S> {
    /// Makes a loader of `images`, after checking the settings.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] if `batch_size` or `in_flight` is 0, a standard deviation is not a positive number, a
    /// setting of the augmentation or of the filter is outside its range, or the images have more than 3 channels or,
    /// with fewer, another size than the input.
    pub fn new(images: Arc<S>, config: LoaderConfig) -> Result<Self, DataError> {
        for (name, value) in [("batch size", config.batch_size), ("batches in flight", config.in_flight)] {
            if value == 0 {
                return Err(DataError::setting(name, "at least 1", value));
            }
        }
        let preprocessing = &config.preprocessing;
        images.check(preprocessing)?;
        Normalization { mean: preprocessing.mean(), std: preprocessing.std() }.check()?;
        if let Some((augmentation, _)) = &config.augmentation {
            augmentation.check(preprocessing.input(), images.channels())?;
        }
        config.filter.as_ref().map_or(Ok(()), Gaussian::check)?;
        let tables = Arc::new(preprocessing.tables());
        Ok(Self { images, config, tables })
    }

    /// Number of batches in an epoch.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.images.count().div_ceil(self.config.batch_size)
    }

    fn maker(&self, epoch: u64) -> Maker<S> {
        let order: Arc<[usize]> = self.indices(epoch).into();
        let size = self.config.batch_size;
        let batches = (0..order.len()).step_by(size).map(|start| start..start.saturating_add(size).min(order.len()));
        Maker { loader: self.clone(), batches: batches.collect(), order, epoch }
    }

    /// The maker of a portion of the batches of an epoch from `first` on.
    fn maker_of(&self, epoch: u64, first: usize, portion: &Portion) -> Maker<S> {
        let all = self.maker(epoch);
        let own = all.batches.iter().enumerate().skip(first).filter_map(|(number, batch)| {
            let images = portion.images(number, batch.len())?;
            Some(batch.start + images.start..batch.start + images.end)
        });
        Maker { batches: own.collect(), ..all }
    }

    /// The indices of all images, in the order of an epoch.
    fn indices(&self, epoch: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.images.count()).collect();
        if let Some(seed) = self.config.shuffle {
            KeyedRng::new(Purpose::EpochOrder, seed, epoch, 0).shuffle(&mut order);
        }
        order
    }

    fn unaugmented_order(&self, epoch: u64) -> Option<Vec<Vec<usize>>> {
        let is_same = self.config.augmentation.is_none_or(|(augmentation, _)| augmentation == Augmentation::NONE);
        is_same.then(|| self.indices(epoch).chunks(self.config.batch_size).map(<[usize]>::to_vec).collect())
    }

    /// The batches of a maker from `first` on, made ahead of the reader.
    fn ahead<T: Send + 'static>(
        &self,
        maker: Maker<S>,
        first: usize,
        make: impl Fn(&Maker<S>, usize) -> T + Clone + Send + 'static,
    ) -> Epoch<T> {
        let left = maker.batches.len().saturating_sub(first);
        Epoch::new(move |index| make(&maker, first + index), left, (self.config.workers, self.config.in_flight))
    }
}

impl Loader {
    /// All batches of epoch `epoch`, each image once. Epochs are independent: one can be repeated, or started at, to
    /// resume a training. The threads live until the iterator is dropped, and dropping it early waits for a batch in
    /// the making at most.
    ///
    /// If the system refuses a thread, the batches are prepared on the calling thread; they are the same.
    #[must_use]
    pub fn epoch(&self, epoch: u64) -> Epoch {
        self.epoch_with(epoch, 0, |_| ())
    }

    /// The batches of an epoch from `first` on. `begin` is called with the index of each batch when its making begins;
    /// the tests count with it.
    fn epoch_with(&self, epoch: u64, first: usize, begin: impl Fn(usize) + Clone + Send + 'static) -> Epoch {
        self.ahead(self.maker(epoch), first, move |maker, index| {
            begin(index);
            let Ok(batch) = maker.make(index);
            batch
        })
    }
}

impl Loader<ImageFolder> {
    /// As [`Loader::epoch`] of images in memory. A batch with a file that is no image is an error that names the first
    /// such file; after it comes the next batch.
    #[must_use]
    pub fn epoch(&self, epoch: u64) -> Epoch<Result<Batch, DataError>> {
        self.epoch_at(epoch, 0)
    }

    fn epoch_at(&self, epoch: u64, first: usize) -> Epoch<Result<Batch, DataError>> {
        self.ahead(self.maker(epoch), first, Maker::make)
    }
}

/// The batches of an epoch, each of which may have an image that cannot be read.
type BoxedEpoch = Box<dyn Iterator<Item = Result<Batch, DataError>>>;

/// Batches as training and evaluation read them, from memory or from files.
pub trait Batches: Send + Sync {
    /// Number of batches in an epoch.
    fn batches(&self) -> usize;
    /// The batches of an epoch from batch `first` on, each image once: from 0 all of them; from another one those that
    /// are left of an epoch that was interrupted.
    fn epoch_from(&self, epoch: u64, first: usize) -> BoxedEpoch;

    /// For each batch that [`epoch_from`](Self::epoch_from) gives from 0 on, the indices of its images: in every epoch
    /// the same `0..n` in some order. `None` unless the image and the label of an index are the same in every epoch,
    /// for [`fit`](crate::train::fit) may then ask for them once only. Those that are augmented are not.
    fn order(&self, epoch: u64) -> Option<Vec<Vec<usize>>> {
        let _ = epoch;
        None
    }

    /// As [`epoch_from`](Self::epoch_from), the part that one of several processes makes. It need not read the images
    /// of the others; unless overridden it does.
    fn portion_from(&self, epoch: u64, first: usize, portion: &Portion) -> BoxedEpoch {
        let (all, portion) = (self.epoch_from(epoch, first), portion.clone());
        Box::new(all.enumerate().filter_map(move |(index, batch)| match batch {
            Ok(batch) => portion.of_batch(first + index, batch).map(Ok),
            Err(error) => Some(Err(error)),
        }))
    }

    /// All batches of an epoch, each image once.
    fn epoch(&self, epoch: u64) -> BoxedEpoch {
        self.epoch_from(epoch, 0)
    }
}

impl Batches for Loader {
    fn batches(&self) -> usize {
        self.batches()
    }
    fn epoch_from(&self, epoch: u64, first: usize) -> BoxedEpoch {
        Box::new(self.epoch_with(epoch, first, |_| ()).map(Ok))
    }
    fn order(&self, epoch: u64) -> Option<Vec<Vec<usize>>> {
        self.unaugmented_order(epoch)
    }
    fn portion_from(&self, epoch: u64, first: usize, portion: &Portion) -> BoxedEpoch {
        let maker = self.maker_of(epoch, first, portion);
        Box::new(self.ahead(maker, 0, |maker, index| {
            let Ok(batch) = maker.make(index);
            Ok(batch)
        }))
    }
}

impl Batches for Loader<ImageFolder> {
    fn batches(&self) -> usize {
        self.batches()
    }
    fn epoch_from(&self, epoch: u64, first: usize) -> BoxedEpoch {
        Box::new(self.epoch_at(epoch, first))
    }
    fn order(&self, epoch: u64) -> Option<Vec<Vec<usize>>> {
        self.unaugmented_order(epoch)
    }
    fn portion_from(&self, epoch: u64, first: usize, portion: &Portion) -> BoxedEpoch {
        Box::new(self.ahead(self.maker_of(epoch, first, portion), 0, Maker::make))
    }
}

impl<B: Batches + ?Sized> Batches for Box<B> {
    fn batches(&self) -> usize {
        (**self).batches()
    }
    fn epoch_from(&self, epoch: u64, first: usize) -> BoxedEpoch {
        (**self).epoch_from(epoch, first)
    }
    fn order(&self, epoch: u64) -> Option<Vec<Vec<usize>>> {
        (**self).order(epoch)
    }
    fn portion_from(&self, epoch: u64, first: usize, portion: &Portion) -> BoxedEpoch {
        (**self).portion_from(epoch, first, portion)
    }
}

/// Makes any batch of one epoch.
struct Maker<S> {
    loader: Loader<S>,
    order: Arc<[usize]>,
    /// The places of each batch in the order.
    batches: Arc<[Range<usize>]>,
    epoch: u64,
}

impl<S> Clone for Maker<S> {
    fn clone(&self) -> Self {
        let (order, batches) = (Arc::clone(&self.order), Arc::clone(&self.batches));
        Self { loader: self.loader.clone(), order, batches, epoch: self.epoch }
    }
}

impl<S: Images> Maker<S> {
    fn make(&self, batch: usize) -> Result<Batch, S::Error> {
        let Loader { images: source, config, tables } = &self.loader;
        let indices = &self.order[self.batches[batch].clone()];
        let (size, planes) = (config.preprocessing.input(), source.channels());
        let len = planes * size.0 * size.1;
        let mut images = vec![0.0; indices.len() * len];
        let one = |(&index, out): (&usize, &mut [f32])| {
            let (augmentation, seed) = config.augmentation.unwrap_or_default();
            let key = (seed, self.epoch, index);
            let mut bytes = match augmentation.part {
                Some(least) => {
                    let part = |size| crop::part(size, least, key);
                    source.part(index, &config.preprocessing, &part)?.into()
                }
                None => source.fitted(index, &config.preprocessing)?,
            };
            if let Some(strength) = augmentation.jitter {
                jitter::apply(bytes.to_mut(), strength, key);
            }
            let change = match &config.augmentation {
                Some((augmentation, seed)) => augmentation.draw(*seed, self.epoch, index, size),
                None => Change::NONE,
            };
            let channels = if planes == CHANNELS { config.preprocessing.channels() } else { Channels::Rgb };
            if let Some(filter) = &config.filter {
                let (divisor, mean, std) =
                    (config.preprocessing.divisor(), config.preprocessing.mean(), config.preprocessing.std());
                let normalize = |channel: usize, value: f32| (value / divisor - mean[channel]) / std[channel];
                change.apply(Planes { pixels: &filter.apply(&bytes, size), size, channels }, normalize, out);
            } else {
                let look_up = |channel: usize, byte: u8| tables[channel][usize::from(byte)];
                change.apply(Planes { pixels: &bytes, size, channels }, look_up, out);
            }
            Ok(())
        };
        if S::SLOW {
            let made: Vec<_> = indices.par_iter().zip(images.par_chunks_exact_mut(len)).map(one).collect();
            // The error of the first image in order, whichever thread failed first.
            made.into_iter().collect::<Result<(), _>>()?;
        } else {
            indices.iter().zip(images.chunks_exact_mut(len)).try_for_each(one)?;
        }
        Ok(Batch { images, labels: indices.iter().map(|&index| source.label(index)).collect() })
    }
}

#[cfg(test)]
mod tests;
