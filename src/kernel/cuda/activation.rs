//! Fused activations, of the formulas that are compiled into this crate.

use cudarc::driver::CudaSlice;
use dfdx::tensor::CudaError;

use super::gpu::{Module, blocks_over, module};
use super::reduce::Reduction;
use super::walk::{Sizes, mode};
use super::{CudaElement, Gpu, View, ViewMut, sums};
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::write::{InputGradient, Write};

const MODULE: Module = module!(
    "activation",
    [
        "relu_forward",
        "relu_backward_input",
        "leaky_relu_forward",
        "leaky_relu_backward_input",
        "leaky_relu_backward",
        "elu_forward",
        "elu_backward_input",
        "elu_backward",
        "sine_relu_forward",
        "sine_relu_backward_input",
        "sine_relu_backward",
        "swish_forward",
        "swish_backward_input",
        "swish_backward",
        "vlu_forward",
        "vlu_backward_input",
        "vlu_backward",
        "gelu_forward",
        "gelu_backward_input",
        "gelu_tanh_forward",
        "gelu_tanh_backward_input",
        "mish_forward",
        "mish_backward_input",
        "softplus_forward",
        "softplus_backward_input",
        "tanh_forward",
        "tanh_backward_input",
        "snake_forward",
        "snake_backward_input",
        "snake_backward",
        "sinlu_forward",
        "sinlu_backward_input",
        "sinlu_backward",
    ]
);

/// The names of the formulas, those of [`Activation::NAME`](crate::activation::Activation::NAME).
pub fn formulas() -> &'static [&'static str] {
    &[
        "relu",
        "leaky_relu",
        "elu",
        "prelu",
        "sine_relu",
        "swish",
        "swish_beta",
        "vlu",
        "pvlu",
        "gelu",
        "gelu_tanh",
        "mish",
        "softplus",
        "tanh",
        "snake",
        "sinlu",
    ]
}

/// Prefix of the names of a formula's kernels, and its number of parameters.
fn kernels(formula: &str) -> (&'static str, usize) {
    match formula {
        "relu" => ("relu", 0),
        "elu" => ("elu", 1),
        "sine_relu" => ("sine_relu", 1),
        // A trained activation has the formula of the fixed one.
        "swish" | "swish_beta" => ("swish", 1),
        "leaky_relu" | "prelu" => ("leaky_relu", 1),
        "vlu" | "pvlu" => ("vlu", 2),
        "gelu" => ("gelu", 0),
        "gelu_tanh" => ("gelu_tanh", 0),
        "mish" => ("mish", 0),
        "softplus" => ("softplus", 0),
        "tanh" => ("tanh", 0),
        "snake" => ("snake", 1),
        "sinlu" => ("sinlu", 2),
        other => panic!("no CUDA kernels of a formula {other}"),
    }
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
    let Some(kernels) = check(formula, layout, x, params) else { return Ok(()) };
    assert_eq!(y.len(), layout.len());
    let [a, b] = pointers(params);
    let arguments = (Sizes::from(layout), x.pointer(), a, b, y.pointer());
    let kernel = format!("{kernels}_forward");
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
    let Some(kernels) = check(formula, layout, to.read(), params) else { return Ok(()) };
    let [a, b] = pointers(params);
    let arguments = (Sizes::from(layout), to.pointer(), a, b, to.pointer());
    let kernel = format!("{kernels}_forward");
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
    let kernels = check(formula, layout, x, params);
    assert_eq!(grad_params.len(), params.len());
    assert!(grad_params.iter().flatten().all(|grad| grad.len() == layout.channels));
    assert!(grad_x.slice().is_none_or(|grad| grad.len() == layout.len()));
    let (grad_output, to, write) = destination(grad_output, &grad_x);
    assert_eq!(grad_output.len(), layout.len());
    let Some(kernels) = kernels else { return Ok(()) };
    let [a, b] = pointers(params);
    let inputs = (x.pointer(), a, b, grad_output.pointer());
    let mode = mode(write);

    if grad_params.iter().all(Option::is_none) {
        if to == 0 {
            return Ok(());
        }
        let arguments = (Sizes::from(layout), inputs.0, inputs.1, inputs.2, inputs.3, to, mode);
        let kernel = format!("{kernels}_backward_input");
        // SAFETY: tensors and parameters have the lengths of the layout. Where the gradient takes the gradient of the
        // output's place, a thread reads an element before it writes it, and no other one reads it.
        return unsafe { gpu.launch::<E, _>(&MODULE, &kernel, blocks_over::<E>(layout.len()), arguments) };
    }
    let reduction = Reduction::of(layout);
    let count = reduction.partials(layout);
    let mut partials: CudaSlice<f64> = gpu.unfilled(params.len() * count)?;
    let sums = ViewMut::of(&mut partials).pointer();
    let arguments = (reduction, inputs.0, inputs.1, inputs.2, inputs.3, to, mode, sums);
    let kernel = format!("{kernels}_backward");
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

/// Asserts the contract; the kernels, unless there is nothing to do.
fn check<E: CudaElement>(
    formula: &str,
    layout: ChannelsLayout,
    x: View<'_, E>,
    params: &[View<'_, E>],
) -> Option<&'static str> {
    let (kernels, count) = kernels(formula);
    assert_eq!(x.len(), layout.len());
    assert_eq!(params.len(), count, "parameters of {formula}");
    assert!(params.iter().all(|param| param.len() == layout.channels));
    (!layout.is_empty()).then_some(kernels)
}

/// Addresses of the parameters; null for those that the formula has not, which are not read.
fn pointers<E: CudaElement>(params: &[View<'_, E>]) -> [u64; 2] {
    std::array::from_fn(|i| params.get(i).map_or(0, View::pointer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::*;

    #[test]
    fn every_activation_that_says_so_has_kernels_with_its_parameters() {
        fn check<A: Activation>() {
            let name = A::CUDA.unwrap();
            assert!(formulas().contains(&name));
            let (kernel, params) = kernels(name);
            assert_eq!(params, A::PARAMS.as_slice().len(), "{name}");
            assert!(MODULE.kernels.contains(&format!("{kernel}_forward_f32").as_str()));
            assert_eq!(params > 0, MODULE.kernels.contains(&format!("{kernel}_backward_f64").as_str()));
        }
        check::<Relu>();
        check::<LeakyRelu>();
        check::<Elu>();
        check::<PRelu>();
        check::<SineRelu>();
        check::<Swish>();
        check::<SwishBeta>();
        check::<Vlu>();
        check::<Pvlu>();
        check::<Gelu>();
        check::<GeluTanh>();
        check::<Mish>();
        check::<Softplus>();
        check::<Tanh>();
        check::<Snake>();
        check::<SinLu>();
    }
}
