//! Fused kernels of a formula that is known only when the program runs: a list of operations over numbered registers,
//! evaluated in blocks of elements.
//!
//! Layouts, tasks and the order of sums are as for formulas that the compiler knows, and depend on sizes alone.

mod block;
mod definition;
mod list;
mod nodes;
mod operation;
mod pass;

pub use definition::{MAX_PARAMS, Program};
pub use list::Node;
pub use operation::Operation;

use pass::Pass;

use super::Input;
use crate::kernel::Element;
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::write::InputGradient;

/// [`Forward`](super::Forward) of a program.
type Forward<E> = fn(&Program, ChannelsLayout, &[E], &[&[E]], &mut [E]);

/// [`Backward`](super::Backward) of a program.
type Backward<E> =
    fn(&Program, ChannelsLayout, Input<'_, E>, &[&[E]], &[E], InputGradient<&mut [E]>, &mut [Option<&mut [E]>]);

/// The kernels of programs in one element type.
#[derive(Debug)]
pub struct ProgramKernels<E: 'static> {
    /// Instance of [`forward`] for `E`.
    pub forward: Forward<E>,
    /// Instance of [`forward_in_place`] for `E`.
    pub forward_in_place: fn(&Program, ChannelsLayout, &[&[E]], &mut [E]),
    /// Instance of [`backward`] for `E`.
    pub backward: Backward<E>,
}

impl<E: Element> ProgramKernels<E> {
    /// The kernels, compiled in the crate that calls this with a concrete `E`.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self { forward, forward_in_place, backward }
    }
}

/// `y[n, c, s] = f(x[n, c, s]; params[..][c])`.
///
/// # Panics
/// If a length does not match the layout or the number of parameters.
pub fn forward<E: Element>(program: &Program, layout: ChannelsLayout, x: &[E], params: &[&[E]], y: &mut [E]) {
    assert_eq!(x.len(), layout.len());
    forward_from(program, layout, Some(x), params, y);
}

/// As [`forward`], with the result written over `x`.
///
/// # Panics
/// If a length does not match the layout or the number of parameters.
pub fn forward_in_place<E: Element>(program: &Program, layout: ChannelsLayout, params: &[&[E]], x: &mut [E]) {
    forward_from(program, layout, None, params, x);
}

/// Adds the gradients of the parameters (see the formulas of [`activation`](super)), and writes, adds or skips that of
/// the input. What is not wanted is not computed.
///
/// # Panics
/// If a length does not match the layout or the number of parameters.
pub fn backward<E: Element>(
    program: &Program,
    layout: ChannelsLayout,
    input: Input<'_, E>,
    params: &[&[E]],
    grad_output: &[E],
    grad_x: InputGradient<&mut [E]>,
    grad_params: &mut [Option<&mut [E]>],
) {
    let Input { x, normalization } = input;
    check(program, layout, x, params);
    assert_eq!(grad_x.grad_output(grad_output).len(), layout.len());
    assert_eq!(grad_params.len(), program.params);
    assert!(grad_params.iter().flatten().all(|grad| grad.len() == layout.channels));
    assert!(grad_x.slice().is_none_or(|grad| grad.len() == layout.len()));
    if layout.is_empty() {
        return;
    }
    let (grad_output, grad_x, accumulate) = match grad_x {
        InputGradient::Skip => (Some(grad_output), None, false),
        InputGradient::Overwrite(grad) => (Some(grad_output), Some(grad), false),
        InputGradient::Accumulate(grad) => (Some(grad_output), Some(grad), true),
        InputGradient::InPlace(grad) => (None, Some(grad), false),
    };
    let wanted = grad_params.iter().map(Option::is_some).enumerate();
    let wanted =
        wanted.fold(u8::from(grad_x.is_some()), |bits, (param, wanted)| bits | u8::from(wanted) << (1 + param));
    if wanted == 0 {
        return;
    }
    let pass = Pass { program, layout, x, normalization, params, grad_output, accumulate, wanted };
    let sums = pass.backward(grad_x.unwrap_or_default());
    for (grad, sums) in grad_params.iter_mut().zip(sums.chunks_exact(layout.channels)) {
        for (grad, &sum) in grad.iter_mut().flat_map(|grad| grad.iter_mut()).zip(sums) {
            *grad = E::of(grad.wide() + sum);
        }
    }
}

/// Computes `y` from `x` or, without one, from the contents of `y`.
fn forward_from<E: Element>(program: &Program, layout: ChannelsLayout, x: Option<&[E]>, params: &[&[E]], y: &mut [E]) {
    check(program, layout, y, params);
    if !layout.is_empty() {
        pass::forward(program, layout, x, params, y);
    }
}

fn check<E: Element>(program: &Program, layout: ChannelsLayout, x: &[E], params: &[&[E]]) {
    assert_eq!(x.len(), layout.len());
    assert_eq!(params.len(), program.params);
    assert!(params.iter().all(|param| param.len() == layout.channels));
}

#[cfg(test)]
mod tests;
