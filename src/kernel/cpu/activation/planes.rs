//! Wide channels: one (n, c) plane after the other, its parameters the same in every lane.

use std::marker::PhantomData;

use super::pieces::{Pass, TASK, deposit, for_each_task, load, pieces, pull_back, sources, store};
use crate::kernel::cpu::batch_norm::Normalization;
use crate::kernel::cpu::simd::{Kernel, Lane, Level, MAX_WIDTH, Simd, dispatch_at, widest};
use crate::kernel::cpu::sums::halve;
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::{Element, Formula, ParamArray};

/// Elements added up in a partial sum before it moves on to `f64`: bounds the rounding error of long planes.
const FOLD: usize = 64;

/// Whole planes in one task.
pub(super) fn planes_per_task(layout: ChannelsLayout) -> usize {
    (TASK / layout.inner).max(1)
}

pub(super) fn forward<F: Formula, E: Element>(
    level: Level,
    layout: ChannelsLayout,
    x: Option<&[E]>,
    params: &[&[E]],
    y: &mut [E],
) {
    let planes = planes_per_task(layout);
    let size = planes * layout.inner;
    let tasks = sources(x, size).zip(y.chunks_mut(size)).collect();
    for_each_task(tasks, |task, (x, y)| {
        dispatch_at(level, Forward::<F, E> { layout, first: task * planes, x, params, y, formula: PhantomData });
    });
}

pub(super) fn backward<F: Formula, E: Element, const PARAMS: bool>(pass: Pass<'_, E>, grad_x: &mut [E]) -> Vec<f64> {
    let Pass { level, layout, x, grad_output, .. } = pass;
    let planes = planes_per_task(layout);
    let size = planes * layout.inner;
    // [outer, channels, parameters]
    let count = if PARAMS { layout.outer * layout.channels * F::PARAM_COUNT } else { 0 };
    let mut partials = vec![0.0; count];

    let count = x.len().div_ceil(size);
    let tasks = x
        .chunks(size)
        .zip(sources(grad_output, size))
        .zip(pieces(grad_x, size, count))
        .zip(pieces(&mut partials, planes * F::PARAM_COUNT, count))
        .collect();
    for_each_task(tasks, |task, (((x, grad_output), grad_x), partials)| {
        let part = Pass { x, grad_output, ..pass };
        let first = task * planes;
        let formula = PhantomData::<F>;
        dispatch_at(level, Backward::<F, E, PARAMS> { pass: part, first, grad_x, partials, formula });
    });

    let mut sums = vec![0.0; if PARAMS { F::PARAM_COUNT * layout.channels } else { 0 }];
    if !sums.is_empty() {
        for (plane, partials) in partials.chunks_exact(F::PARAM_COUNT).enumerate() {
            for (param, partial) in partials.iter().enumerate() {
                sums[param * layout.channels + plane % layout.channels] += partial;
            }
        }
    }
    sums
}

/// The parameters of one channel, in every lane.
#[inline(always)]
fn splat<F: Formula, V: Lane>(params: &[&[V::Elem]], channel: usize) -> F::Params<V> {
    ParamArray::from_fn(|i| V::splat(params[i][channel]))
}

/// Planes from number `first` on; without `x`, computed from the contents of `y`.
struct Forward<'a, F, E> {
    layout: ChannelsLayout,
    first: usize,
    x: Option<&'a [E]>,
    params: &'a [&'a [E]],
    y: &'a mut [E],
    formula: PhantomData<F>,
}

impl<F: Formula, E: Element> Kernel for Forward<'_, F, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let ChannelsLayout { channels, inner, .. } = self.layout;
        for (plane, y) in self.y.chunks_exact_mut(inner).enumerate() {
            let params = splat::<F, E::Lane<S>>(self.params, (self.first + plane) % channels);
            let x = self.x.map(|x| &x[plane * inner..][..inner]);
            plane_forward::<F, E::Lane<S>>(x, params, y);
        }
    }
}

#[inline(always)]
fn plane_forward<F: Formula, V: Lane>(x: Option<&[V::Elem]>, params: F::Params<V>, y: &mut [V::Elem]) {
    for at in (0..y.len()).step_by(V::WIDTH) {
        let x = load::<V>(x.unwrap_or(y), at);
        store(F::f(x, params), y, at);
    }
}

