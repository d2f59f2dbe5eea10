//! Batch normalization (S. Ioffe and C. Szegedy, 2015) over `[outer, channels, inner]` tensors.
//!
//! For images outer is the batch and inner the pixels of a plane. With `n = outer * inner` elements a channel,
//!
//! ```text
//! mean = sum(x) / n        var = sum((x - mean)^2) / n        inv_std = 1 / sqrt(var + epsilon)
//! y = gamma (x - mean) inv_std + beta
//! ```
//!
//! What belongs to a channel and is not a parameter (mean, variance, `inv_std`) is `f64`: there is little of it, and it
//! is rounded only once, into the coefficients that a pass over the tensor applies.

mod apply;
mod backward;
mod running;
mod statistics;
mod tiles;

pub use apply::{normalize, normalize_in_place};
pub use backward::{Gradients, backward, backward_running};
pub use running::update_running;
pub use statistics::{Statistics, batch_statistics, inv_std};

use crate::kernel::layout::ChannelsLayout;

/// What a channel is centered and scaled with; one value a channel in each slice.
#[derive(Clone, Copy, Debug)]
pub struct Scaling<'a, E> {
    /// Mean: of the batch in training, the running one in inference.
    pub mean: &'a [f64],
    /// `1 / sqrt(var + epsilon)`, with the variance that belongs to the mean.
    pub inv_std: &'a [f64],
    /// The learned scale.
    pub gamma: &'a [E],
}

impl<E> Scaling<'_, E> {
    fn check(&self, layout: ChannelsLayout) {
        assert_eq!(self.mean.len(), layout.channels, "a mean a channel");
        assert_eq!(self.inv_std.len(), layout.channels, "an inv_std a channel");
        assert_eq!(self.gamma.len(), layout.channels, "a gamma a channel");
    }
}

#[cfg(test)]
mod tests;
