//! The images of a command, in memory or as files.

use std::path::Path;
use std::sync::Arc;

use pvlu_zoo::data::{Batches, ImageFolder, Loader, LoaderConfig, Split};

use super::classes::Order;
use crate::common::error::CliError;

/// Labeled images of a set.
#[derive(Clone, Debug)]
pub enum Images {
    /// Images of one size in memory.
    Memory(Arc<Split>),
    /// Images of any size in files.
    Files(Arc<ImageFolder>),
}

impl Images {
    /// The number of images.
    pub fn len(&self) -> usize {
        match self {
            Self::Memory(split) => split.len(),
            Self::Files(folder) => folder.len(),
        }
    }

    /// Paths of the files that the images are in; none for images in memory.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let folder = match self {
            Self::Memory(_) => None,
            Self::Files(folder) => Some(folder),
        };
        folder.into_iter().flat_map(|folder| folder.on_disk())
    }

    /// The first images: of a set in its order, of a folder from all classes in turn.
    #[must_use]
    pub fn limit(self, count: usize) -> Self {
        match self {
            Self::Memory(split) if count < split.len() => Self::Memory(Arc::new(split.limit(count))),
            Self::Memory(split) => Self::Memory(split),
            Self::Files(folder) => Self::Files(Arc::new(Arc::unwrap_or_clone(folder).limit(count))),
        }
    }

    /// The images with labels that are the numbers of a model's outputs.
    pub fn labeled(self, order: &Order) -> Result<Self, CliError> {
        if order.is_kept() {
            return Ok(self);
        }
        Ok(match self {
            Self::Memory(split) => {
                let labels = split.labels().iter().map(|&label| order.place(label)).collect();
                let (shape, pixels, classes) = (split.shape(), split.pixels().to_vec(), order.folders().len());
                Self::Memory(Arc::new(Split::with_shape(shape, pixels, labels, None, classes)?))
            }
            Self::Files(folder) => {
                Self::Files(Arc::new(Arc::unwrap_or_clone(folder).with_labels_of(&order.folders())?))
            }
        })
    }

    /// A loader that makes batches of the images.
    pub fn loader(&self, config: LoaderConfig) -> Result<Box<dyn Batches>, CliError> {
        Ok(match self {
            Self::Memory(split) => Box::new(Loader::new(Arc::clone(split), config)?),
            Self::Files(folder) => Box::new(Loader::new(Arc::clone(folder), config)?),
        })
    }
}
