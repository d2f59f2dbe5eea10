//! Running statistics, for inference.

use crate::kernel::Element;

/// `running = (1 - momentum) running + momentum factor batch`, one value a channel.
///
/// `momentum` is the weight of the new batch, as in PyTorch; Keras' momentum is one minus it. `factor` is 1 for the
/// mean, and for the variance, of which `batch` is the biased one, that of the
/// [`Correction`](crate::kernel::shape::Correction).
pub fn update_running<E: Element>(running: &mut [E], batch: &[f64], momentum: f64, factor: f64) {
    assert_eq!(running.len(), batch.len());
    for (running, batch) in running.iter_mut().zip(batch) {
        *running = E::of((1.0 - momentum) * running.wide() + momentum * factor * batch);
    }
}
