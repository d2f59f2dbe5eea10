//! Mean and standard deviation of image files.

use rayon::prelude::*;

use super::ImageFolder;
use super::place::ImageFile;
use crate::data::transform::Sums;
use crate::data::{CHANNELS, DataError, Normalization};

/// Image files that are decoded at a time.
const FILES: usize = 256;

impl ImageFolder {
    /// Mean and standard deviation as [`Normalization::measured`] gives them, over all pixels of all files at the sizes
    /// that they have. Every file is decoded.
    ///
    /// # Errors
    ///
    /// As for [`Normalization::measured`], and [`DataError::Image`] of the first file that cannot be decoded.
    pub fn normalization(&self) -> Result<Normalization, DataError> {
        if self.is_empty() {
            return Err(DataError::NoImages { what: "measuring the normalization" });
        }
        let mut total = Sums::default();
        // Some at a time, so that the error is that of the first file in order.
        for files in self.files.chunks(FILES) {
            let of_file = |(file, _): &(ImageFile, u16)| Ok(Sums::of_pixels(file.open()?.pixels()));
            for sums in files.par_iter().map(of_file).collect::<Vec<Result<Sums, DataError>>>() {
                total.add(&sums?);
            }
        }
        Normalization::of_sums(&total, CHANNELS)
    }
}
