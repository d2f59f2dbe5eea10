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
mod planes;
pub mod program;
mod rows;

use std::fmt::{self, Debug};

use super::ChannelsLayout;
use super::simd::{Lane, Level};
use super::tasks::each;
pub use super::write::InputGradient;
use crate::kernel::{Element, Formula, ParamArray};

/// `(layout, x, parameters, y)`; overwrites y.
pub type Forward<E> = fn(ChannelsLayout, &[E], &[&[E]], &mut [E]);

/// `(layout, parameters, x)`; overwrites x by y.
pub type ForwardInPlace<E> = fn(ChannelsLayout, &[&[E]], &mut [E]);

/// `(layout, x, parameters, grad_output, gradient of x, gradient of each parameter)`.
///
/// The gradients of parameters are added to what the slices hold; `None` for one that is not wanted.
pub type Backward<E> = fn(ChannelsLayout, &[E], &[&[E]], &[E], InputGradient<&mut [E]>, &mut [Option<&mut [E]>]);

/// The kernels of one activation in one element type.
pub struct Kernels<E: 'static> {
    /// [`forward`].
    pub forward: Forward<E>,
    /// [`forward_in_place`].
    pub forward_in_place: ForwardInPlace<E>,
    /// [`backward`].
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

/// What computes an activation.
#[derive(Clone, Copy, Debug)]
pub enum Computation<E: 'static> {
    /// Kernels that are compiled for its formula.
    Compiled(Kernels<E>),
    /// A list of operations, for a formula that is known only when the program runs.
    Written(&'static program::Program),
}

impl<E: Element> Computation<E> {
    /// See [`forward`].
    pub fn forward(&self, layout: ChannelsLayout, x: &[E], params: &[&[E]], y: &mut [E]) {
        match self {
            Self::Compiled(kernels) => (kernels.forward)(layout, x, params, y),
            Self::Written(program) => (E::cpu().written)(program, layout, x, params, y),
        }
    }

    /// See [`forward_in_place`].
    pub fn forward_in_place(&self, layout: ChannelsLayout, params: &[&[E]], x: &mut [E]) {
        match self {
            Self::Compiled(kernels) => (kernels.forward_in_place)(layout, params, x),
            Self::Written(program) => (E::cpu().written_in_place)(program, layout, params, x),
        }
    }

