//! Batch normalization: the formulas are in [`cpu::batch_norm`](crate::kernel::cpu::batch_norm). Values of a channel
//! that are not parameters are `f64`, and stay on the device.

use std::sync::Arc;

use cudarc::driver::{CudaSlice, DeviceRepr};
use dfdx::tensor::CudaError;

use super::activation::destination;
use super::gpu::{Module, blocks, blocks_over, module};
use super::reduce::{Reduction, finishing_blocks};
use super::walk::{Sizes, mode};
use super::{CudaElement, Gpu, View, ViewMut};
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::normalization;

const MODULE: Module = module!(
    "batch_norm",
    [
        "batch_norm_moments",
        "batch_norm_widen",
        "batch_norm_normalize",
        "batch_norm_sums",
        "batch_norm_finish",
        "batch_norm_through",
        "batch_norm_scaled",
        "batch_norm_update",
    ],
    also ["batch_norm_merge", "batch_norm_inv_std"]
);

/// Coefficients of each channel, one value in each slice.
pub type Scaling<'a, E> = normalization::Scaling<&'a CudaSlice<f64>, View<'a, E>>;

/// Destinations of the gradients.
pub type Gradients<'a, E> = normalization::Gradients<ViewMut<'a, E>, ViewMut<'a, E>>;

/// Mean and biased variance of each channel.
pub type Statistics = normalization::Statistics<Arc<CudaSlice<f64>>>;

impl<E: CudaElement> Scaling<'_, E> {
    fn check(&self, layout: ChannelsLayout) {
        assert!(View::of(self.mean).len() >= layout.channels, "a mean a channel");
        assert!(View::of(self.inv_std).len() >= layout.channels, "an inv_std a channel");
        assert_eq!(self.gamma.len(), layout.channels, "a gamma a channel");
    }
}

/// The twin of `Targets` in `batch_norm.cu`: addresses, null for what is not wanted.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Targets {
    gamma: u64,
    beta: u64,
    coefficients: u64,
}

// SAFETY: three addresses, laid out as C does and the kernel expects.
unsafe impl DeviceRepr for Targets {}

/// Mean and biased variance of each channel of `x`.
///
/// A channel without elements has mean 0 and variance 0; a NaN or an infinity makes its channel's NaN.
pub fn batch_statistics<E: CudaElement>(
    gpu: &Gpu,
    layout: ChannelsLayout,
    x: View<'_, E>,
) -> Result<Statistics, CudaError> {
    assert_eq!(x.len(), layout.len());
    let channels = layout.channels.max(1);
    if layout.is_empty() {
        let zeros = || gpu.device.alloc_zeros(channels).map(Arc::new);
        return Ok(Statistics { mean: zeros()?, variance: zeros()? });
    }
    let (mut mean, mut variance) = (gpu.unfilled(channels)?, gpu.unfilled(channels)?);
    let reduction = Reduction::of(layout);
    let mut partials: CudaSlice<f64> = gpu.unfilled(3 * reduction.partials(layout))?;
    let arguments = (reduction, x.pointer(), ViewMut::of(&mut partials).pointer());
    // SAFETY: the tensor has the elements of the layout, and there is memory for count, mean and squares of each slice.
    unsafe { gpu.launch::<E, _>(&MODULE, "batch_norm_moments", reduction.blocks(layout), arguments) }?;
    let arguments = (reduction, &partials, &mut mean, &mut variance);
    // SAFETY: those partial results, and a value a channel.
    unsafe { gpu.launch_named(&MODULE, "batch_norm_merge", finishing_blocks(layout), arguments) }?;
    Ok(Statistics { mean: Arc::new(mean), variance: Arc::new(variance) })
}

/// The values of `x` in `f64`.
pub fn widened<E: CudaElement>(gpu: &Gpu, x: View<'_, E>) -> Result<Arc<CudaSlice<f64>>, CudaError> {
    let mut wide = gpu.unfilled(x.len())?;
    if !x.is_empty() {
        let arguments = (x.pointer(), &mut wide, x.len());
        // SAFETY: both have that many elements.
        unsafe { gpu.launch::<E, _>(&MODULE, "batch_norm_widen", blocks(x.len()), arguments) }?;
    }
    Ok(Arc::new(wide))
}

