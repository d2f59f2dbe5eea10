//! Every n-th row and column of an image, with channels of zeros around.

use cudarc::driver::DeviceRepr;
use dfdx::tensor::CudaError;

use super::gpu::{Module, blocks, module};
use super::walk::mode;
use super::{CudaElement, Gpu, View, ViewMut};
use crate::kernel::cuda_source;
use crate::kernel::shape::Subsample;
use crate::kernel::write::Write;

const MODULE: Module = module!("subsample", ["subsample_forward", "subsample_backward"]);

/// Sizes as the kernels take them. `before`: channels of zeros ahead of the given ones.
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

cuda_source! {r#"
#include "common.cuh"

struct SubsampleSizes {
    size_t batch, in_channels, out_channels, before, height, width, stride, out_height, out_width;
};

template <typename T>
DEVICE void forward(SubsampleSizes sizes, Global<const T> x, Global<T> y) {
    const size_t len = sizes.batch * sizes.out_channels * sizes.out_height * sizes.out_width;
    for (size_t i = grid_thread(); i < len; i += grid_threads()) {
        const size_t line = divide(i, sizes.out_width), column = i - line * sizes.out_width;
        const size_t plane = divide(line, sizes.out_height), row = line - plane * sizes.out_height;
        const size_t image = divide(plane, sizes.out_channels), channel = plane - image * sizes.out_channels;
        // Wraps around, to a large number, ahead of the given channels.
        const size_t from = channel - sizes.before;
        const size_t above = (image * sizes.in_channels + from) * sizes.height;
        y[i] = from < sizes.in_channels ? x[(above + row * sizes.stride) * sizes.width + column * sizes.stride] : T(0);
    }
}

template <typename T>
DEVICE void backward(SubsampleSizes sizes, Global<const T> grad_output, Global<T> grad_x, int mode) {
    const size_t len = sizes.batch * sizes.in_channels * sizes.height * sizes.width;
    for (size_t i = grid_thread(); i < len; i += grid_threads()) {
        const size_t line = divide(i, sizes.width), column = i - line * sizes.width;
        const size_t plane = divide(line, sizes.height), row = line - plane * sizes.height;
        const size_t image = divide(plane, sizes.in_channels), channel = plane - image * sizes.in_channels;
        const size_t out_row = divide(row, sizes.stride), out_column = divide(column, sizes.stride);
        if (out_row * sizes.stride == row && out_column * sizes.stride == column) {
            const size_t to = image * sizes.out_channels + sizes.before + channel;
            const T gradient = grad_output[(to * sizes.out_height + out_row) * sizes.out_width + out_column];
            grad_x[i] = mode == ADD ? grad_x[i] + gradient : gradient;
        } else if (mode == REPLACE) {
            grad_x[i] = 0;
        }
    }
}

#define KERNELS(T, SUFFIX)                                                                                      \
    KERNEL(subsample_forward##SUFFIX, (SubsampleSizes sizes, Global<const T> x, Global<T> y)) {                 \
        forward<T>(sizes, x, y);                                                                                \
    }                                                                                                           \
    KERNEL(subsample_backward##SUFFIX,                                                                          \
           (SubsampleSizes sizes, Global<const T> grad_output, Global<T> grad_x, int mode)) {                   \
        backward<T>(sizes, grad_output, grad_x, mode);                                                          \
    }
FOR_EACH_TYPE(KERNELS)
"#}
