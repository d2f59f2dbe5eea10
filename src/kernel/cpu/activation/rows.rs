//! Narrow channels: along whole rows of `channels * inner` elements, with the parameters spread out over a row.
//!
//! Several rows make a tile, so that short rows fill registers too.

use std::marker::PhantomData;

use super::pieces::{Pass, TASK, deposit, for_each_task, load, pieces, pull_back, sources, store};
use crate::kernel::cpu::simd::{Kernel, Lane, Level, Simd, dispatch_at};
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::{Element, Formula, ParamArray};

/// A tile has at least this many elements, unless the tensor is smaller.
const TILE: usize = 1024;
/// Tiles start at a multiple of this many elements (no register has more), as long as they do not grow beyond `LONG`.
const ALIGN: usize = 16;
pub(super) const LONG: usize = 16 * 1024;
/// Tiles in one task, at least: the sums of a task are folded into its channels once.
pub(super) const TILES: usize = 16;
/// Elements between the parameters of a tile, so that they do not start a multiple of a page apart: loads would wait
/// for stores to the same place of another page, and all compete for the same lines of the first cache level.
const GAP: usize = 272;

/// Rows in one tile.
fn rows_per_tile(layout: ChannelsLayout) -> usize {
    let row = layout.channels * layout.inner;
    // The fewest rows that end on a multiple of ALIGN, a power of two.
    let aligned = ALIGN >> row.trailing_zeros().min(ALIGN.trailing_zeros());
    let aligned = if aligned * row <= LONG { aligned } else { 1 };
    (aligned * TILE.div_ceil(aligned * row)).min(layout.outer)
}

/// The parameters spread out over a tile.
pub(super) struct Tile<E> {
    pub(super) len: usize,
    /// From one parameter to the next, in `params` and in the sums of a task.
    pub(super) stride: usize,
    /// `[parameters, stride]`, a value for each element of the tile.
    pub(super) params: Vec<E>,
}

impl<E: Element> Tile<E> {
    pub(super) fn new(layout: ChannelsLayout, params: &[&[E]]) -> Self {
        let rows = rows_per_tile(layout);
        let len = rows * layout.channels * layout.inner;
        let stride = len + GAP;
        let mut spread = Vec::with_capacity(params.len() * stride);
        for (i, param) in params.iter().enumerate() {
            spread.resize(i * stride, E::zero());
            for _ in 0..rows {
                spread.extend(param.iter().flat_map(|&value| std::iter::repeat_n(value, layout.inner)));
            }
        }
        Tile { len, stride, params: spread }
    }

    /// One row of the features from `start` up to `end`, each with parameters of its own.
    pub(super) fn of_columns(params: &[&[E]], start: usize, end: usize) -> Self {
        let (len, stride) = (end - start, end - start + GAP);
        let mut spread = Vec::with_capacity(params.len() * stride);
        for (i, param) in params.iter().enumerate() {
            spread.resize(i * stride, E::zero());
            spread.extend_from_slice(&param[start..end]);
        }
        Tile { len, stride, params: spread }
    }

    /// Elements in one task.
    pub(super) fn task(&self) -> usize {
        self.len * (TASK / self.len).max(TILES)
    }

    /// The parameters of the elements from `at` on, where the tile ends after `len` elements.
    #[inline(always)]
    fn load<F: Formula, V: Lane<Elem = E>>(&self, len: usize, at: usize) -> F::Params<V> {
        ParamArray::from_fn(|i| load::<V>(&self.params[i * self.stride..][..len], at))
    }
}

pub(super) fn forward<F: Formula, E: Element>(
    level: Level,
    layout: ChannelsLayout,
    x: Option<&[E]>,
    params: &[&[E]],
    y: &mut [E],
) {
    let tile = &Tile::new(layout, params);
    let tasks = sources(x, tile.task()).zip(y.chunks_mut(tile.task())).collect();
    for_each_task(tasks, |_, (x, y)| dispatch_at(level, Forward::<F, E> { tile, x, y, formula: PhantomData }));
}

pub(super) fn backward<F: Formula, E: Element, const PARAMS: bool>(pass: Pass<'_, E>, grad_x: &mut [E]) -> Vec<f64> {
    let Pass { level, layout, x, normalization, params, grad_output, accumulate } = pass;
    let tile = &Tile::new(layout, params);
    let normalize = normalization.map(|normalization| Tile::new(layout, &normalization.coefficients()));
    let normalize = normalize.as_ref();
    let task = tile.task();
    let count = x.len().div_ceil(task);
    let channels = layout.channels;
    // [tasks, parameters, channels]
    let sums = if PARAMS { F::PARAM_COUNT * channels } else { 0 };
    let mut partials = vec![0.0; count * sums];

    let tasks = x
        .chunks(task)
        .zip(sources(grad_output, task))
        .zip(pieces(grad_x, task, count))
        .zip(pieces(&mut partials, sums, count))
        .collect();
    for_each_task(tasks, |_, (((x, grad_output), grad_x), partials)| {
        let mut sums = vec![E::default(); if PARAMS { F::PARAM_COUNT * tile.stride } else { 0 }];
        let body = Backward::<F, E, PARAMS> {
            tile,
            normalize,
            x,
            grad_output,
            accumulate,
            grad_x,
            sums: &mut sums,
            formula: PhantomData,
        };
        dispatch_at(level, body);
        for (partials, sums) in partials.chunks_exact_mut(channels).zip(sums.chunks_exact(tile.stride)) {
            fold(&sums[..tile.len], layout.inner, partials);
        }
    });

    let mut total = vec![0.0; sums];
    if sums > 0 {
        for partials in partials.chunks_exact(sums) {
            for (total, partial) in total.iter_mut().zip(partials) {
                *total += partial;
            }
        }
    }
    total
}

