//! Helpers shared by all ways through a tensor: the inputs of a backward pass, pieces of slices, and loads and stores
//! of registers that end where a slice does.

use crate::kernel::cpu::batch_norm::Normalization;
use crate::kernel::cpu::simd::{Lane, Level};
use crate::kernel::cpu::tasks::each;
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::{Element, Formula, ParamArray};

/// The inputs of a backward pass.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a, E> {
    pub(super) level: Level,
    pub(super) layout: ChannelsLayout,
    pub(super) x: &'a [E],
    /// The batch norm that makes the input of `x`; `None` where `x` is the input.
    pub(super) normalization: Option<&'a Normalization<E>>,
    pub(super) params: &'a [&'a [E]],
    /// The gradient of the output; `None` where the slice for the gradient of x holds it and is overwritten.
    pub(super) grad_output: Option<&'a [E]>,
    /// True if the gradient of x is added to the contents of its slice.
    pub(super) accumulate: bool,
}

impl<'a, E: Element> Pass<'a, E> {
    /// The whole input; `values` is for one that is computed.
    pub(super) fn whole<'w>(&self, values: &'w mut Vec<E>) -> &'w [E]
    where
        'a: 'w,
    {
        let Some(normalization) = self.normalization else { return self.x };
        values.resize(self.x.len(), E::zero());
        normalization.write(self.level, 0, self.x, values);
        values
    }
}

/// A register from `at` on; past the end, zeros. One path for full registers and tails, so that the formula, which can
/// be long, is compiled once in a kernel.
#[inline(always)]
pub(super) fn load<V: Lane>(source: &[V::Elem], at: usize) -> V {
    match source.get(at..at + V::WIDTH) {
        Some(full) => V::load(full),
        None => V::load_partial(&source[at..]),
    }
}

/// Writes a register from `at` on, up to the end.
#[inline(always)]
pub(super) fn store<V: Lane>(register: V, target: &mut [V::Elem], at: usize) {
    match target.get_mut(at..at + V::WIDTH) {
        Some(full) => register.store(full),
        None => register.store_partial(&mut target[at..]),
    }
}

/// Writes a gradient from `at` on, up to the end, or adds it to the contents.
#[inline(always)]
pub(super) fn deposit<V: Lane>(gradient: V, target: &mut [V::Elem], at: usize, accumulate: bool) {
    let gradient = if accumulate { load::<V>(target, at) + gradient } else { gradient };
    store(gradient, target, at);
}

/// Multiplies the derivatives at x by the gradient of the output.
#[inline(always)]
pub(super) fn pull_back<F: Formula, V: Lane>(x: V, grad_output: V, params: F::Params<V>) -> (V, F::Params<V>) {
    let (dx, dparams) = F::df(x, params);
    (grad_output * dx, ParamArray::from_fn(|i| grad_output * dparams.as_slice()[i]))
}

/// Elements that one task handles, about: long enough to hide the cost of handing it out, short enough for the second
/// cache level.
pub(super) const TASK: usize = 32 * 1024;

/// Cuts a slice into `count` pieces of `size` elements (the last may be shorter). An empty slice stands for an output
/// that is not wanted, and gives empty pieces.
pub(super) fn pieces<T>(slice: &mut [T], size: usize, count: usize) -> Vec<&mut [T]> {
    if slice.is_empty() {
        return std::iter::repeat_with(Default::default).take(count).collect();
    }
    slice.chunks_mut(size).collect()
}

/// Pieces of `size` elements of an input, without end; nothing for each where there is none.
pub(super) fn sources<E>(x: Option<&[E]>, size: usize) -> impl Iterator<Item = Option<&[E]>> {
    let mut rest = x;
    std::iter::repeat_with(move || {
        let (piece, after) = rest?.split_at(size.min(rest?.len()));
        rest = Some(after);
        Some(piece)
    })
}

/// Runs the tasks with their numbers.
pub(super) fn for_each_task<T: Send>(tasks: Vec<T>, run: impl Fn(usize, T) + Send + Sync) {
    each(tasks.into_iter().enumerate(), |(number, task)| run(number, task));
}
