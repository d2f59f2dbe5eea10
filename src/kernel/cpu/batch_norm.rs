//! Batch normalization (S. Ioffe and C. Szegedy, 2015) over `[outer, channels, inner]` tensors.
//!
//! For images outer is the batch and inner the pixels of a plane. With `n = outer * inner` elements a channel,
//!
//! ```text
//! mean = sum(x) / n        var = sum((x - mean)^2) / n        inv_std = 1 / sqrt(var + epsilon)
//! y = gamma (x - mean) inv_std + beta
//! ```
//!
//! Values of a channel that are not parameters (mean, variance, `inv_std`) are `f64`: there are few of them, and they
//! are rounded only once, into the coefficients that a pass over the tensor applies.

mod apply;
mod backward;
mod running;
mod statistics;
mod tiles;

pub use apply::{Normalization, normalize, normalize_in_place};
pub use backward::{backward, backward_of_part, backward_running, gradient_sums};
pub use running::update_running;
pub use statistics::batch_statistics;

use crate::kernel::Element;
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::normalization;

/// Coefficients of each channel, one value in each slice.
pub type Scaling<'a, E> = normalization::Scaling<&'a [f64], &'a [E]>;

/// Destinations of the gradients.
pub type Gradients<'a, E> = normalization::Gradients<&'a mut [E], &'a mut [E]>;

/// Sums that the gradients are made from.
pub type GradientSums = normalization::GradientSums<Vec<f64>>;

/// Mean and biased variance of each channel.
pub type Statistics = normalization::Statistics<Vec<f64>>;

impl<E> Scaling<'_, E> {
    fn check(&self, layout: ChannelsLayout) {
        assert_eq!(self.mean.len(), layout.channels, "a mean a channel");
        assert_eq!(self.inv_std.len(), layout.channels, "an inv_std a channel");
        assert_eq!(self.gamma.len(), layout.channels, "a gamma a channel");
    }
}

impl Statistics {
    /// `1 / sqrt(variance + epsilon)` of each channel.
    pub fn inv_std(&self, epsilon: f64) -> Vec<f64> {
        inv_std(&self.variance, epsilon)
    }
}

/// `1 / sqrt(variance + epsilon)` of each channel.
pub fn inv_std(variance: &[f64], epsilon: f64) -> Vec<f64> {
    variance.iter().map(|variance| 1.0 / (variance + epsilon).sqrt()).collect()
}

/// The values of `x` in `f64`.
pub fn widened<E: Element>(x: &[E]) -> Vec<f64> {
    x.iter().map(|value| value.wide()).collect()
}

#[cfg(test)]
mod tests;
