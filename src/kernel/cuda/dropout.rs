//! Inverted dropout, with the mask of [`cpu::dropout`](crate::kernel::cpu::dropout) bit for bit.

use dfdx::tensor::CudaError;

use super::gpu::{Module, blocks, module};
use super::walk::mode;
use super::{CudaElement, Gpu, View, ViewMut};
use crate::kernel::write::Write;

const MODULE: Module = module!("dropout", ["dropout_apply"]);

/// `y = x keep / (1 - p)`, replacing or adding; `keep` is 0 with probability `p` in `[0, 1)`, else 1, independently for
/// each index and key.
pub fn apply<E: CudaElement>(
    gpu: &Gpu,
    key: u64,
    p: f64,
    x: View<'_, E>,
    y: ViewMut<'_, E>,
    write: Write,
) -> Result<(), CudaError> {
    assert!((0.0..1.0).contains(&p), "the probability of dropping lies in [0, 1)");
    assert_eq!(x.len(), y.len());
    if y.is_empty() {
        return Ok(());
    }
    // Saturates just below 1.
    let drop_below = (p * 4_294_967_296.0).round() as u32;
    let scale = E::of(1.0 / (1.0 - p));
    let arguments = (key, drop_below, scale, x.pointer(), y.pointer(), y.len(), mode(write));
    // A thread has four elements.
    // SAFETY: both have that many elements.
    unsafe { gpu.launch::<E, _>(&MODULE, "dropout_apply", blocks(y.len().div_ceil(4)), arguments) }
}
