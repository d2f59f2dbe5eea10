//! Sizes of operations, the same on every device.

mod columns;
mod conv2d;
mod pool2d;
mod subsample;
mod upsample;

pub use columns::Columns;
pub use conv2d::ConvShape;
pub use pool2d::{MAX_KERNEL, MaxPadding, PoolShape};
pub use subsample::Subsample;
pub use upsample::Upsample;

pub(crate) use pool2d::TapColumns;

/// The kind of variance that running statistics average over the batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// Divided by `n - 1`, as PyTorch does.
    Unbiased,
    /// Divided by `n`, as Keras does.
    Biased,
}

impl Correction {
    /// Factor by which the biased variance of `count` elements is multiplied.
    ///
    /// One element has no unbiased variance, and PyTorch refuses to train on it; here the factor is then 1.
    pub fn factor(self, count: usize) -> f64 {
        match self {
            Correction::Unbiased if count > 1 => count as f64 / (count - 1) as f64,
            _ => 1.0,
        }
    }
}
