//! The images of a command, in memory or as files.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use pvlu_zoo::data::{Batches, DataError, ImageFolder, Loader, LoaderConfig, Normalization, Split};

use super::digest;
use super::error::CliError;

/// Share of an undivided folder's images that is held out of training for testing.
pub const HELD_OUT: f64 = 0.1;

/// Labeled images of a set.
#[derive(Clone, Debug)]
pub enum Images {
    /// Images of one size in memory.
    Memory(Arc<Split>),
    /// Images of any size in files.
    Files(Arc<ImageFolder>),
}

impl Images {
    /// The training and the test images of a set, in color: models take no other, and gray image files are read so too.
    pub fn of_set(train: Split, test: Split) -> Result<[Self; 2], DataError> {
        Ok([train.into_rgb()?, test.into_rgb()?].map(|split| Self::Memory(Arc::new(split))))
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        match self {
            Self::Memory(split) => split.len(),
            Self::Files(folder) => folder.len(),
        }
    }

    /// True if there is no image.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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

    /// A loader that makes batches of the images.
    pub fn loader(&self, config: LoaderConfig) -> Result<Box<dyn Batches>, CliError> {
        Ok(match self {
            Self::Memory(split) => Box::new(Loader::new(Arc::clone(split), config)?),
            Self::Files(folder) => Box::new(Loader::new(Arc::clone(folder), config)?),
        })
    }

    /// Splits into images to train on and held-out ones: of each class the last are held out.
    pub fn split_validation(&self, share: f64) -> Result<[Self; 2], DataError> {
        Ok(match self {
            Self::Memory(split) => {
                let (train, held_out) = split.split_validation(share)?;
                [train, held_out].map(|split| Self::Memory(Arc::new(split)))
            }
            Self::Files(folder) => {
                let (train, held_out) = folder.split_validation(share)?;
                [train, held_out].map(|folder| Self::Files(Arc::new(folder)))
            }
        })
    }

    /// As [`split_validation`](Self::split_validation); of a share of 0 nothing is held out.
    pub fn held_out(&self, share: f64) -> Result<[Self; 2], DataError> {
        if share == 0.0 { Ok([self.clone(), self.clone().limit(0)]) } else { self.split_validation(share) }
    }

    /// Mean and standard deviation of the pixels, by channel.
    pub fn normalization(&self) -> Result<Normalization, DataError> {
        match self {
            Self::Memory(split) => Normalization::measured(split),
            Self::Files(folder) => folder.normalization(),
        }
    }

    /// SHA-256 in hexadecimal over all images of some sets and then all labels, in little-endian order. Of images in
    /// files it is over their names and labels, and over the bytes of the files that they are in.
    pub fn hash(sets: &[&Self]) -> Result<String, CliError> {
        let splits: Option<Vec<&Split>> = sets.iter().map(|set| set.split()).collect();
        if let Some(splits) = splits {
            let labels: Vec<Vec<u8>> =
                splits.iter().map(|of| of.labels().iter().flat_map(|label| label.to_le_bytes()).collect()).collect();
            let images = splits.iter().flat_map(|split| (0..split.len()).map(|index| split.image(index)));
            return Ok(digest::of_parts(images.chain(labels.iter().map(Vec::as_slice))));
        }
        let (mut said, mut files) = (String::new(), BTreeSet::new());
        for set in sets {
            if let Self::Files(folder) = set {
                for (path, label) in folder.files() {
                    let name = path.strip_prefix(folder.path()).unwrap_or(path).to_string_lossy();
                    said.push_str(&format!("{name}\0{label}\n"));
                }
            }
            said.push('\n');
            files.extend(set.files());
        }
        for file in files {
            said.push_str(&digest::of_file(file)?);
        }
        Ok(digest::of_bytes(said))
    }

    fn split(&self) -> Option<&Split> {
        match self {
            Self::Memory(split) => Some(split),
            Self::Files(_) => None,
        }
    }
}
