//! Running statistics, for inference.

use crate::kernel::Element;

/// The variance that is averaged over the batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// Divided by `n - 1`, as PyTorch does.
    Unbiased,
    /// Divided by `n`, as Keras does.
    Biased,
}

impl Correction {
    /// What the biased variance of `count` elements is multiplied with.
    ///
    /// One element has no unbiased variance, and PyTorch refuses to train on it; here the factor is then 1.
    pub fn factor(self, count: usize) -> f64 {
        match self {
            Correction::Unbiased if count > 1 => count as f64 / (count - 1) as f64,
            _ => 1.0,
        }
    }
}

/// `running = (1 - momentum) running + momentum factor batch`, one value a channel.
///
/// `momentum` is the weight of the new batch, as in PyTorch; Keras' momentum is one minus it. `factor` is 1 for the
/// mean, and for the variance, of which `batch` is the biased one, that of the [`Correction`].
pub fn update_running<E: Element>(running: &mut [E], batch: &[f64], momentum: f64, factor: f64) {
    assert_eq!(running.len(), batch.len());
    for (running, batch) in running.iter_mut().zip(batch) {
        *running = E::of((1.0 - momentum) * running.wide() + momentum * factor * batch);
    }
}
