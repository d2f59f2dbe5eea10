//! Data sets of images, read from files or drawn from a seed, and the batches that a network takes from them.
//!
//! | item | contents |
//! |---|---|
//! | [`Split`], [`Dataset`] | images in memory, one byte a value |
//! | [`SETS`], [`KnownSet`] | the published sets that are read here |
//! | [`Dataset::open_cifar10`], [`Dataset::open_cifar100`] | CIFAR: binary files, pickles, archives, files of NumPy |
//! | [`Dataset::open_mnist`], [`Dataset::open_fashion_mnist`] | MNIST and Fashion-MNIST: gray images of 28x28 |
//! | [`ImageFolder`], [`Dataset::open_folder`] | image files in class folders, tar archives or Parquet files |
//! | [`Recognized::all`] | whatever of these a path holds |
//! | [`Dataset::procedural`] | a built-in set, drawn from a seed, for when there is nothing to download |
//! | [`labels`] | official class names |
//! | [`Normalization`], [`Augmentation`] | bytes to `f32`, flips, shifts and cutout |
//! | [`Gaussian`] | blurred images |
//! | [`Loader`] | batches from memory or from files, prepared ahead on other threads |
//!
//! **Determinism.** Every random number here is drawn from a generator keyed by its purpose, the seed, the epoch and
//! the index of the image. The number of threads and the size of a batch change no bit of any image.
//!
//! ```
//! use std::sync::Arc;
//!
//! use pvlu_zoo::data::{Augmentation, Dataset, Loader, LoaderConfig, Normalization};
//!
//! // 50 built-in images of ten classes to train on; `Dataset::open_cifar10(folder)` reads real ones.
//! let set = Dataset::procedural(10, 50, 10, 0)?;
//! let (train, held_out) = set.train.split_validation(0.1)?;
//! assert!(!held_out.is_empty());
//!
//! let normalization = Normalization::measured(&train)?;
//! let augmentation = Augmentation { flip: true, shift: 3, ..Augmentation::NONE };
//! let loader = Loader::new(Arc::new(train), LoaderConfig::training(16, 0, normalization, augmentation))?;
//! let batch = loader.epoch(0).next().expect("an epoch has at least one batch");
//! assert_eq!((batch.len(), batch.images.len()), (16, 16 * 3 * 32 * 32));
//! # Ok::<(), pvlu_zoo::data::DataError>(())
//! ```

mod archive;
mod dataset;
mod error;
mod files;
mod filter;
mod folder;
mod idx;
mod known;
pub mod labels;
mod loader;
mod npz;
mod numpy;
mod parquet;
mod procedural;
mod rng;
mod shards;
mod sizes;
mod source;
mod split;
mod transform;

pub use dataset::Dataset;
pub use error::DataError;
pub use filter::Gaussian;
pub use folder::{FolderParts, ImageFolder};
pub use known::KnownSet;
pub(crate) use loader::start_thread;
pub use loader::{Batch, Batches, Epoch, Images, Loader, LoaderConfig, PartOf, Portion, on_thread_start};
pub(crate) use rng::{KeyedRng, Purpose};
pub use sizes::SIDE;
pub(crate) use sizes::{CHANNELS, IMAGE_LEN, MAX_RECORDS, PLANE, SHAPE};
pub use source::Recognized;
pub use split::Split;
pub use transform::{Augmentation, Normalization};

known::known_sets! {
    cifar: CIFAR10, CIFAR100;
    mnist: MNIST, FASHION_MNIST;
}

impl Dataset {
    /// Readable name of a class: the official one for a [`KnownSet`], `star` or `star, checker` for the procedural set,
    /// the folder's name for a folder. `None` for a class that the set does not have.
    #[must_use]
    pub fn class_name(&self, class: usize) -> Option<String> {
        match (self.name, self.classes) {
            ("folder", _) => self.class_names.get(class).cloned(),
            ("procedural", classes) => procedural::class_name(class, classes),
            (name, classes) => {
                let names = KnownSet::named(name).map(|set| set.class_names).filter(|names| names.len() == classes)?;
                names.get(class).map(ToString::to_string)
            }
        }
    }
}
