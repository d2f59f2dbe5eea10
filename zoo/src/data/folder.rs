//! Image files with labels: in class folders (`DIR/class/image.jpg`), or in the files of [`shards`](super::shards).

pub(super) mod kind;
pub(super) mod list;
mod measure;
pub(super) mod place;
mod readable;
pub(super) mod tree;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use self::place::ImageFile;
use self::tree::{Disk, Tree};
use super::{DataError, Dataset, IMAGE_LEN, Normalization, Split, split};
use crate::image::{Image, ImageError, Preprocessing};
use crate::text;

/// Form of class folders on a disk.
pub(super) const FOLDERS: &str = "folder of images";

/// The images of a folder with a folder for each class. Only names are in memory; a file is decoded when its image is
/// used.
///
/// The images of a class are the PNG, JPEG, WebP, BMP and Netpbm files in its folder, by the extensions `.png`,
/// `.apng`, `.jpg`, `.jpeg`, `.jpe`, `.jfif`, `.webp`, `.bmp`, `.dib`, `.ppm`, `.pgm`, `.pbm` and `.pnm` in either
/// case. Images of other formats (`.gif`, `.tif`, ...) are an error, since without them the data set would be another
/// one; files that are no images by their names (`Thumbs.db`, `desktop.ini`, a list) are passed over, with a line in
/// [`warnings`](Self::warnings). What begins with a dot is ignored everywhere, as are folders that systems leave behind
/// (`__MACOSX`). Classes are in the order of their names and so are the files of a class, byte by byte, so that labels
/// and order are the same on every machine.
///
/// [`FolderParts::open`] makes the same of the images in tar archives and in Parquet files. Their paths are that of the
/// file that they are in and their name there: `shard.tar/cat/1.jpg`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFolder {
    pub(super) form: &'static str,
    pub(super) path: PathBuf,
    pub(super) classes: Vec<String>,
    pub(super) files: Vec<(ImageFile, u16)>,
    pub(super) warnings: Vec<String>,
}

/// The training and test images that a folder holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderParts {
    /// Class folders that are not divided into parts.
    Whole(ImageFolder),
    /// Class folders to train on, and those of the same names to test on, or else to validate with.
    Divided {
        /// Images to learn from.
        train: ImageFolder,
        /// Images to measure with.
        test: ImageFolder,
    },
    /// Class folders to train on, without any to test on or to validate with.
    Train(ImageFolder),
    /// Class folders to test on, or else to validate with, without any to train on.
    Test(ImageFolder),
}

impl FolderParts {
    /// Class folders, or parts with class folders in them, in a folder of a tree.
    pub(super) fn of_tree(tree: &dyn Tree, dir: &Path, form: &'static str) -> Result<Self, DataError> {
        let open = |path: PathBuf| ImageFolder::of_tree(tree, path, form);
        let Some(list::Parts { train, test, validation }) = list::parts(tree, dir)? else {
            return Ok(Self::Whole(open(dir.to_owned())?));
        };
        let unused = validation.as_ref().zip(test.as_ref()).map(|(validation, test)| unused(validation, test));
        let train = train.map(open).transpose()?;
        let mut test = test.or(validation).map(open).transpose()?;
        if let Some(test) = &mut test {
            test.warnings.extend(unused);
        }
        match Self::of_parts(train, test)? {
            Some(parts) => Ok(parts),
            // `list::parts` returns parts only if it found one, so this does not occur.
            None => Ok(Self::Whole(open(dir.to_owned())?)),
        }
    }

    /// The parts that there are; `None` if there are none.
    pub(super) fn of_parts(train: Option<ImageFolder>, test: Option<ImageFolder>) -> Result<Option<Self>, DataError> {
        Ok(match (train, test) {
            (Some(train), Some(test)) => {
                test.same_classes(&train)?;
                Some(Self::Divided { train, test })
            }
            (Some(train), None) => Some(Self::Train(train)),
            (None, Some(test)) => Some(Self::Test(test)),
            (None, None) => None,
        })
    }

    /// The images to measure with: the whole, or those to train on if there is nothing else.
    #[must_use]
    pub fn to_evaluate(self) -> ImageFolder {
        match self {
            Self::Whole(folder) | Self::Train(folder) | Self::Test(folder) => folder,
            Self::Divided { test, .. } => test,
        }
    }

