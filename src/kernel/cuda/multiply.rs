//! Products of tensors, and of planes with one factor each: by the kernels of a batch norm with mean 0 and variance 1,
//! each plane a channel of its own and the factors its scale. A factor of 1 is exact.

use cudarc::driver::CudaSlice;
use dfdx::tensor::CudaError;

use super::batch_norm::{self, Gradients, Scaling};
use super::{CudaElement, Gpu, View, ViewMut};
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::write::{InputGradient, Write};

/// `y[i, p] = x[i, p] gate[i]`, or adds it, with `x` and `y` of `[gate.len(), pixels]`.
pub fn multiply<E: CudaElement>(
    gpu: &Gpu,
    pixels: usize,
    x: View<'_, E>,
    gate: View<'_, E>,
    y: ViewMut<'_, E>,
    write: Write,
) -> Result<(), CudaError> {
    let layout = planes(gate.len(), pixels);
    let [mean, inv_std] = standard(gpu, layout.channels)?;
    let scaling = Scaling { mean: &mean, inv_std: &inv_std, gamma: gate };
    let y = match write {
        Write::Replace => InputGradient::Overwrite(y),
        Write::Add => InputGradient::Accumulate(y),
    };
    // The gradient of a normalized input is a multiple of the gradient of the output.
    batch_norm::backward_running(gpu, layout, View::empty(), scaling, x, Gradients { x: y, gamma: None, beta: None })
}

/// `grad_gate[i] = sum_p x[i, p] grad_output[i, p]`, or adds it.
pub fn multiply_backward_gate<E: CudaElement>(
    gpu: &Gpu,
    pixels: usize,
    x: View<'_, E>,
    grad_output: View<'_, E>,
    mut grad_gate: ViewMut<'_, E>,
    write: Write,
) -> Result<(), CudaError> {
    if write == Write::Replace {
        gpu.zero(grad_gate.reborrow())?;
    }
    let layout = planes(grad_gate.len(), pixels);
    let [mean, inv_std] = standard(gpu, layout.channels)?;
    // The sum that is wanted does not read the scale, whose values may be any.
    let gamma: CudaSlice<E> = gpu.device.alloc_zeros(layout.channels.max(1))?;
    let gamma = View::of(&gamma).part(0..layout.channels);
    let scaling = Scaling { mean: &mean, inv_std: &inv_std, gamma };
    let gradients = Gradients { x: InputGradient::Skip, gamma: Some(grad_gate), beta: None };
    batch_norm::backward_running(gpu, layout, x, scaling, grad_output, gradients)
}

fn planes(count: usize, pixels: usize) -> ChannelsLayout {
    ChannelsLayout { outer: 1, channels: count, inner: pixels }
}

/// Mean 0 and standard deviation 1 of each channel.
fn standard(gpu: &Gpu, channels: usize) -> Result<[CudaSlice<f64>; 2], CudaError> {
    let zeros = gpu.device.alloc_zeros(channels.max(1))?;
    let ones = batch_norm::inv_std(gpu, &zeros, 1.0)?;
    Ok([zeros, ones])
}