/// Adds the sums over a tile to those of its channels.
pub(super) fn fold<E: Element>(sums: &[E], inner: usize, partials: &mut [f64]) {
    for row in sums.chunks_exact(partials.len() * inner) {
        if inner == 1 {
            // The same as below, which is slow on single elements.
            partials.iter_mut().zip(row).for_each(|(partial, sum)| *partial += sum.wide());
        } else {
            for (partial, sums) in partials.iter_mut().zip(row.chunks_exact(inner)) {
                *partial += sums.iter().map(|sum| sum.wide()).sum::<f64>();
            }
        }
    }
}

/// Tiles one after the other; the last may be cut short. Without `x`, they are computed from the contents of `y`.
struct Forward<'a, F, E> {
    tile: &'a Tile<E>,
    x: Option<&'a [E]>,
    y: &'a mut [E],
    formula: PhantomData<F>,
}

impl<F: Formula, E: Element> Kernel for Forward<'_, F, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for (x, y) in sources(self.x, self.tile.len).zip(self.y.chunks_mut(self.tile.len)) {
            tile_forward::<F, E::Lane<S>>(self.tile, x, y);
        }
    }
}

#[inline(always)]
pub(super) fn tile_forward<F: Formula, V: Lane>(tile: &Tile<V::Elem>, x: Option<&[V::Elem]>, y: &mut [V::Elem]) {
    for at in (0..y.len()).step_by(V::WIDTH) {
        let x = load::<V>(x.unwrap_or(y), at);
        store(F::f(x, tile.load::<F, V>(y.len(), at)), y, at);
    }
}

/// Tiles one after the other; the last may be cut short. `grad_x` is empty if it is not wanted; `sums`,
/// `[parameters, stride]`, is empty unless `PARAMS`.
struct Backward<'a, F, E, const PARAMS: bool> {
    tile: &'a Tile<E>,
    /// Factors and summands that make the input of `x`, spread out as parameters are.
    normalize: Option<&'a Tile<E>>,
    x: &'a [E],
    grad_output: Option<&'a [E]>,
    accumulate: bool,
    grad_x: &'a mut [E],
    sums: &'a mut [E],
    formula: PhantomData<F>,
}

impl<F: Formula, E: Element, const PARAMS: bool> Kernel for Backward<'_, F, E, PARAMS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Backward { tile, normalize, accumulate, grad_x, sums, .. } = self;
        let wanted = !grad_x.is_empty();
        let mut start = 0;
        for (x, grad_output) in self.x.chunks(tile.len).zip(sources(self.grad_output, tile.len)) {
            let grad_x = if wanted { &mut grad_x[start..][..x.len()] } else { &mut [][..] };
            let input = TileInput { x, normalize, grad_output, accumulate };
            tile_backward::<F, E::Lane<S>, PARAMS>(tile, input, grad_x, sums);
            start += tile.len;
        }
    }
}

/// The arguments of [`tile_backward`] that it reads, for a tile or the beginning of one, as [`Backward`] has them.
pub(super) struct TileInput<'a, E> {
    pub(super) x: &'a [E],
    pub(super) normalize: Option<&'a Tile<E>>,
    pub(super) grad_output: Option<&'a [E]>,
    pub(super) accumulate: bool,
}

#[inline(always)]
pub(super) fn tile_backward<F: Formula, V: Lane, const PARAMS: bool>(
    tile: &Tile<V::Elem>,
    TileInput { x, normalize, grad_output, accumulate }: TileInput<'_, V::Elem>,
    grad_x: &mut [V::Elem],
    sums: &mut [V::Elem],
) {
    for at in (0..x.len()).step_by(V::WIDTH) {
        let params = tile.load::<F, V>(x.len(), at);
        let mut input = load::<V>(x, at);
        if let Some(Tile { stride, params: coefficients, .. }) = normalize {
            let (factors, summands) = (&coefficients[..x.len()], &coefficients[*stride..][..x.len()]);
            input = input * load(factors, at) + load(summands, at);
        }
        let (dx, dparams) = pull_back::<F, V>(input, load(grad_output.unwrap_or(grad_x), at), params);
        if !grad_x.is_empty() {
            deposit(dx, grad_x, at, accumulate);
        }
        if PARAMS {
            for (i, &d) in dparams.as_slice().iter().enumerate() {
                deposit(d, &mut sums[i * tile.stride..][..x.len()], at, true);
            }
        }
    }
}
