//! The images that were read so far, from one file of a set or several.

use std::path::Path;

use super::layout::CifarLayout;
use crate::data::{DataError, IMAGE_LEN, Split};
use crate::text;

/// Images with the labels that a set has.
pub(super) struct Records {
    pub(super) layout: &'static CifarLayout,
    pub(super) pixels: Vec<u8>,
    labels: Vec<u16>,
    coarse: Vec<u8>,
}

impl Records {
    pub(super) fn new(layout: &'static CifarLayout) -> Self {
        Self { layout, pixels: Vec::new(), labels: Vec::new(), coarse: Vec::new() }
    }

    pub(super) fn finish(self) -> Result<Split, DataError> {
        let coarse = self.layout.coarse.map(|_| self.coarse);
        Split::new(self.pixels, self.labels, coarse, self.layout.classes())
    }

    /// Makes room for the pixels of `images` more.
    pub(super) fn reserve(&mut self, path: &Path, images: u64) -> Result<(), DataError> {
        let refused = || DataError::OutOfMemory { what: text::path(path).to_string(), images };
        let bytes = usize::try_from(images).ok().and_then(|images| images.checked_mul(IMAGE_LEN));
        self.pixels.try_reserve_exact(bytes.ok_or_else(refused)?).map_err(|_| refused())
    }

    /// Adds the labels of record `index` of a file: the fine label, and the coarse one if the set has any.
    pub(super) fn push_labels(&mut self, path: &Path, index: u64, fine: i64, coarse: i64) -> Result<(), DataError> {
        let checked = |kind, label: i64, limit: usize| {
            let found = u16::try_from(label).ok().filter(|&label| usize::from(label) < limit);
            found.ok_or_else(|| DataError::LabelInFile { path: path.to_owned(), record: index, kind, label, limit })
        };
        if let Some(superclasses) = self.layout.coarse {
            self.coarse.push(checked("coarse label", coarse, superclasses)? as u8);
        }
        let kind = if self.layout.coarse.is_some() { "fine label" } else { "label" };
        self.labels.push(checked(kind, fine, self.layout.classes())?);
        Ok(())
    }

    /// Adds the images of `others`, one after the other.
    pub(super) fn append(&mut self, path: &Path, others: Vec<Self>) -> Result<(), DataError> {
        let images = others.iter().map(|other| other.labels.len() as u64).sum();
        self.reserve(path, images)?;
        for mut other in others {
            self.pixels.append(&mut other.pixels);
            self.labels.append(&mut other.labels);
            self.coarse.append(&mut other.coarse);
        }
        Ok(())
    }
}
