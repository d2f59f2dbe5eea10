//! Images of a folder that cannot be read, found before anything is made of the others.

use std::collections::BTreeSet;
use std::ops::Range;

use rayon::prelude::*;

use super::ImageFolder;
use crate::image::ImageError;

impl ImageFolder {
    /// Decodes these images, and returns the index and the error of each that cannot be read, in order.
    ///
    /// # Panics
    ///
    /// If the range ends beyond [`len`](Self::len), as indexing a slice does.
    #[must_use]
    pub fn unreadable(&self, images: Range<usize>) -> Vec<(usize, ImageError)> {
        let error = |index: usize| self.open_image(index).err().map(|error| (index, error));
        images.into_par_iter().filter_map(error).collect()
    }

    /// The folder without the images of these indices. Its classes stay, also those that then have no image.
    #[must_use]
    pub fn without(mut self, indices: &[usize]) -> Self {
        let left_out: BTreeSet<usize> = indices.iter().copied().collect();
        let mut index = 0..;
        self.files.retain(|_| index.next().is_none_or(|index| !left_out.contains(&index)));
        self
    }
}
