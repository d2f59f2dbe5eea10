//! Products of tensors, and of planes with one factor each.

use cudarc::driver::CudaSlice;
use dfdx::tensor::CudaError;

use super::gpu::{Module, blocks_over, module};
use super::reduce::Reduction;
use super::walk::{Sizes, mode};
use super::{CudaElement, Gpu, View, ViewMut, sums};
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::write::Write;

const MODULE: Module = module!("multiply", ["multiply", "multiply_sums"]);

/// Each plane of `pixels` elements as a channel of its own.
fn layout(planes: usize, pixels: usize) -> ChannelsLayout {
    ChannelsLayout { outer: 1, channels: planes, inner: pixels }
}

/// `y[i, p] = x[i, p] gate[i]`, or adds the products to `y`, with `x` and `y` of `[gate.len(), pixels]`. A product is
/// rounded before it is added, as on the CPU.
pub fn multiply<E: CudaElement>(
    gpu: &Gpu,
    pixels: usize,
    x: View<'_, E>,
    gate: View<'_, E>,
    y: ViewMut<'_, E>,
    write: Write,
) -> Result<(), CudaError> {
    assert!(x.len() == gate.len() * pixels && y.len() == x.len());
    if y.is_empty() {
        return Ok(());
    }
    let sizes = Sizes::from(layout(gate.len(), pixels));
    let arguments = (sizes, x.pointer(), gate.pointer(), y.pointer(), mode(write));
    // SAFETY: the lengths are those of the layout, with an element of the gate for each plane.
    unsafe { gpu.launch::<E, _>(&MODULE, "multiply", blocks_over::<E>(y.len()), arguments) }
}

/// The gradient of the gate: `grad_gate[i] = sum_p x[i, p] grad_output[i, p]`, or adds the sums to `grad_gate`. They
/// are computed in the order of [`Reduction`], which sizes alone fix.
pub fn multiply_backward_gate<E: CudaElement>(
    gpu: &Gpu,
    pixels: usize,
    x: View<'_, E>,
    grad_output: View<'_, E>,
    mut grad_gate: ViewMut<'_, E>,
    write: Write,
) -> Result<(), CudaError> {
    assert!(x.len() == grad_gate.len() * pixels && grad_output.len() == x.len());
    if pixels == 1 {
        return multiply(gpu, 1, x, grad_output, grad_gate, write);
    }
    if write == Write::Replace {
        gpu.zero(grad_gate.reborrow())?;
    }
    let layout = layout(grad_gate.len(), pixels);
    if layout.is_empty() {
        return Ok(());
    }
    let reduction = Reduction::of(layout);
    let mut partials: CudaSlice<f64> = gpu.unfilled(reduction.partials(layout))?;
    let arguments = (reduction, x.pointer(), grad_output.pointer(), ViewMut::of(&mut partials).pointer());
    // SAFETY: both tensors have the elements of the layout, and there is memory for all partial results.
    unsafe { gpu.launch::<E, _>(&MODULE, "multiply_sums", reduction.blocks(layout), arguments) }?;
    sums::add_partials(gpu, layout, View::of(&partials), grad_gate)
}
