//! Pooling of `[batch, channels, height, width]` images: maximum and average over windows, and the mean of a plane.

use cudarc::driver::{CudaSlice, DeviceRepr};
use dfdx::tensor::CudaError;

use super::gpu::{Module, blocks, blocks_over, module};
use super::walk::{self, mode};
use super::{CudaElement, Gpu, View, ViewMut};
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::shape::{MaxPadding, PoolShape};
use crate::kernel::write::Write;

const MODULE: Module = module!(
    "pool2d",
    [
        "pool2d_max",
        "pool2d_max_backward",
        "pool2d_average",
        "pool2d_average_backward",
        "pool2d_global",
        "pool2d_global_backward",
    ]
);

/// The twin of `PoolSizes` in `pool2d.cu`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct PoolSizes {
    planes: usize,
    in_height: i32,
    in_width: i32,
    out_height: i32,
    out_width: i32,
    kernel: i32,
    stride: i32,
    padding: i32,
}

// SAFETY: numbers, laid out as C does and the kernels expect.
unsafe impl DeviceRepr for PoolSizes {}

impl From<PoolShape> for PoolSizes {
    fn from(shape: PoolShape) -> Self {
        let size = |size: usize| i32::try_from(size).expect("an image has sides below 2^31");
        Self {
            planes: shape.planes(),
            in_height: size(shape.in_height),
            in_width: size(shape.in_width),
            out_height: size(shape.out_height()),
            out_width: size(shape.out_width()),
            kernel: size(shape.kernel),
            stride: size(shape.stride),
            padding: size(shape.padding),
        }
    }
}

/// `y[n, c, i, j] = max x[n, c, stride i + k - padding, stride j + l - padding]` over `0 <= k, l < kernel`.
///
/// With `argmax` it returns, for each output, the winner's position in its window, `kernel k + l`, or 255 where the
/// zero padding won.
pub fn max_pool<E: CudaElement>(
    gpu: &Gpu,
    shape: PoolShape,
    padding: MaxPadding,
    x: View<'_, E>,
    y: ViewMut<'_, E>,
    argmax: bool,
) -> Result<Option<CudaSlice<u8>>, CudaError> {
    shape.check(x.len(), y.len());
    let mut positions = if argmax { Some(gpu.bytes(y.len())?) } else { None };
    if y.is_empty() {
        return Ok(positions);
    }
    let padding: i32 = match padding {
        MaxPadding::NegativeInfinity => 0,
        MaxPadding::Zero => 1,
    };
    let argmax = positions.as_mut().map_or(0, |positions| ViewMut::of(positions).pointer());
    let arguments = (PoolSizes::from(shape), padding, x.pointer(), y.pointer(), argmax);
    // SAFETY: the lengths are those of the shape, and each output has a byte; a null pointer is not written to.
    unsafe { gpu.launch::<E, _>(&MODULE, "pool2d_max", blocks(y.len()), arguments) }?;
    Ok(positions)
}

/// The gradient of each element, written or added: the gradients of the outputs of the windows that it won; `argmax` is
/// [`max_pool`]'s.
pub fn max_pool_backward<E: CudaElement>(
    gpu: &Gpu,
    shape: PoolShape,
    argmax: &CudaSlice<u8>,
    grad_output: View<'_, E>,
    grad_x: ViewMut<'_, E>,
    write: Write,
) -> Result<(), CudaError> {
    shape.check(grad_x.len(), grad_output.len());
    assert!(View::of(argmax).len() >= grad_output.len());
    if grad_x.is_empty() {
        return Ok(());
    }
    let arguments = (PoolSizes::from(shape), argmax, grad_output.pointer(), grad_x.pointer(), mode(write));
    // SAFETY: the lengths are those of the shape.
    unsafe { gpu.launch::<E, _>(&MODULE, "pool2d_max_backward", blocks(grad_x.len()), arguments) }
}

/// The mean over windows of `x` between zeros, of all elements of a window or of those on the image.
pub fn average_pool<E: CudaElement>(
    gpu: &Gpu,
    shape: PoolShape,
    count_padding: bool,
    x: View<'_, E>,
    y: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    shape.check(x.len(), y.len());
    if y.is_empty() {
        return Ok(());
    }
    let arguments = (PoolSizes::from(shape), i32::from(count_padding), x.pointer(), y.pointer());
    // SAFETY: the lengths are those of the shape.
    unsafe { gpu.launch::<E, _>(&MODULE, "pool2d_average", blocks(y.len()), arguments) }
}

/// The gradient of each element, written or added: `grad_output / divisor` of each window that it lies in.
pub fn average_pool_backward<E: CudaElement>(
    gpu: &Gpu,
    shape: PoolShape,
    count_padding: bool,
    grad_output: View<'_, E>,
    grad_x: ViewMut<'_, E>,
    write: Write,
) -> Result<(), CudaError> {
    shape.check(grad_x.len(), grad_output.len());
    if grad_x.is_empty() {
        return Ok(());
    }
    let sizes = PoolSizes::from(shape);
    let arguments = (sizes, i32::from(count_padding), grad_output.pointer(), grad_x.pointer(), mode(write));
    // SAFETY: the lengths are those of the shape.
    unsafe { gpu.launch::<E, _>(&MODULE, "pool2d_average_backward", blocks(grad_x.len()), arguments) }
}

/// `y[i] = mean x[i, ..]`, with `x` of `[y.len(), pixels]`; NaN for planes without elements.
pub fn global_average_pool<E: CudaElement>(
    gpu: &Gpu,
    pixels: usize,
    x: View<'_, E>,
    y: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    assert_eq!(x.len(), y.len() * pixels);
    if y.is_empty() {
        return Ok(());
    }
    let arguments = (y.len(), pixels, x.pointer(), y.pointer());
    // SAFETY: the lengths are asserted above.
    unsafe { gpu.launch::<E, _>(&MODULE, "pool2d_global", blocks(32 * y.len()), arguments) }
}

/// `grad_x[i, ..] = grad_output[i] / pixels`, or adds it.
pub fn global_average_pool_backward<E: CudaElement>(
    gpu: &Gpu,
    pixels: usize,
    grad_output: View<'_, E>,
    grad_x: ViewMut<'_, E>,
    write: Write,
) -> Result<(), CudaError> {
    assert_eq!(grad_x.len(), grad_output.len() * pixels);
    if grad_x.is_empty() {
        return Ok(());
    }
    let layout = ChannelsLayout { outer: 1, channels: grad_output.len(), inner: pixels };
    let arguments = (walk::Sizes::from(layout), grad_output.pointer(), grad_x.pointer(), mode(write));
    // SAFETY: the lengths are asserted above.
    unsafe { gpu.launch::<E, _>(&MODULE, "pool2d_global_backward", blocks_over::<E>(grad_x.len()), arguments) }
}
