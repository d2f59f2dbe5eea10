//! The linear layer: `y = x weight^T + bias` and its gradients.
//!
//! Shapes: `x` `[n, i]`, `weight` `[o, i]`, `bias` `[o]`, `y` and the gradient of the output `[n, o]`, all row-major.

use dfdx::tensor::CudaError;

use super::gemm::{Factor, product};
use super::{CudaElement, Gpu, View, ViewMut, elementwise, sums};
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::write::Write;

/// `y = x weight^T + bias`.
pub fn forward<E: CudaElement>(
    gpu: &Gpu,
    [n, i, o]: [usize; 3],
    x: View<'_, E>,
    weight: View<'_, E>,
    bias: Option<View<'_, E>>,
    mut y: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    let (x, weight) = (Factor::new(x, n, i), Factor::new(weight, o, i));
    product(gpu, x, weight.transposed(), y.reborrow(), Write::Replace)?;
    match bias {
        Some(bias) => elementwise::add_bias(gpu, ChannelsLayout { outer: n, channels: o, inner: 1 }, bias, y),
        None => Ok(()),
    }
}

/// `grad_x = grad_output weight` or `grad_x += grad_output weight`.
pub fn backward_input<E: CudaElement>(
    gpu: &Gpu,
    [n, i, o]: [usize; 3],
    weight: View<'_, E>,
    grad_output: View<'_, E>,
    grad_x: ViewMut<'_, E>,
    write: Write,
) -> Result<(), CudaError> {
    product(gpu, Factor::new(grad_output, n, o), Factor::new(weight, o, i), grad_x, write)
}

/// `grad_weight += grad_output^T x`.
pub fn backward_weight<E: CudaElement>(
    gpu: &Gpu,
    [n, i, o]: [usize; 3],
    x: View<'_, E>,
    grad_output: View<'_, E>,
    grad_weight: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    product(gpu, Factor::new(grad_output, n, o).transposed(), Factor::new(x, n, i), grad_weight, Write::Add)
}

/// `grad_bias += sum over rows of grad_output`.
pub fn backward_bias<E: CudaElement>(
    gpu: &Gpu,
    [n, _, o]: [usize; 3],
    grad_output: View<'_, E>,
    grad_bias: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    sums::add_channel_sums(gpu, ChannelsLayout { outer: n, channels: o, inner: 1 }, grad_output, grad_bias)
}
