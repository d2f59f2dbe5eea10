//! Batches of images and labels, as a loader makes them.

/// Some images, ready for a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Normalized values of the shape `[n, channels, height, width]`.
    pub images: Vec<f32>,
    /// Class labels of the `n` images.
    pub labels: Vec<usize>,
}

impl Batch {
    /// Number of images in the batch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns `true` if the batch has no image, which does not occur for a batch of a [`Loader`](super::Loader).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}
