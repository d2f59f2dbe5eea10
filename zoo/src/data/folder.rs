//! Folders of image files: `DIR/class/image.jpg`.

mod list;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{Batch, DataError, Dataset, IMAGE_LEN, Normalization, SIDE, Split};
use crate::image::{Image, Preprocessing};

/// The images of a folder with a folder for each class. Only names are in memory; files are decoded when they are asked for.
///
/// A class folder holds PNG, JPEG and WebP files, by the extensions `.png`, `.jpg`, `.jpeg` and `.webp` in either case, and
/// nothing else; what begins with a dot is ignored everywhere. Classes are in the order of their names and so are the files
/// of a class, byte by byte, so that labels and order are the same on every machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFolder {
    path: PathBuf,
    classes: Vec<String>,
    files: Vec<(PathBuf, u16)>,
}

/// What a folder holds for training and for measuring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderParts {
    /// Class folders, not divided.
    Whole(ImageFolder),
    /// Class folders in `train`, and those of the same names in `test` or else `val`.
    Divided {
        /// Images to learn from.
        train: ImageFolder,
        /// Images to measure with.
        test: ImageFolder,
    },
    /// `train` alone.
    Train(ImageFolder),
    /// `test` or `val` alone.
    Test(ImageFolder),
}

impl FolderParts {
    /// Reads the names in `dir`: class folders, or `train`, `test` and `val` with class folders in them. The latter are
    /// recognised by there being no other folder, so a class may be called `train`. If there are `test` and `val`, it is
    /// `test`.
    ///
    /// # Errors
    ///
    /// As [`ImageFolder::open`]; [`DataError::Classes`] if the classes of the parts differ.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, DataError> {
        let dir = dir.as_ref();
        let part = |name: &str| ImageFolder::open(dir.join(name));
        let Some(parts) = list::parts(dir)? else { return Ok(Self::Whole(ImageFolder::open(dir)?)) };
        let test = ["test", "val"].into_iter().find(|name| parts.iter().any(|part| part == name));
        let train = parts.iter().any(|part| part == "train");
        match (train, test) {
            (true, None) => Ok(Self::Train(part("train")?)),
            (false, Some(test)) => Ok(Self::Test(part(test)?)),
            (true, Some(test)) => {
                let (train, test) = (part("train")?, part(test)?);
                test.same_classes(&train)?;
                Ok(Self::Divided { train, test })
            }
            (false, None) => Ok(Self::Whole(ImageFolder::open(dir)?)),
        }
    }

    /// The images to measure with: the whole, or `train` if there is nothing else.
    #[must_use]
    pub fn to_evaluate(self) -> ImageFolder {
        match self {
            Self::Whole(folder) | Self::Train(folder) | Self::Test(folder) => folder,
            Self::Divided { test, .. } => test,
        }
    }
}

impl ImageFolder {
    /// Reads the names of the files in the class folders of `dir`. The files themselves are not opened.
    ///
    /// # Errors
    ///
    /// [`DataError`] if `dir` is no folder or has no class folder, a class folder is empty or holds anything but images (a
    /// file of another kind, a folder), an image lies beside the class folders, or there are more than 65,536 classes or
    /// more than ten million images.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, DataError> {
        list::read(dir.as_ref())
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of the classes, in label order.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Number of images, at least 1.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The files with their labels, in order.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&Path, usize)> {
        self.files.iter().map(|(path, label)| (path.as_path(), usize::from(*label)))
    }

    /// The first `count` images, of all classes in turn: their first ones, then their second ones. Labels stay.
    #[must_use]
    pub fn limit(mut self, count: usize) -> Self {
        let mut seen = vec![0_usize; self.classes.len()];
        let turn = |(path, label): (PathBuf, u16)| {
            let seen = &mut seen[usize::from(label)];
            *seen += 1;
            (*seen, label, path)
        };
        let mut turns: Vec<_> = self.files.into_iter().map(turn).collect();
        turns.sort();
        turns.truncate(count.max(1));
        turns.sort_by_key(|(turn, label, _)| (*label, *turn));
        self.files = turns.into_iter().map(|(_, label, path)| (path, label)).collect();
        self
    }

    /// With the labels of a network whose classes are called `names`: a folder `n01440764` or `tench` gets ImageNet's label
    /// 0 by [`imagenet_ids`](crate::labels::imagenet_ids) or [`of`](crate::labels::of). The folder may lack classes.
    ///
    /// # Errors
    ///
    /// [`DataError::Classes`] if a folder has a name that is not among `names`.
    pub fn with_labels_of(mut self, names: &[&str]) -> Result<Self, DataError> {
        let place = |class: &String| names.iter().position(|name| name == class).and_then(|at| u16::try_from(at).ok());
        let labels: Vec<Option<u16>> = self.classes.iter().map(place).collect();
        let unknown = self.classes.iter().zip(&labels).filter(|(_, label)| label.is_none());
        let unexpected: Vec<String> = unknown.map(|(class, _)| class.clone()).collect();
        if !unexpected.is_empty() {
            return Err(classes(&self.path, Vec::new(), unexpected));
        }
        for (_, label) in &mut self.files {
            if let Some(new) = labels[usize::from(*label)] {
                *label = new;
            }
        }
        self.classes = names.iter().map(ToString::to_string).collect();
        // Stable, so the files of a class keep their order.
        self.files.sort_by_key(|(_, label)| *label);
        Ok(self)
    }

    fn same_classes(&self, other: &Self) -> Result<(), DataError> {
        let lacks = |a: &Self, b: &Self| -> Vec<String> {
            a.classes.iter().filter(|class| b.classes.binary_search(class).is_err()).cloned().collect()
        };
        let (missing, unexpected) = (lacks(other, self), lacks(self, other));
        if missing.is_empty() && unexpected.is_empty() { Ok(()) } else { Err(classes(&self.path, missing, unexpected)) }
    }

    /// Batches of `batch_size` images for a network, in order; the last one holds what is left. The images of a batch are
    /// decoded when it is asked for, shared out to the threads of the pool, so at most one image a thread is in memory beside
    /// the batch. The result does not depend on the threads.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] if `batch_size` is 0.
    pub fn batches(&self, preprocessing: Preprocessing, batch_size: usize) -> Result<FolderBatches<'_>, DataError> {
        if batch_size == 0 {
            return Err(DataError::setting("batch size", "at least 1", batch_size));
        }
        Ok(FolderBatches { files: &self.files, preprocessing, batch_size })
    }

    /// All images at 32x32, in memory: a bilinear resize of the shorter side and the centre, as
    /// [`Preprocessing::small`] does. 32x32 images stay as they are.
    ///
    /// # Errors
    ///
    /// [`DataError::Image`] of the first file that cannot be decoded, [`DataError::OutOfMemory`].
    pub fn split(&self) -> Result<Split, DataError> {
        let refused =
            || DataError::OutOfMemory { what: self.path.display().to_string(), images: self.files.len() as u64 };
        let fit = Preprocessing::small(Normalization::NONE);
        let mut pixels = Vec::new();
        let bytes = self.files.len().checked_mul(IMAGE_LEN).ok_or_else(refused)?;
        pixels.try_reserve_exact(bytes).map_err(|_| refused())?;
        pixels.resize(bytes, 0_u8);
        let decoded = self.files.par_iter().zip(pixels.par_chunks_exact_mut(IMAGE_LEN)).map(|((path, _), out)| {
            let image = fit.fitted(&Image::open(path)?);
            for (channel, plane) in out.chunks_exact_mut(SIDE * SIDE).enumerate() {
                for (value, pixel) in plane.iter_mut().zip(image.pixels().chunks_exact(3)) {
                    *value = pixel[channel];
                }
            }
            Ok(())
        });
        first_error(decoded.collect())?;
        let labels = self.files.iter().map(|(_, label)| *label).collect();
        Split::new(pixels, labels, None, self.classes.len())
    }
}

