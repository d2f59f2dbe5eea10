//! Fused activation kernels: one pass forward, and one backward for the gradients of the input and of every parameter.
//!
//! A tensor is seen as `[outer, channels, inner]`, contiguous: images have `inner` = height * width, dense features
//! have `inner` = 1. A parameter is a slice of `channels` elements. With the gradient of the output g = dL/dy the
//! gradients are
//!
//! ```text
//! dL/dx[n, c, s] = g[n, c, s] * df/dx
//! dL/dp[c]       = sum over n and s of g[n, c, s] * df/dp
//! ```
//!
//! `planes` handles wide channels, one (n, c) plane after the other; `rows` handles narrow ones, along whole rows of
//! `channels * inner` elements; `columns` handles rows that are long because there is a parameter for each element. All
//! cut the work into tasks whose size depends on the layout alone, sum in a fixed order and finish in `f64`, so that
//! results do not depend on the number of threads.
//!
//! [`program`] does the same for formulas that are known only when the program runs.

mod columns;
mod input;
mod pieces;
mod planes;
pub mod program;
mod rows;

use std::fmt::{self, Debug};

pub use self::input::Input;
use self::pieces::Pass;
use self::program::ProgramKernels;
use super::simd::Level;
use crate::kernel::layout::ChannelsLayout;
pub use crate::kernel::write::InputGradient;
use crate::kernel::{Element, Formula};

/// `(layout, x, parameters, y)`; overwrites y.
pub type Forward<E> = fn(ChannelsLayout, &[E], &[&[E]], &mut [E]);

/// `(layout, parameters, x)`; overwrites x by y.
pub type ForwardInPlace<E> = fn(ChannelsLayout, &[&[E]], &mut [E]);

/// `(layout, x, parameters, grad_output, gradient of x, gradient of each parameter)`.
///
/// The gradients of parameters are added to what the slices hold; `None` for one that is not wanted.
pub type Backward<E> =
    fn(ChannelsLayout, Input<'_, E>, &[&[E]], &[E], InputGradient<&mut [E]>, &mut [Option<&mut [E]>]);

/// The kernels of one activation in one element type.
pub struct Kernels<E: 'static> {
    /// Instance of [`forward`] for the formula and `E`.
    pub forward: Forward<E>,
    /// Instance of [`forward_in_place`] for the formula and `E`.
    pub forward_in_place: ForwardInPlace<E>,
    /// Instance of [`backward`] for the formula and `E`.
    pub backward: Backward<E>,
}

impl<E: Element> Kernels<E> {
    /// The kernels of formula `F`, compiled in the crate that calls this with a concrete `F`.
    pub fn of<F: Formula>() -> Self {
        Kernels { forward: forward::<F, E>, forward_in_place: forward_in_place::<F, E>, backward: backward::<F, E> }
    }
}

// By hand, because a derive would ask for `E: Clone` and the like.
impl<E> Clone for Kernels<E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<E> Copy for Kernels<E> {}
impl<E> Debug for Kernels<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernels").finish_non_exhaustive()
    }
}

/// The implementation of an activation: compiled kernels, or a list of operations.
#[derive(Clone, Copy, Debug)]
pub enum Computation<E: 'static> {
    /// Kernels that are compiled for its formula.
    Compiled(Kernels<E>),
    /// A list of operations, for a formula that is known only when the program runs.
    Written(&'static program::Program, &'static ProgramKernels<E>),
}

impl<E: Element> Computation<E> {
    /// Computes `y = f(x)`; contract and panics are those of [`forward`].
    pub fn forward(&self, layout: ChannelsLayout, x: &[E], params: &[&[E]], y: &mut [E]) {
        match self {
            Self::Compiled(kernels) => (kernels.forward)(layout, x, params, y),
            Self::Written(program, kernels) => (kernels.forward)(program, layout, x, params, y),
        }
    }

    /// Overwrites `x` by f(x); contract and panics are those of [`forward_in_place`].
    pub fn forward_in_place(&self, layout: ChannelsLayout, params: &[&[E]], x: &mut [E]) {
        match self {
            Self::Compiled(kernels) => (kernels.forward_in_place)(layout, params, x),
            Self::Written(program, kernels) => (kernels.forward_in_place)(program, layout, params, x),
        }
    }

    /// Computes the gradients; contract and panics are those of [`backward`].
    pub fn backward(
        &self,
        layout: ChannelsLayout,
        x: Input<'_, E>,
        params: &[&[E]],
        grad_output: &[E],
        grad_x: InputGradient<&mut [E]>,
        grad_params: &mut [Option<&mut [E]>],
    ) {
        match self {
            Self::Compiled(kernels) => (kernels.backward)(layout, x, params, grad_output, grad_x, grad_params),
            Self::Written(program, kernels) => {
                (kernels.backward)(program, layout, x, params, grad_output, grad_x, grad_params)
            }
        }
    }
}

/// `y[n, c, s] = f(x[n, c, s]; params[..][c])`.
///
/// # Panics
/// If a length does not match the layout or the number of parameters.
pub fn forward<F: Formula, E: Element>(layout: ChannelsLayout, x: &[E], params: &[&[E]], y: &mut [E]) {
    assert_eq!(x.len(), layout.len());
    forward_at::<F, E>(Level::current(), layout, Some(x), params, y);
}