/// Planes from number `first` on, with their part of x and of the gradient of the output. `grad_x` is empty if it is
/// not wanted; `partials`, `[planes, parameters]`, is empty unless `PARAMS`.
struct Backward<'a, F, E, const PARAMS: bool> {
    pass: Pass<'a, E>,
    first: usize,
    grad_x: &'a mut [E],
    partials: &'a mut [f64],
    formula: PhantomData<F>,
}

impl<F: Formula, E: Element, const PARAMS: bool> Kernel for Backward<'_, F, E, PARAMS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Pass { layout: ChannelsLayout { channels, inner, .. }, x, params, grad_output, .. } = self.pass;
        let coefficients = self.pass.normalization.map(Normalization::coefficients);
        let wanted = !self.grad_x.is_empty();
        for (plane, x) in x.chunks_exact(inner).enumerate() {
            let grad_output = grad_output.map(|grad_output| &grad_output[plane * inner..][..inner]);
            let channel = (self.first + plane) % channels;
            let params = splat::<F, E::Lane<S>>(params, channel);
            let normalize = coefficients.map(|values| values.map(|values| <E::Lane<S>>::splat(values[channel])));
            let input = PlaneInput { x, normalize, grad_output, accumulate: self.pass.accumulate };
            let grad_x = if wanted { &mut self.grad_x[plane * inner..][..inner] } else { &mut [][..] };
            let partials = if PARAMS { &mut self.partials[plane * F::PARAM_COUNT..] } else { &mut [][..] };
            plane_backward::<F, E::Lane<S>, PARAMS>(input, params, grad_x, partials);
        }
    }
}

/// The arguments of [`plane_backward`] that it reads, for one plane, as [`Pass`] has them.
struct PlaneInput<'a, V: Lane> {
    x: &'a [V::Elem],
    /// Factor and summand that make the input of `x`.
    normalize: Option<[V; 2]>,
    grad_output: Option<&'a [V::Elem]>,
    accumulate: bool,
}

/// Adds the sums for the parameters to `partials`.
#[inline(always)]
fn plane_backward<F: Formula, V: Lane, const PARAMS: bool>(
    PlaneInput { x, normalize, grad_output, accumulate }: PlaneInput<'_, V>,
    params: F::Params<V>,
    grad_x: &mut [V::Elem],
    partials: &mut [f64],
) {
    // Element `i` is added to partial sum `i` modulo their number, at any register width.
    let count = widest::<V::Elem>();
    let span = FOLD * count;
    for start in (0..x.len()).step_by(span) {
        // The first `count / V::WIDTH` registers are in use.
        let mut sums: [F::Params<V>; MAX_WIDTH] = [ParamArray::from_fn(|_| V::of(0.0)); MAX_WIDTH];
        for group in (start..x.len().min(start + span)).step_by(count) {
            for (at, sums) in (group..x.len()).step_by(V::WIDTH).zip(&mut sums[..count / V::WIDTH]) {
                let input = load::<V>(x, at);
                let input = normalize.map_or(input, |[factor, summand]| input * factor + summand);
                let (dx, dparams) = pull_back::<F, V>(input, load(grad_output.unwrap_or(grad_x), at), params);
                if !grad_x.is_empty() {
                    deposit(dx, grad_x, at, accumulate);
                }
                if PARAMS {
                    for (sum, &d) in sums.as_mut_slice().iter_mut().zip(dparams.as_slice()) {
                        *sum = *sum + first(d, x.len() - at);
                    }
                }
            }
        }
        if PARAMS {
            for (param, partial) in partials.iter_mut().enumerate().take(F::PARAM_COUNT) {
                let mut elements = [<V::Elem as Default>::default(); MAX_WIDTH];
                for (elements, sums) in elements[..count].chunks_exact_mut(V::WIDTH).zip(&sums) {
                    sums.as_slice()[param].store(elements);
                }
                *partial += halve(&mut elements[..count]).wide();
            }
        }
    }
}

/// The first `len` elements, and zero in the other lanes: past the end of a plane a derivative can be infinite, and
/// then its product with a `grad_output` of zero is not zero.
#[inline(always)]
pub(super) fn first<V: Lane>(register: V, len: usize) -> V {
    if len >= V::WIDTH {
        return register;
    }
    let mut elements = [<V::Elem as Default>::default(); MAX_WIDTH];
    register.store_partial(&mut elements[..len]);
    V::load(&elements)
}
