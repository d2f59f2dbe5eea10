//! Images enlarged by repeating rows and columns.

use dfdx::tensor::CudaError;

use super::gpu::{Module, blocks, module};
use super::walk::mode;
use super::{CudaElement, Gpu, View, ViewMut};
use crate::kernel::shape::Upsample;
use crate::kernel::write::Write;

const MODULE: Module = module!("upsample", ["upsample_forward", "upsample_backward"]);

/// `y[n, c, i, j] = x[n, c, i / factor, j / factor]`, with indices rounded down.
pub fn forward<E: CudaElement>(
    gpu: &Gpu,
    shape: Upsample,
    x: View<'_, E>,
    y: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    assert!(x.len() == shape.input_len() && y.len() == shape.output_len());
    if y.is_empty() {
        return Ok(());
    }
    let Upsample { planes, height, width, factor } = shape;
    let arguments = (planes * height, width, factor, x.pointer(), y.pointer());
    // SAFETY: the lengths are those of the shape.
    unsafe { gpu.launch::<E, _>(&MODULE, "upsample_forward", blocks(y.len()), arguments) }
}

/// The gradient of the input, written to `grad_x` or added: the sum over the elements that repeat it, in the order of
/// the CPU.
pub fn backward<E: CudaElement>(
    gpu: &Gpu,
    shape: Upsample,
    grad_output: View<'_, E>,
    grad_x: ViewMut<'_, E>,
    write: Write,
) -> Result<(), CudaError> {
    assert!(grad_x.len() == shape.input_len() && grad_output.len() == shape.output_len());
    if grad_x.is_empty() {
        return Ok(());
    }
    let Upsample { planes, height, width, factor } = shape;
    let arguments = (planes * height, width, factor, grad_output.pointer(), grad_x.pointer(), mode(write));
    // SAFETY: the lengths are those of the shape.
    unsafe { gpu.launch::<E, _>(&MODULE, "upsample_backward", blocks(grad_x.len()), arguments) }
}
