//! A set of labeled images in memory.

use super::{DataError, SHAPE};

/// Images of one shape with labels: one byte a value, plane by plane, rows from the top (NCHW). Planes of color images
/// are in the order R, G, B.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    shape: [usize; 3],
    pixels: Vec<u8>,
    labels: Vec<u16>,
    coarse: Option<Vec<u8>>,
    classes: usize,
}

impl Split {
    /// Takes `labels.len()` images of the shape `[3, 32, 32]`: color images of 32 by 32. `coarse` are superclasses,
    /// which no part of this module trains on.
    ///
    /// # Errors
    ///
    /// As for [`with_shape`](Self::with_shape).
    pub fn new(pixels: Vec<u8>, labels: Vec<u16>, coarse: Option<Vec<u8>>, classes: usize) -> Result<Self, DataError> {
        Self::with_shape(SHAPE, pixels, labels, coarse, classes)
    }

    /// As [`new`](Self::new), of images of any number of channels, rows and columns: `[1, 28, 28]` for MNIST, which a
    /// [`Loader`](super::Loader) takes at their own size: `Preprocessing::from(normalization).whole((28, 28))`.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] if the shape has no value or too many, [`DataError::Length`] if a length does not fit the
    /// number of labels, [`DataError::Label`] if a label is not below `classes`.
    pub fn with_shape(
        shape: [usize; 3],
        pixels: Vec<u8>,
        labels: Vec<u16>,
        coarse: Option<Vec<u8>>,
        classes: usize,
    ) -> Result<Self, DataError> {
        let len = shape.into_iter().try_fold(1, usize::checked_mul);
        if len.is_none_or(|len| len == 0) {
            let expected = "at least one channel, row and column, as many as fit into memory";
            return Err(DataError::setting("shape of the images", expected, format!("{shape:?}")));
        }
        let expected = shape.into_iter().fold(labels.len(), usize::saturating_mul);
        if pixels.len() != expected {
            return Err(DataError::Length { what: "bytes of pixels", expected, found: pixels.len() });
        }
        if let Some(coarse) = &coarse
            && coarse.len() != labels.len()
        {
            let (expected, found) = (labels.len(), coarse.len());
            return Err(DataError::Length { what: "number of coarse labels", expected, found });
        }
        if let Some(image) = labels.iter().position(|&label| usize::from(label) >= classes) {
            let label = usize::from(labels[image]);
            return Err(DataError::Label { image, kind: "label", label, limit: classes });
        }
        Ok(Self { shape, pixels, labels, coarse, classes })
    }

    /// The same images in color: of gray ones each of the three channels is the gray one, as of gray image files.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] if images have another number of channels than 1 or 3.
    pub fn into_rgb(self) -> Result<Self, DataError> {
        let [channels, height, width] = self.shape;
        match channels {
            3 => Ok(self),
            1 => {
                let pixels = self.pixels.chunks(height * width).flat_map(|plane| [plane; 3]).flatten().copied();
                let pixels = pixels.collect();
                Ok(Self { shape: [3, height, width], pixels, ..self })
            }
            _ => Err(DataError::setting("channels of the images", "1 or 3", channels.to_string())),
        }
    }

    /// Channels, rows and columns of an image.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Values, hence bytes, of an image.
    #[must_use]
    pub fn image_len(&self) -> usize {
        self.shape.into_iter().product()
    }

    /// Number of images in the split.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns `true` if the split has no image.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Number of classes, whether or not each has an image.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The [`image_len`](Self::image_len) bytes of image `index`.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len), as indexing a slice does.
    #[must_use]
    pub fn image(&self, index: usize) -> &[u8] {
        assert!(index < self.len(), "image {index} of {}", self.len());
        &self.pixels[index * self.image_len()..][..self.image_len()]
    }

    /// The label of image `index`.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len), as indexing a slice does.
    #[must_use]
    pub fn label(&self, index: usize) -> usize {
        usize::from(self.labels[index])
    }

    /// All labels, in the order of the images.
    #[must_use]
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The superclasses, for sets that have them: CIFAR-100 (20) and the procedural set of 100 classes (10 shapes).
    #[must_use]
    pub fn coarse_labels(&self) -> Option<&[u8]> {
        self.coarse.as_deref()
    }

    /// The bytes of all images, one after the other.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// A copy of the images at `indices`, in that order. An index may occur more than once.
    ///
    /// # Errors
    ///
    /// [`DataError::Index`] if an index is not below [`len`](Self::len).
    pub fn subset(&self, indices: &[usize]) -> Result<Self, DataError> {
        if let Some(&index) = indices.iter().find(|&&index| index >= self.len()) {
            return Err(DataError::Index { index, len: self.len() });
        }
        let mut pixels = Vec::with_capacity(indices.len() * self.image_len());
        for &index in indices {
            pixels.extend_from_slice(self.image(index));
        }
        Ok(Self {
            shape: self.shape,
            pixels,
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
            coarse: self.coarse.as_ref().map(|coarse| indices.iter().map(|&index| coarse[index]).collect()),
            classes: self.classes,
        })
    }

    /// A copy of the first `count` images in file order, of all if there are fewer.
    #[must_use]
    pub fn limit(&self, count: usize) -> Self {
        let count = count.min(self.len());
        Self {
            shape: self.shape,
            pixels: self.pixels[..count * self.image_len()].to_vec(),
            labels: self.labels[..count].to_vec(),
            coarse: self.coarse.as_ref().map(|coarse| coarse[..count].to_vec()),
            classes: self.classes,
        }
    }

    /// Splits into `(train, held_out)`. Of a class with `n` images the last `floor(fraction * n)` in file order are
    /// held out; at least one if `n` is two or more, never all. Both parts keep the file order. No seed takes part, so
    /// runs with different seeds are measured on the same images.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] unless `0 < fraction < 1`.
    pub fn split_validation(&self, fraction: f64) -> Result<(Self, Self), DataError> {
        let (train, held) = divide(&self.labels, self.classes, fraction)?;
        Ok((self.subset(&train)?, self.subset(&held)?))
    }
}

/// Indices of the images that [`Split::split_validation`] keeps, and of those that it holds out.
pub(super) fn divide(labels: &[u16], classes: usize, fraction: f64) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(DataError::setting("fraction held out", "a number between 0 and 1, both excluded", fraction));
    }
    let mut counts = vec![0_usize; classes];
    labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    let mut to_keep: Vec<usize> = counts.iter().map(|&count| count - held_out(count, fraction)).collect();
    Ok((0..labels.len()).partition(|&index| {
        let left = &mut to_keep[usize::from(labels[index])];
        let keep = *left > 0;
        *left = left.saturating_sub(1);
        keep
    }))
}

fn held_out(count: usize, fraction: f64) -> usize {
    if count < 2 {
        return 0;
    }
    // 0.29 * 100 is 28.999999999999996 in binary, and a person who writes 0.29 means 29.
    let share = (count as f64 * fraction * (1.0 + 4.0 * f64::EPSILON)).floor() as usize;
    share.clamp(1, count - 1)
}

#[cfg(test)]
mod tests;
