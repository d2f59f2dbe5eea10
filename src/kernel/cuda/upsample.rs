//! Images enlarged by repeating rows and columns.

use dfdx::tensor::CudaError;

use super::gpu::{Module, blocks, module};
use super::walk::mode;
use super::{CudaElement, Gpu, View, ViewMut};
use crate::kernel::cuda_source;
use crate::kernel::shape::Upsample;
use crate::kernel::write::Write;

const MODULE: Module = module!("upsample", ["upsample_forward", "upsample_backward"]);

/// `y[n, c, i, j] = x[n, c, i / factor, j / factor]`, with indices rounded down.
pub fn forward<E: CudaElement>(gpu: &Gpu, shape: Upsample, x: View<'_, E>, y: ViewMut<'_, E>) -> Result<(), CudaError> {
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

cuda_source! {r#"
// Rows are numbered through all planes: row r of the input is rows factor r to factor r + factor - 1 of the output.
#include "common.cuh"

// y[r, j] = x[r / factor, j / factor], rounded down; `width`: of a row of the input.
template <typename T>
DEVICE void forward(size_t rows, size_t width, size_t factor, Global<const T> x, Global<T> y) {
    const size_t out_width = width * factor, len = rows * factor * out_width;
    for (size_t i = grid_thread(); i < len; i += grid_threads()) {
        const size_t row = divide(i, out_width), column = i - row * out_width;
        y[i] = x[divide(row, factor) * width + divide(column, factor)];
    }
}

// The sum over the elements that repeat an element of the input, row by row: the order of the CPU.
template <typename T>
DEVICE void backward(size_t rows, size_t width, size_t factor, Global<const T> grad_output, Global<T> grad_x,
                     int mode) {
    const size_t out_width = width * factor, len = rows * width;
    for (size_t i = grid_thread(); i < len; i += grid_threads()) {
        const size_t row = divide(i, width), column = i - row * width;
        const size_t first = (row * out_width + column) * factor;
        T total = 0;
        for (size_t k = 0; k < factor; k++) {
            for (size_t l = 0; l < factor; l++) total += grad_output[first + k * out_width + l];
        }
        grad_x[i] = mode == ADD ? grad_x[i] + total : total;
    }
}

#define KERNELS(T, SUFFIX)                                                                                          \
    KERNEL(upsample_forward##SUFFIX,                                                                                \
           (size_t rows, size_t width, size_t factor, Global<const T> x, Global<T> y)) {                            \
        forward<T>(rows, width, factor, x, y);                                                                      \
    }                                                                                                               \
    KERNEL(upsample_backward##SUFFIX,                                                                               \
           (size_t rows, size_t width, size_t factor, Global<const T> grad_output, Global<T> grad_x, int mode)) {   \
        backward<T>(rows, width, factor, grad_output, grad_x, mode);                                                \
    }
FOR_EACH_TYPE(KERNELS)
"#}
