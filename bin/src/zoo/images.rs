//! The images of a command, in memory or as files.

use std::path::Path;
use std::sync::Arc;

use pvlu_zoo::data::{Batches, ImageFolder, Loader, LoaderConfig, Split};

use super::classes::Order;
use crate::common::error::CliError;

/// Images in memory, or their files.
#[derive(Clone, Debug)]
pub enum Images {
    /// 32x32 images.
    Memory(Arc<Split>),
    /// Files of any size.
    Files(Arc<ImageFolder>),
}

impl Images {
    /// Number of images.
    pub fn len(&self) -> usize {
        match self {
            Self::Memory(split) => split.len(),
            Self::Files(folder) => folder.len(),
        }
    }

    /// Their files, of those that are not in memory.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let folder = match self {
            Self::Memory(_) => None,
            Self::Files(folder) => Some(folder),
        };
        folder.into_iter().flat_map(|folder| folder.files()).map(|(path, _)| path)
    }

    /// The first ones: of a set in its order, of a folder of all classes in turn.
    #[must_use]
    pub fn limit(self, count: usize) -> Self {
        match self {
            Self::Memory(split) if count < split.len() => Self::Memory(Arc::new(split.limit(count))),
            Self::Memory(split) => Self::Memory(split),
            Self::Files(folder) => Self::Files(Arc::new(Arc::unwrap_or_clone(folder).limit(count))),
        }
    }

    /// With the numbers of the classes that a model has for them.
    pub fn labeled(self, order: &Order) -> Result<Self, CliError> {
        if order.is_kept() {
            return Ok(self);
        }
        Ok(match self {
            Self::Memory(split) => {
                let labels = split.labels().iter().map(|&label| order.place(label)).collect();
                Self::Memory(Arc::new(Split::new(split.pixels().to_vec(), labels, None, order.folders().len())?))
            }
            Self::Files(folder) => {
                Self::Files(Arc::new(Arc::unwrap_or_clone(folder).with_labels_of(&order.folders())?))
            }
        })
    }

    /// Makes batches of them.
    pub fn loader(&self, config: LoaderConfig) -> Result<Box<dyn Batches>, CliError> {
        Ok(match self {
            Self::Memory(split) => Box::new(Loader::new(Arc::clone(split), config)?),
            Self::Files(folder) => Box::new(Loader::new(Arc::clone(folder), config)?),
        })
    }
}
