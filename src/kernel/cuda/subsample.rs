//! Every n-th row and column of an image, with channels of zeros around.

use cudarc::driver::DeviceRepr;
use dfdx::tensor::CudaError;

use super::gpu::{Module, blocks, module};
use super::walk::mode;
use super::{CudaElement, Gpu, View, ViewMut};
use crate::kernel::shape::Subsample;
use crate::kernel::write::Write;

const MODULE: Module = module!("subsample", ["subsample_forward", "subsample_backward"]);

/// The twin of `SubsampleSizes` in `subsample.cu`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct SubsampleSizes {
    batch: usize,
    in_channels: usize,
    out_channels: usize,
    before: usize,
    height: usize,
    width: usize,
    stride: usize,
    out_height: usize,
    out_width: usize,
}

// SAFETY: numbers, laid out as C does and the kernels expect.
unsafe impl DeviceRepr for SubsampleSizes {}

impl From<Subsample> for SubsampleSizes {
    fn from(Subsample { batch, in_channels, out_channels, height, width, stride }: Subsample) -> Self {
        Self {
            batch,
            in_channels,
            out_channels,
            before: (out_channels - in_channels) / 2,
            height,
            width,
            stride,
            out_height: height.div_ceil(stride),
            out_width: width.div_ceil(stride),
        }
    }
}

/// `y[n, before + c, i, j] = x[n, c, stride i, stride j]`, and zero in the other channels.
pub fn forward<E: CudaElement>(
    gpu: &Gpu,
    shape: Subsample,
    x: View<'_, E>,
    y: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    assert!(x.len() == shape.input_len() && y.len() == shape.output_len());
    if y.is_empty() {
        return Ok(());
    }
    let arguments = (SubsampleSizes::from(shape), x.pointer(), y.pointer());
    // SAFETY: the lengths are those of the shape.
    unsafe { gpu.launch::<E, _>(&MODULE, "subsample_forward", blocks(y.len()), arguments) }
}

/// The gradient of the input, written to `grad_x` or added.
pub fn backward<E: CudaElement>(
    gpu: &Gpu,
    shape: Subsample,
    grad_output: View<'_, E>,
    grad_x: ViewMut<'_, E>,
    write: Write,
) -> Result<(), CudaError> {
    assert!(grad_x.len() == shape.input_len() && grad_output.len() == shape.output_len());
    if grad_x.is_empty() {
        return Ok(());
    }
    let arguments = (SubsampleSizes::from(shape), grad_output.pointer(), grad_x.pointer(), mode(write));
    // SAFETY: the lengths are those of the shape.
    unsafe { gpu.launch::<E, _>(&MODULE, "subsample_backward", blocks(grad_x.len()), arguments) }
}