    /// Returns the training images, the test images, and the warnings about both and about the division. A folder that
    /// is not divided yet is divided by [`ImageFolder::split_validation`].
    ///
    /// # Errors
    ///
    /// [`DataError::MissingFolder`] if there are none to train on; [`DataError::Setting`] if the folder is to be
    /// divided and `held_out` is not between 0 and 1.
    pub fn to_train(self, held_out: f64) -> Result<(ImageFolder, ImageFolder, Vec<String>), DataError> {
        match self {
            Self::Divided { train, test } => {
                let warnings = [train.warnings(), test.warnings()].concat();
                Ok((train, test, warnings))
            }
            Self::Whole(folder) | Self::Train(folder) => {
                let (train, test) = folder.split_validation(held_out)?;
                let divided = format!(
                    "{}: no folder of test images, so the last {} of {} are held out",
                    text::path(&folder.path),
                    test.len(),
                    folder.len()
                );
                Ok((train, test, [folder.warnings, vec![divided]].concat()))
            }
            Self::Test(folder) => Err(DataError::MissingFolder { path: folder.path.with_file_name("train") }),
        }
    }
}

impl ImageFolder {
    /// Reads the names of the files in the class folders of `dir`. The files themselves are not opened.
    ///
    /// # Errors
    ///
    /// [`DataError`] if `dir` is no folder or has no class folder, a class folder has no image or holds a folder, an
    /// image of a format that is not read here or a link that leads nowhere (all of these are named at once), an image
    /// lies beside the class folders, or there are more than 65,536 classes or more than ten million images.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, DataError> {
        Self::of_tree(&Disk, dir.as_ref().to_owned(), FOLDERS)
    }

    fn of_tree(tree: &dyn Tree, path: PathBuf, form: &'static str) -> Result<Self, DataError> {
        let list::Listing { classes, files, warnings } = list::read(tree, &path)?;
        Ok(Self { form, path, classes, files, warnings })
    }

    /// The form that the images were found in, e.g. `folder of images`.
    #[must_use]
    pub fn form(&self) -> &'static str {
        self.form
    }

    /// Path of the folder, as it was given to [`open`](Self::open).
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Caveats to know before quoting a result, one line each: files that were passed over, a part of the data that is
    /// not used.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Names of the classes, in label order.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Number of images, at least 1 in a folder as it was opened.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Returns `true` if [`limit`](Self::limit) or [`split_validation`](Self::split_validation) left no image.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The files with their labels, in order.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&Path, usize)> {
        self.files.iter().map(|(file, label)| (file.path.as_path(), usize::from(*label)))
    }

    /// File `index` with its label.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len), as indexing a slice does.
    #[must_use]
    pub fn file(&self, index: usize) -> (&Path, usize) {
        let (file, label) = &self.files[index];
        (&file.path, usize::from(*label))
    }

    /// Decodes image `index`; see [`Image::open`].
    ///
    /// # Errors
    ///
    /// Any [`ImageError`].
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len), as indexing a slice does.
    pub fn open_image(&self, index: usize) -> Result<Image, ImageError> {
        self.files[index].0.open()
    }

    /// The bytes of image `index` as they are stored; `None` if they cannot be read.
    #[doc(hidden)]
    #[must_use]
    pub fn stored_bytes(&self, index: usize) -> Option<Vec<u8>> {
        self.files[index].0.bytes().ok()
    }

    /// The number of [`stored_bytes`](Self::stored_bytes); `None` if the file cannot be looked at.
    #[doc(hidden)]
    #[must_use]
    pub fn stored_size(&self, index: usize) -> Option<u64> {
        self.files[index].0.size()
    }

    /// Paths of the files on this machine that the images are in, each once.
    #[doc(hidden)]
    pub fn on_disk(&self) -> impl Iterator<Item = &Path> {
        let mut last = None;
        // The images of a file follow each other.
        self.files.iter().map(|(file, _)| file.on_disk()).filter(move |path| last.replace(*path) != Some(*path))
    }

    /// The first `count` images, of all classes in turn: their first ones, then their second ones. Labels stay.
    #[must_use]
    pub fn limit(mut self, count: usize) -> Self {
        let mut seen = vec![0_usize; self.classes.len()];
        let turn = |(file, label): (ImageFile, u16)| {
            let seen = &mut seen[usize::from(label)];
            *seen += 1;
            (*seen, label, file)
        };
        let mut turns: Vec<_> = self.files.into_iter().map(turn).collect();
        turns.sort();
        turns.truncate(count);
        turns.sort_by_key(|(turn, label, _)| (*label, *turn));
        self.files = turns.into_iter().map(|(_, label, file)| (file, label)).collect();
        self
    }

    /// The same folder with the labels of a network whose classes are called `names`: a folder `n01440764` or `tench`
    /// gets ImageNet's label 0 by [`imagenet_ids`](crate::labels::LabelSet::imagenet_ids) or [`of`](crate::labels::of).
    /// The folder may lack classes.
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
        if self.classes == other.classes {
            return Ok(());
        }
        Err(other_classes(&self.path, &other.classes, &self.classes))
    }

    /// Splits into `(train, held_out)` as [`Split::split_validation`] does: of each class the last files are held out.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] unless `0 < fraction < 1`.
    pub fn split_validation(&self, fraction: f64) -> Result<(Self, Self), DataError> {
        let labels: Vec<u16> = self.files.iter().map(|(_, label)| *label).collect();
        let (kept, held) = split::divide(&labels, self.classes.len(), fraction)?;
        let part = |indices: Vec<usize>| Self {
            form: self.form,
            path: self.path.clone(),
            classes: self.classes.clone(),
            warnings: self.warnings.clone(),
            files: indices.into_iter().map(|index| self.files[index].clone()).collect(),
        };
        Ok((part(kept), part(held)))
    }

    /// All images at 32x32, in memory: a bilinear resize of the shorter side and the center, as
    /// [`Preprocessing::small`] does. 32x32 images stay as they are.
    ///
    /// # Errors
    ///
    /// [`DataError::Image`] of the first file that cannot be decoded, [`DataError::OutOfMemory`].
    pub fn split(&self) -> Result<Split, DataError> {
        let refused =
            || DataError::OutOfMemory { what: text::path(&self.path).to_string(), images: self.files.len() as u64 };
        let fit = Preprocessing::small(Normalization::NONE);
        let mut pixels = Vec::new();
        let bytes = self.files.len().checked_mul(IMAGE_LEN).ok_or_else(refused)?;
        pixels.try_reserve_exact(bytes).map_err(|_| refused())?;
        pixels.resize(bytes, 0_u8);
        let decoded = self.files.par_iter().zip(pixels.par_chunks_exact_mut(IMAGE_LEN)).map(|((file, _), out)| {
            out.copy_from_slice(&fit.fitted(&file.open()?).planes());
            Ok(())
        });
        // The error of the first file in order, whichever thread failed first.
        decoded.collect::<Vec<_>>().into_iter().collect::<Result<(), DataError>>()?;
        let labels = self.files.iter().map(|(_, label)| *label).collect();
        Split::new(pixels, labels, None, self.classes.len())
    }
}