/// As [`forward`], with the result written over `x`.
///
/// # Panics
/// If a length does not match the layout or the number of parameters.
pub fn forward_in_place<F: Formula, E: Element>(layout: ChannelsLayout, params: &[&[E]], x: &mut [E]) {
    forward_at::<F, E>(Level::current(), layout, None, params, x);
}

/// Adds the gradients of the parameters (see the module's formulas), and writes, adds or skips that of the input.
///
/// # Panics
/// If a length does not match the layout or the number of parameters.
pub fn backward<F: Formula, E: Element>(
    layout: ChannelsLayout,
    x: Input<'_, E>,
    params: &[&[E]],
    grad_output: &[E],
    grad_x: InputGradient<&mut [E]>,
    grad_params: &mut [Option<&mut [E]>],
) {
    backward_at::<F, E>(Level::current(), layout, x, params, grad_output, grad_x, grad_params);
}

/// Computes `y` from `x` or, without one, from the contents of `y`.
fn forward_at<F: Formula, E: Element>(
    level: Level,
    layout: ChannelsLayout,
    x: Option<&[E]>,
    params: &[&[E]],
    y: &mut [E],
) {
    check::<F, E>(layout, y, params);
    if layout.is_empty() {
        return;
    }
    if layout.is_planar() {
        planes::forward::<F, E>(level, layout, x, params, y);
        return;
    }
    if const { F::LONG_ROWS } && columns::suit(layout) {
        return columns::forward::<F, E>(level, layout, x, params, y);
    }
    rows::forward::<F, E>(level, layout, x, params, y);
}

fn backward_at<F: Formula, E: Element>(
    level: Level,
    layout: ChannelsLayout,
    input: Input<'_, E>,
    params: &[&[E]],
    grad_output: &[E],
    grad_x: InputGradient<&mut [E]>,
    grad_params: &mut [Option<&mut [E]>],
) {
    check::<F, E>(layout, input.x, params);
    assert_eq!(grad_x.grad_output(grad_output).len(), layout.len());
    assert_eq!(grad_params.len(), F::PARAM_COUNT);
    assert!(grad_params.iter().flatten().all(|grad| grad.len() == layout.channels));
    assert!(grad_x.slice().is_none_or(|grad| grad.len() == layout.len()));
    if layout.is_empty() {
        return;
    }

    let wanted = grad_params.iter().any(Option::is_some);
    let grad_output = Some(grad_output);
    let (grad_output, grad_x, accumulate) = match grad_x {
        InputGradient::Skip => (grad_output, None, false),
        InputGradient::Overwrite(grad) => (grad_output, Some(grad), false),
        InputGradient::Accumulate(grad) => (grad_output, Some(grad), true),
        InputGradient::InPlace(grad) => (None, Some(grad), false),
    };
    let Input { x, normalization } = input;
    let pass = Pass { level, layout, x, normalization, params, grad_output, accumulate };
    // `if const` keeps kernels that no formula without parameters runs from being compiled for each of those.
    let sums = if const { F::PARAM_COUNT == 0 } {
        let Some(grad) = grad_x else { return };
        run::<F, E, false>(pass, grad)
    } else {
        match (grad_x, wanted) {
            (None, false) => return,
            (grad, true) => run::<F, E, true>(pass, grad.unwrap_or_default()),
            (Some(grad), false) => run::<F, E, false>(pass, grad),
        }
    };
    for (grad, sums) in grad_params.iter_mut().zip(sums.chunks_exact(layout.channels)) {
        for (grad, &sum) in grad.iter_mut().flat_map(|grad| grad.iter_mut()).zip(sums) {
            *grad = E::of(grad.wide() + sum);
        }
    }
}

fn check<F: Formula, E: Element>(layout: ChannelsLayout, x: &[E], params: &[&[E]]) {
    assert_eq!(x.len(), layout.len());
    assert_eq!(params.len(), F::PARAM_COUNT);
    assert!(params.iter().all(|param| param.len() == layout.channels));
}

/// Computes the gradient of x unless its slice is empty, and returns the sums `[parameters, channels]` for the
/// gradients of the parameters if `PARAMS`, else nothing. `PARAMS` is a constant so that a trained activation whose
/// parameters are frozen runs without the code of those sums, which are most of its work.
fn run<F: Formula, E: Element, const PARAMS: bool>(pass: Pass<'_, E>, grad_x: &mut [E]) -> Vec<f64> {
    if pass.layout.is_planar() {
        return planes::backward::<F, E, PARAMS>(pass, grad_x);
    }
    if const { F::LONG_ROWS } && columns::suit(pass.layout) {
        let mut whole = Vec::new();
        let (x, normalization) = (pass.whole(&mut whole), None);
        return columns::backward::<F, E, PARAMS>(Pass { x, normalization, ..pass }, grad_x);
    }
    rows::backward::<F, E, PARAMS>(pass, grad_x)
}

#[cfg(test)]
mod tests;