/// `1 / sqrt(variance + epsilon)` of each channel.
pub fn inv_std(gpu: &Gpu, variance: &CudaSlice<f64>, epsilon: f64) -> Result<Arc<CudaSlice<f64>>, CudaError> {
    let len = View::of(variance).len();
    let mut inv_std = gpu.unfilled(len)?;
    let arguments = (variance, epsilon, &mut inv_std, len);
    // SAFETY: both have that many elements.
    unsafe { gpu.launch_named(&MODULE, "batch_norm_inv_std", blocks(len), arguments) }?;
    Ok(Arc::new(inv_std))
}

/// `y = gamma (x - mean) inv_std + beta`.
pub fn normalize<E: CudaElement>(
    gpu: &Gpu,
    layout: ChannelsLayout,
    x: View<'_, E>,
    scaling: Scaling<'_, E>,
    beta: View<'_, E>,
    y: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    assert_eq!(x.len(), layout.len());
    normalize_from(gpu, layout, x.pointer(), scaling, beta, y)
}

/// As [`normalize`], with the result written over its input.
pub fn normalize_in_place<E: CudaElement>(
    gpu: &Gpu,
    layout: ChannelsLayout,
    scaling: Scaling<'_, E>,
    beta: View<'_, E>,
    x: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    normalize_from(gpu, layout, x.pointer(), scaling, beta, x)
}

/// Normalizes into `y`, from the address of a tensor as long as `y`.
fn normalize_from<E: CudaElement>(
    gpu: &Gpu,
    layout: ChannelsLayout,
    x: u64,
    scaling: Scaling<'_, E>,
    beta: View<'_, E>,
    y: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    scaling.check(layout);
    assert_eq!(beta.len(), layout.channels, "a beta a channel");
    assert_eq!(y.len(), layout.len());
    if layout.is_empty() {
        return Ok(());
    }
    let Scaling { mean, inv_std, gamma } = scaling;
    let arguments = (Sizes::from(layout), x, mean, inv_std, gamma.pointer(), beta.pointer(), y.pointer());
    // SAFETY: the lengths are those of the layout. Where x and y are the same, a thread reads an element before it
    // writes it, and no other one reads it.
    unsafe { gpu.launch::<E, _>(&MODULE, "batch_norm_normalize", blocks_over::<E>(layout.len()), arguments) }
}

/// Adds the gradients of normalization by the statistics of the batch `x` itself, which `scaling` holds.
pub fn backward<E: CudaElement>(
    gpu: &Gpu,
    layout: ChannelsLayout,
    x: View<'_, E>,
    scaling: Scaling<'_, E>,
    grad_output: View<'_, E>,
    gradients: Gradients<'_, E>,
) -> Result<(), CudaError> {
    let Gradients { x: grad_x, gamma, beta } = gradients;
    check(layout, scaling, [&gamma, &beta]);
    let (grad_output, to, write) = destination(grad_output, &grad_x);
    assert_eq!((x.len(), grad_output.len()), (layout.len(), layout.len()));
    assert!(grad_x.slice().is_none_or(|grad| grad.len() == layout.len()));
    if layout.is_empty() || (to == 0 && gamma.is_none() && beta.is_none()) {
        return Ok(());
    }
    let mut coefficients: Option<CudaSlice<E>> = match to {
        0 => None,
        _ => Some(gpu.unfilled(3 * layout.channels)?),
    };
    let coefficients = coefficients.as_mut().map(ViewMut::of);
    let targets = Targets {
        gamma: gamma.as_ref().map_or(0, ViewMut::pointer),
        beta: beta.as_ref().map_or(0, ViewMut::pointer),
        coefficients: coefficients.as_ref().map_or(0, ViewMut::pointer),
    };
    sums(gpu, layout, x, scaling, grad_output, targets)?;
    if to == 0 {
        return Ok(());
    }
    let arguments = (Sizes::from(layout), x.pointer(), grad_output.pointer(), targets.coefficients, to, mode(write));
    // SAFETY: the lengths are those of the layout, and there are three coefficients a channel. Where `grad_x`
    // lies in `grad_output`, a thread reads an element before it writes it, and no other one reads it.
    unsafe { gpu.launch::<E, _>(&MODULE, "batch_norm_through", blocks_over::<E>(layout.len()), arguments) }
}