impl Dataset {
    /// Reads a folder of images at 32x32, see [`FolderParts::open`], [`FolderParts::to_train`] and
    /// [`ImageFolder::split`]. That a folder was divided, and what was passed over, are lines in
    /// [`warnings`](Self::warnings).
    ///
    /// # Errors
    ///
    /// As those three.
    pub fn open_folder(dir: impl AsRef<Path>, held_out: f64) -> Result<Self, DataError> {
        let (train, test, warnings) = FolderParts::open(dir)?.to_train(held_out)?;
        let files = train.on_disk().chain(test.on_disk()).map(Path::to_owned).collect();
        let (form, names) = (train.form.to_owned(), train.classes.clone());
        let (train, test) = (train.split()?, test.split()?);
        let (name, classes) = ("folder", names.len());
        Ok(Self { name, form, classes, train, test, warnings, class_names: names, files })
    }
}

/// Returns `true` if a folder of a tree is divided into parts.
pub(super) fn is_divided(tree: &dyn Tree, dir: &Path) -> bool {
    matches!(list::parts(tree, dir), Ok(Some(_)))
}

/// The warning about images to validate with beside others to test on.
pub(super) fn unused(validation: &Path, test: &Path) -> String {
    format!("{}: not used, since {} is what is measured with", text::path(validation), text::path(test))
}

/// The error of classes `found` in place of those that are expected.
pub(super) fn other_classes(path: &Path, expected: &[String], found: &[String]) -> DataError {
    let lacks = |a: &[String], b: &[String]| -> Vec<String> {
        let known: BTreeSet<&String> = b.iter().collect();
        a.iter().filter(|class| !known.contains(class)).cloned().collect()
    };
    classes(path, lacks(expected, found), lacks(found, expected))
}

fn classes(path: &Path, missing: Vec<String>, unexpected: Vec<String>) -> DataError {
    let [missing, unexpected] = [missing, unexpected].map(super::error::shortened);
    DataError::Classes { path: path.to_owned(), missing, unexpected }
}

#[cfg(test)]
mod tests;
