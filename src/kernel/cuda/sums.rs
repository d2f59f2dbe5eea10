//! Sums over the elements of each channel, added to a gradient.

use cudarc::driver::CudaSlice;
use dfdx::tensor::CudaError;

use super::gpu::{Module, module};
use super::reduce::{Reduction, finishing_blocks};
use super::{CudaElement, Gpu, View, ViewMut};
use crate::kernel::layout::ChannelsLayout;

const MODULE: Module = module!("sums", ["sums_partial", "sums_add"]);

/// `to[c] += sum over n and s of x[n, c, s]`, summed in a fixed order and finished in `f64`.
pub fn add_channel_sums<E: CudaElement>(
    gpu: &Gpu,
    layout: ChannelsLayout,
    x: View<'_, E>,
    to: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    assert_eq!((x.len(), to.len()), (layout.len(), layout.channels));
    if layout.is_empty() {
        return Ok(());
    }
    let reduction = Reduction::of(layout);
    let mut partials: CudaSlice<f64> = gpu.unfilled(reduction.partials(layout))?;
    let arguments = (reduction, x.pointer(), ViewMut::of(&mut partials).pointer());
    // SAFETY: the tensor has the elements of the layout, and there is memory for all partial results.
    unsafe { gpu.launch::<E, _>(&MODULE, "sums_partial", reduction.blocks(layout), arguments) }?;
    add_partials(gpu, layout, View::of(&partials), to)
}

/// Adds the sum of each channel's partial results, which were computed by the [`Reduction`] of the layout.
pub fn add_partials<E: CudaElement>(
    gpu: &Gpu,
    layout: ChannelsLayout,
    partials: View<'_, f64>,
    to: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    let reduction = Reduction::of(layout);
    assert_eq!((partials.len(), to.len()), (reduction.partials(layout), layout.channels));
    let arguments = (reduction, partials.pointer(), to.pointer());
    // SAFETY: the lengths are those of the layout.
    unsafe { gpu.launch::<E, _>(&MODULE, "sums_add", finishing_blocks(layout), arguments) }
}
