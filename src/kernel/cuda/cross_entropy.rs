//! Softmax cross-entropy with class indices.

use cudarc::driver::CudaSlice;
use dfdx::tensor::CudaError;

use super::gpu::{Module, THREADS, blocks, module};
use super::{CudaElement, Gpu, View, ViewMut};

const MODULE: Module = module!("cross_entropy", ["cross_entropy_rows"], also["cross_entropy_mean"]);

/// The mean over the rows of the cross-entropy with smoothed labels, read back once the device is there, and its
/// gradient.
///
/// `logits` and `grad_logits` are `[labels.len(), classes]`; `grad_logits` is overwritten. Formula and special values
/// are those of [`cross_entropy_smoothed`](crate::kernel::cpu::cross_entropy::cross_entropy_smoothed).
///
/// # Panics
/// If a label is not below `classes`.
pub fn cross_entropy_smoothed<E: CudaElement>(
    gpu: &Gpu,
    logits: View<'_, E>,
    classes: usize,
    labels: &[usize],
    smoothing: f64,
    grad_logits: ViewMut<'_, E>,
) -> Result<f64, CudaError> {
    let n = labels.len();
    assert_eq!((logits.len(), grad_logits.len()), (n * classes, n * classes));
    if n == 0 {
        return Ok(0.0);
    }
    assert!(labels.iter().all(|&label| label < classes), "labels are class indices");
    let labels = gpu.device.htod_copy(labels.to_vec())?;
    let mut losses: CudaSlice<f64> = gpu.unfilled(n)?;
    let mut mean: CudaSlice<f64> = gpu.unfilled(1)?;
    let scale = 1.0 / n as f64;
    let arguments = (logits.pointer(), &labels, n, classes, scale, smoothing, grad_logits.pointer(), &mut losses);
    // SAFETY: the lengths are those of n rows, and every label is within its row.
    unsafe { gpu.launch::<E, _>(&MODULE, "cross_entropy_rows", blocks(n * THREADS as usize), arguments) }?;
    // SAFETY: n losses, and one mean.
    unsafe { gpu.launch_named(&MODULE, "cross_entropy_mean", 1, (&losses, n, &mut mean)) }?;
    Ok(gpu.to_host(View::of(&mean))?[0])
}