/// Adds the gradients of normalization by constant statistics. `x` is read for the gradients of gamma and beta alone;
/// it may be empty where neither is wanted.
pub fn backward_running<E: CudaElement>(
    gpu: &Gpu,
    layout: ChannelsLayout,
    x: View<'_, E>,
    scaling: Scaling<'_, E>,
    grad_output: View<'_, E>,
    gradients: Gradients<'_, E>,
) -> Result<(), CudaError> {
    let Gradients { x: grad_x, gamma, beta } = gradients;
    check(layout, scaling, [&gamma, &beta]);
    let (grad_output, to, write) = destination(grad_output, &grad_x);
    assert_eq!(grad_output.len(), layout.len());
    assert!(grad_x.slice().is_none_or(|grad| grad.len() == layout.len()));
    let reads_x = gamma.is_some() || beta.is_some();
    assert!(!reads_x || x.len() == layout.len());
    if layout.is_empty() {
        return Ok(());
    }
    if reads_x {
        let [gamma, beta] = [gamma, beta].map(|grad| grad.map_or(0, |grad| grad.pointer()));
        sums(gpu, layout, x, scaling, grad_output, Targets { gamma, beta, coefficients: 0 })?;
    }
    if to == 0 {
        return Ok(());
    }
    let Scaling { inv_std, gamma, .. } = scaling;
    let arguments = (Sizes::from(layout), grad_output.pointer(), inv_std, gamma.pointer(), to, mode(write));
    // SAFETY: the lengths are those of the layout, and for the same place as in `backward`.
    unsafe { gpu.launch::<E, _>(&MODULE, "batch_norm_scaled", blocks_over::<E>(layout.len()), arguments) }
}

/// `to = (1 - momentum) running + momentum factor batch`, one value a channel.
pub fn update_running<E: CudaElement>(
    gpu: &Gpu,
    running: View<'_, E>,
    batch: &CudaSlice<f64>,
    momentum: f64,
    factor: f64,
    to: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    let len = running.len();
    assert!(to.len() == len && View::of(batch).len() >= len);
    if len == 0 {
        return Ok(());
    }
    let arguments = (running.pointer(), batch, momentum, factor, to.pointer(), len);
    // SAFETY: all three have that many elements.
    unsafe { gpu.launch::<E, _>(&MODULE, "batch_norm_update", blocks(len), arguments) }
}

/// Sums the gradients of the outputs and their products with the deviations, and adds them where they are wanted.
fn sums<E: CudaElement>(
    gpu: &Gpu,
    layout: ChannelsLayout,
    x: View<'_, E>,
    scaling: Scaling<'_, E>,
    grad_output: View<'_, E>,
    targets: Targets,
) -> Result<(), CudaError> {
    let Scaling { mean, inv_std, gamma } = scaling;
    let reduction = Reduction::of(layout);
    let mut partials: CudaSlice<f64> = gpu.unfilled(2 * reduction.partials(layout))?;
    let sums = ViewMut::of(&mut partials).pointer();
    let arguments = (reduction, x.pointer(), mean, grad_output.pointer(), sums);
    // SAFETY: the callers asserted the lengths, and there is memory for two partial results of each slice.
    unsafe { gpu.launch::<E, _>(&MODULE, "batch_norm_sums", reduction.blocks(layout), arguments) }?;
    let arguments = (reduction, sums, mean, inv_std, gamma.pointer(), targets);
    // SAFETY: those partial results, a value a channel, and targets that are null or have a value, or three, a channel.
    unsafe { gpu.launch::<E, _>(&MODULE, "batch_norm_finish", finishing_blocks(layout), arguments) }
}

fn check<E: CudaElement>(layout: ChannelsLayout, scaling: Scaling<'_, E>, params: [&Option<ViewMut<'_, E>>; 2]) {
    scaling.check(layout);
    assert!(params.into_iter().flatten().all(|grad| grad.len() == layout.channels));
}
