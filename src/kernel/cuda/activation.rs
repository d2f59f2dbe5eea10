//! Fused activations, of the formulas that are compiled into this crate.

use cudarc::driver::CudaSlice;
use dfdx::tensor::CudaError;

use super::gpu::{Module, blocks_over, module};
use super::reduce::Reduction;
use super::walk::{Sizes, mode};
use super::{CudaElement, Gpu, View, ViewMut, sums};
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::write::{InputGradient, Write};

/// Formulas that are compiled, with their numbers of parameters, and the names of all their kernels: the build script
/// finds them in the files of activations.
const COMPILED: (&[(&str, usize)], &[&str]) = include!(concat!(env!("OUT_DIR"), "/formulas.rs"));

const MODULE: Module = Module { kernels: COMPILED.1, ..module!("activation", []) };

/// The formulas that are compiled, each with its number of parameters.
pub fn formulas() -> &'static [(&'static str, usize)] {
    COMPILED.0
}

/// The number of parameters of a formula that is compiled, by its name: [`Activation::CUDA`] of an activation.
///
/// [`Activation::CUDA`]: crate::activation::Activation::CUDA
pub fn params(formula: &str) -> Option<usize> {
    formulas().iter().find(|(name, _)| *name == formula).map(|(_, params)| *params)
}

/// `y[n, c, s] = f(x[n, c, s]; params[..][c])`.
pub fn forward<E: CudaElement>(
    gpu: &Gpu,
    formula: &'static str,
    layout: ChannelsLayout,
    x: View<'_, E>,
    params: &[View<'_, E>],
    y: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    check(formula, layout, x, params);
    assert_eq!(y.len(), layout.len());
    if layout.is_empty() {
        return Ok(());
    }
    let [a, b] = pointers(params);
    let arguments = (Sizes::from(layout), x.pointer(), a, b, y.pointer());
    let kernel = format!("{formula}_forward");
    // SAFETY: tensors and parameters have the lengths of the layout. Where x and y are the same, a thread reads an
    // element before it writes it, and no other one reads it.
    unsafe { gpu.launch::<E, _>(&MODULE, &kernel, blocks_over::<E>(layout.len()), arguments) }
}

/// As [`forward`], with the result written over `x`.
pub fn forward_in_place<E: CudaElement>(
    gpu: &Gpu,
    formula: &'static str,
    layout: ChannelsLayout,
    params: &[View<'_, E>],
    mut x: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    let to = x.reborrow();
    check(formula, layout, to.read(), params);
    if layout.is_empty() {
        return Ok(());
    }
    let [a, b] = pointers(params);
    let arguments = (Sizes::from(layout), to.pointer(), a, b, to.pointer());
    let kernel = format!("{formula}_forward");
    // SAFETY: as in `forward`.
    unsafe { gpu.launch::<E, _>(&MODULE, &kernel, blocks_over::<E>(layout.len()), arguments) }
}

/// Adds the gradients of the parameters, and writes, adds or skips that of the input.
#[allow(clippy::too_many_arguments)]
pub fn backward<E: CudaElement>(
    gpu: &Gpu,
    formula: &'static str,
    layout: ChannelsLayout,
    x: View<'_, E>,
    params: &[View<'_, E>],
    grad_output: View<'_, E>,
    grad_x: InputGradient<ViewMut<'_, E>>,
    grad_params: &mut [Option<ViewMut<'_, E>>],
) -> Result<(), CudaError> {
    check(formula, layout, x, params);
    assert_eq!(grad_params.len(), params.len());
    assert!(grad_params.iter().flatten().all(|grad| grad.len() == layout.channels));
    assert!(grad_x.slice().is_none_or(|grad| grad.len() == layout.len()));
    let (grad_output, to, write) = destination(grad_output, &grad_x);
    assert_eq!(grad_output.len(), layout.len());
    if layout.is_empty() {
        return Ok(());
    }
    let [a, b] = pointers(params);
    let inputs = (x.pointer(), a, b, grad_output.pointer());
    let mode = mode(write);

    if grad_params.iter().all(Option::is_none) {
        if to == 0 {
            return Ok(());
        }
        let arguments = (Sizes::from(layout), inputs.0, inputs.1, inputs.2, inputs.3, to, mode);
        let kernel = format!("{formula}_backward_input");
        // SAFETY: tensors and parameters have the lengths of the layout. Where the gradient takes the gradient of the
        // output's place, a thread reads an element before it writes it, and no other one reads it.
        return unsafe { gpu.launch::<E, _>(&MODULE, &kernel, blocks_over::<E>(layout.len()), arguments) };
    }
    let reduction = Reduction::of(layout);
    let count = reduction.partials(layout);
    let mut partials: CudaSlice<f64> = gpu.unfilled(params.len() * count)?;
    let sums = ViewMut::of(&mut partials).pointer();
    let arguments = (reduction, inputs.0, inputs.1, inputs.2, inputs.3, to, mode, sums);
    let kernel = format!("{formula}_backward");
    // SAFETY: as above, and there is memory for the partial results of every parameter. A null pointer is no
    // destination.
    unsafe { gpu.launch::<E, _>(&MODULE, &kernel, reduction.blocks(layout), arguments) }?;
    for (i, grad) in grad_params.iter_mut().enumerate() {
        if let Some(grad) = grad {
            sums::add_partials(gpu, layout, View::of(&partials).part(i * count..(i + 1) * count), grad.reborrow())?;
        }
    }
    Ok(())
}

/// The gradient of the output, and the address and mode for writing the gradient of the input: a null pointer if it is
/// not wanted.
pub(super) fn destination<'a, E: CudaElement>(
    grad_output: View<'a, E>,
    grad_x: &'a InputGradient<ViewMut<'_, E>>,
) -> (View<'a, E>, u64, Write) {
    match grad_x {
        InputGradient::Skip => (grad_output, 0, Write::Replace),
        InputGradient::Overwrite(to) => (grad_output, to.pointer(), Write::Replace),
        InputGradient::Accumulate(to) => (grad_output, to.pointer(), Write::Add),
        InputGradient::InPlace(to) => (to.read(), to.pointer(), Write::Replace),
    }
}

/// Asserts that a formula is compiled and that all lengths fit.
fn check<E: CudaElement>(formula: &str, layout: ChannelsLayout, x: View<'_, E>, params: &[View<'_, E>]) {
    assert_eq!(x.len(), layout.len());
    assert_eq!(Some(params.len()), self::params(formula), "parameters of {formula}");
    assert!(params.iter().all(|param| param.len() == layout.channels));
}

/// Addresses of the parameters; null for those that the formula has not, which are not read.
fn pointers<E: CudaElement>(params: &[View<'_, E>]) -> [u64; 2] {
    std::array::from_fn(|i| params.get(i).map_or(0, View::pointer))
}