    /// See [`backward`].
    pub fn backward(
        &self,
        layout: ChannelsLayout,
        x: &[E],
        params: &[&[E]],
        grad_output: &[E],
        grad_x: InputGradient<&mut [E]>,
        grad_params: &mut [Option<&mut [E]>],
    ) {
        match self {
            Self::Compiled(kernels) => (kernels.backward)(layout, x, params, grad_output, grad_x, grad_params),
            Self::Written(program) => {
                (E::cpu().written_backward)(program, layout, x, params, grad_output, grad_x, grad_params)
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

/// As [`forward`], from and to the same place.
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
    x: &[E],
    params: &[&[E]],
    grad_output: &[E],
    grad_x: InputGradient<&mut [E]>,
    grad_params: &mut [Option<&mut [E]>],
) {
    backward_at::<F, E>(Level::current(), layout, x, params, grad_output, grad_x, grad_params);
}

/// From `x`, or from what `y` holds.
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
    x: &[E],
    params: &[&[E]],
    grad_output: &[E],
    grad_x: InputGradient<&mut [E]>,
    grad_params: &mut [Option<&mut [E]>],
) {
    check::<F, E>(layout, x, params);
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
    let pass = Pass { level, layout, x, params, grad_output, accumulate };
    // `if const` keeps kernels that no formula without parameters runs from being compiled for each of those.
    let sums = if const { F::PARAM_COUNT == 0 } {
        let Some(grad) = grad_x else { return };
        pass.run::<F, false>(grad)
    } else {
        match (grad_x, wanted) {
            (None, false) => return,
            (grad, true) => pass.run::<F, true>(grad.unwrap_or_default()),
            (Some(grad), false) => pass.run::<F, false>(grad),
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

/// What a backward pass reads.
#[derive(Clone, Copy)]
struct Pass<'a, E> {
    level: Level,
    layout: ChannelsLayout,
    x: &'a [E],
    params: &'a [&'a [E]],
    /// Unless the gradient of x takes its place.
    grad_output: Option<&'a [E]>,
    /// Whether the gradient of x is added to what is there.
    accumulate: bool,
}

impl<E: Element> Pass<'_, E> {
    /// Computes the gradient of x unless its slice is empty, and returns the sums `[parameters, channels]` for the
    /// gradients of the parameters if `PARAMS`, else nothing. Those are a choice of the compiler's, for what computes
    /// them is most of the work of a trained activation that is frozen.
    fn run<F: Formula, const PARAMS: bool>(self, grad_x: &mut [E]) -> Vec<f64> {
        if self.layout.is_planar() {
            return planes::backward::<F, E, PARAMS>(self, grad_x);
        }
        if const { F::LONG_ROWS } && columns::suit(self.layout) {
            return columns::backward::<F, E, PARAMS>(self, grad_x);
        }
        rows::backward::<F, E, PARAMS>(self, grad_x)
    }
}

/// A register from `at` on; past the end, zeros. One path for full registers and tails, so that the formula, which can
/// be long, is compiled once in a kernel.
#[inline(always)]
fn load<V: Lane>(source: &[V::Elem], at: usize) -> V {
    match source.get(at..at + V::WIDTH) {
        Some(full) => V::load(full),
        None => V::load_partial(&source[at..]),
    }
}

/// Writes a register from `at` on, up to the end.
#[inline(always)]
fn store<V: Lane>(register: V, target: &mut [V::Elem], at: usize) {
    match target.get_mut(at..at + V::WIDTH) {
        Some(full) => register.store(full),
        None => register.store_partial(&mut target[at..]),
    }
}

/// Writes a gradient from `at` on, up to the end, or adds it to what is there.
#[inline(always)]
fn deposit<V: Lane>(gradient: V, target: &mut [V::Elem], at: usize, accumulate: bool) {
    let gradient = if accumulate { load::<V>(target, at) + gradient } else { gradient };
    store(gradient, target, at);
}

/// Multiplies the derivatives at x by the gradient of the output.
#[inline(always)]
fn pull_back<F: Formula, V: Lane>(x: V, grad_output: V, params: F::Params<V>) -> (V, F::Params<V>) {
    let (dx, dparams) = F::df(x, params);
    (grad_output * dx, ParamArray::from_fn(|i| grad_output * dparams.as_slice()[i]))
}

/// Elements that one task handles, about: long enough to hide the cost of handing it out, short enough for the second
/// cache level.
const TASK: usize = 32 * 1024;

/// Cuts a slice into `count` pieces of `size` elements (the last may be shorter). An empty slice stands for an output
/// that is not wanted, and gives empty pieces.
fn pieces<T>(slice: &mut [T], size: usize, count: usize) -> Vec<&mut [T]> {
    if slice.is_empty() {
        return std::iter::repeat_with(Default::default).take(count).collect();
    }
    slice.chunks_mut(size).collect()
}

/// Pieces of `size` elements of an input, without end; nothing for each where there is none.
fn sources<E>(x: Option<&[E]>, size: usize) -> impl Iterator<Item = Option<&[E]>> {
    let mut rest = x;
    std::iter::repeat_with(move || {
        let (piece, after) = rest?.split_at(size.min(rest?.len()));
        rest = Some(after);
        Some(piece)
    })
}

/// Runs the tasks with their numbers.
fn for_each_task<T: Send>(tasks: Vec<T>, run: impl Fn(usize, T) + Send + Sync) {
    each(tasks.into_iter().enumerate(), |(number, task)| run(number, task));
}

#[cfg(test)]
mod tests;