impl Dataset {
    /// Reads a folder of images at 32x32, see [`FolderParts::open`] and [`ImageFolder::split`]. A folder that is not divided
    /// is, by [`Split::split_validation`] with `held_out`, and gets a line in [`warnings`](Self::warnings).
    ///
    /// # Errors
    ///
    /// As those two; [`DataError::MissingFolder`] if there is `test` and no `train`; [`DataError::Setting`] if the folder is
    /// to be divided and `held_out` is not between 0 and 1.
    pub fn open_folder(dir: impl AsRef<Path>, held_out: f64) -> Result<Self, DataError> {
        let dir = dir.as_ref();
        let (names, train, test, warnings) = match FolderParts::open(dir)? {
            FolderParts::Divided { train, test } => (train.classes.clone(), train.split()?, test.split()?, Vec::new()),
            FolderParts::Whole(folder) | FolderParts::Train(folder) => {
                let (train, test) = folder.split()?.split_validation(held_out)?;
                let warning = format!(
                    "{}: no folder of test images, so the last {} of {} are held out",
                    dir.display(),
                    test.len(),
                    folder.len()
                );
                (folder.classes, train, test, vec![warning])
            }
            FolderParts::Test(_) => return Err(DataError::MissingFolder { path: dir.join("train") }),
        };
        Ok(Self { name: "folder", classes: names.len(), train, test, warnings, class_names: names })
    }
}

/// The batches of a folder, in order; see [`ImageFolder::batches`]. After an error comes the next batch.
#[derive(Clone, Debug)]
pub struct FolderBatches<'a> {
    files: &'a [(PathBuf, u16)],
    preprocessing: Preprocessing,
    batch_size: usize,
}

impl Iterator for FolderBatches<'_> {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.files.is_empty() {
            return None;
        }
        let (files, rest) = self.files.split_at(self.batch_size.min(self.files.len()));
        self.files = rest;
        let mut images = vec![0.0; files.len() * self.preprocessing.len()];
        let decoded =
            files.par_iter().zip(images.par_chunks_exact_mut(self.preprocessing.len())).map(|((path, _), out)| {
                self.preprocessing.apply_into(&Image::open(path)?, out);
                Ok(())
            });
        let labels = files.iter().map(|(_, label)| usize::from(*label)).collect();
        Some(first_error(decoded.collect()).map(|()| Batch { images, labels }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.files.len().div_ceil(self.batch_size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for FolderBatches<'_> {}
impl std::iter::FusedIterator for FolderBatches<'_> {}

/// Of the first file, whatever thread was the first.
fn first_error(results: Vec<Result<(), DataError>>) -> Result<(), DataError> {
    results.into_iter().collect()
}

fn classes(path: &Path, missing: Vec<String>, unexpected: Vec<String>) -> DataError {
    let [missing, unexpected] = [missing, unexpected].map(super::error::shortened);
    DataError::Classes { path: path.to_owned(), missing, unexpected }
}

#[cfg(test)]
mod tests;
