//! Sums, copies and multiples of tensors.

use dfdx::tensor::CudaError;

use super::gpu::{Module, blocks_over, module};
use super::walk::Sizes;
use super::{CudaElement, Gpu, View, ViewMut};
use crate::kernel::layout::ChannelsLayout;

const MODULE: Module = module!("elementwise", ["elementwise_add", "elementwise_scale", "elementwise_add_bias"]);

/// Writes the elementwise sum: `y = a + b`.
pub fn add<E: CudaElement>(gpu: &Gpu, a: View<'_, E>, b: View<'_, E>, y: ViewMut<'_, E>) -> Result<(), CudaError> {
    assert!(a.len() == y.len() && b.len() == y.len());
    if y.is_empty() {
        return Ok(());
    }
    let arguments = (a.pointer(), b.pointer(), y.pointer(), y.len());
    // SAFETY: the three have the same length.
    unsafe { gpu.launch::<E, _>(&MODULE, "elementwise_add", blocks_over::<E>(y.len()), arguments) }
}

/// Adds `x` to `y` elementwise: `y += x`.
pub fn add_assign<E: CudaElement>(gpu: &Gpu, y: ViewMut<'_, E>, x: View<'_, E>) -> Result<(), CudaError> {
    assert_eq!(y.len(), x.len());
    if y.is_empty() {
        return Ok(());
    }
    let arguments = (y.pointer(), x.pointer(), y.pointer(), y.len());
    // SAFETY: both have the same length; a thread reads an element of y before it writes it, and no other one reads it.
    unsafe { gpu.launch::<E, _>(&MODULE, "elementwise_add", blocks_over::<E>(y.len()), arguments) }
}

/// Copies the elements of `x` to `y`.
pub fn copy<E: CudaElement>(gpu: &Gpu, x: View<'_, E>, mut y: ViewMut<'_, E>) -> Result<(), CudaError> {
    assert_eq!(y.len(), x.len());
    if !y.is_empty() {
        gpu.device.dtod_copy(&x, &mut y)?;
    }
    Ok(())
}

/// Multiplies every element in place: `x *= factor`.
pub fn scale<E: CudaElement>(gpu: &Gpu, x: ViewMut<'_, E>, factor: E) -> Result<(), CudaError> {
    if x.is_empty() {
        return Ok(());
    }
    let arguments = (x.pointer(), factor, x.len());
    // SAFETY: the length is that of x.
    unsafe { gpu.launch::<E, _>(&MODULE, "elementwise_scale", blocks_over::<E>(x.len()), arguments) }
}

/// `y[n, c, s] += bias[c]`.
pub(super) fn add_bias<E: CudaElement>(
    gpu: &Gpu,
    layout: ChannelsLayout,
    bias: View<'_, E>,
    y: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    assert_eq!((bias.len(), y.len()), (layout.channels, layout.len()));
    if y.is_empty() {
        return Ok(());
    }
    let arguments = (Sizes::from(layout), bias.pointer(), y.pointer());
    // SAFETY: the lengths are those of the layout.
    unsafe { gpu.launch::<E, _>(&MODULE, "elementwise_add_bias", blocks_over::<E>(y.len()), arguments) }
}
