//! Images enlarged by repeating rows and columns: the gradient of an average pool, and an average pool the gradient,
//! each times the elements of a window. Exact where those are a power of two.

use cudarc::driver::CudaSlice;
use dfdx::tensor::CudaError;

use super::{CudaElement, Gpu, View, ViewMut, elementwise, pool2d};
use crate::kernel::shape::PoolShape;
use crate::kernel::shape::Upsample;
use crate::kernel::write::Write;

/// The pool that undoes it, and the elements of its window.
fn pool(shape: Upsample) -> (PoolShape, f64) {
    let Upsample { planes, height, width, factor } = shape;
    let pool = PoolShape {
        batch: planes,
        channels: 1,
        in_height: height * factor,
        in_width: width * factor,
        kernel: factor,
        stride: factor,
        padding: 0,
    };
    (pool, (factor * factor) as f64)
}

/// `y[n, c, i, j] = x[n, c, i / factor, j / factor]`, rounded down.
pub fn forward<E: CudaElement>(
    gpu: &Gpu,
    shape: Upsample,
    x: View<'_, E>,
    mut y: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    let (pool, elements) = pool(shape);
    pool2d::average_pool_backward(gpu, pool, true, x, y.reborrow(), Write::Replace)?;
    elementwise::scale(gpu, y, elements)
}

/// The gradient of the input, written to `grad_x` or added.
pub fn backward<E: CudaElement>(
    gpu: &Gpu,
    shape: Upsample,
    grad_output: View<'_, E>,
    mut grad_x: ViewMut<'_, E>,
    write: Write,
) -> Result<(), CudaError> {
    let (pool, elements) = pool(shape);
    match write {
        Write::Replace => {
            pool2d::average_pool(gpu, pool, true, grad_output, grad_x.reborrow())?;
            elementwise::scale(gpu, grad_x, elements)
        }
        Write::Add => {
            let mut part: CudaSlice<E> = gpu.device.alloc_zeros(grad_x.len().max(1))?;
            let mut part = ViewMut::of(&mut part);
            let mut part = part.part(0..grad_x.len());
            pool2d::average_pool(gpu, pool, true, grad_output, part.reborrow())?;
            elementwise::scale(gpu, part.reborrow(), elements)?;
            elementwise::add_assign(gpu, grad_x, part.read())
        }
    }
}
