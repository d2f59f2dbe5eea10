//! Arguments of the kernels of batch norm, the same on every device.

use crate::kernel::write::InputGradient;

/// Coefficients that center and scale a channel: a slice `C` of `f64`, one value a channel, and the slice `V` of the
/// learned scale.
#[derive(Clone, Copy, Debug)]
pub struct Scaling<C, V> {
    /// Mean: of the batch in training, the running one in inference.
    pub mean: C,
    /// `1 / sqrt(var + epsilon)`, with the variance that belongs to the mean.
    pub inv_std: C,
    /// Learned scale, one value a channel.
    pub gamma: V,
}

/// Destinations of the gradients, slices `M` and `P` that kernels write. Those that are `None` are not computed; those
/// of parameters are added to.
#[derive(Debug)]
pub struct Gradients<M, P> {
    /// Gradient of the input, `[outer, channels, inner]`.
    pub x: InputGradient<M>,
    /// Gradient of the scale, one value a channel.
    pub gamma: Option<P>,
    /// Gradient of the shift, one value a channel.
    pub beta: Option<P>,
}

/// Mean and biased variance of each channel, in memory `C` of `f64`.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics<C> {
    /// The mean of each channel, `sum(x) / n`.
    pub mean: C,
    /// The biased variance of each channel, `sum((x - mean)^2) / n`.
    pub variance: C,
}

/// Gives the sums of all parts of a batch, and the number of their elements a channel, from the sums of one.
pub type SumsOfAll<'f> = dyn Fn(&GradientSums<Vec<f64>>) -> (GradientSums<Vec<f64>>, usize) + 'f;

/// Sums over the elements of each channel, in memory `C` of `f64`, from which the gradients of a batch norm are made;
/// `g` is the gradient of the output.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientSums<C> {
    /// The sum of the gradient, `sum(g)`.
    pub grad_outputs: C,
    /// The sum of its products with the deviations, `sum(g (x - mean))`.
    pub products: C,
}
