//! The product of the weight and bands of pixels.

use std::marker::PhantomData;

use super::pixels::{Channels, PixelMap, Run, Source, pack};
use super::windows::Windows;
use crate::kernel::cpu::blocks::{Block, even_part, grid};
use crate::kernel::cpu::conv2d::forward::Start;
use crate::kernel::cpu::copy::{Strided, copy_run, transpose_into};
use crate::kernel::cpu::registers::{MAX_BAND, Stretch, Sums, band, column_sums, in_pieces, row_sums};
use crate::kernel::cpu::simd::{Kernel, Lane, Level, Simd, dispatch_at};
use crate::kernel::cpu::tasks::{TASK, each, threads};
use crate::kernel::cpu::workspace::{Buffer, with_kept};
use crate::kernel::element::Element;
use crate::kernel::write::Write;

/// Pixels that are packed at once.
const PIXELS: usize = 256;
/// Pixels of a task, about, of several images where they are small: bands that are full of pixels of several waste
/// nothing.
const GROUP: usize = 1024;
/// Pixels below which weights are read where they lie: rows of them drive each other out of the first cache level, but
/// packing takes longer.
const WORTH_PACKING: usize = 256;
/// Channels that are packed at once: with the pixels they stay in the second cache level.
const DEPTH: usize = 256;

/// The weights, output by input.
#[derive(Clone, Copy, Debug)]
pub enum Factor<'a, E> {
    /// The matrix as `[outputs, inputs]`.
    Rows(&'a [E]),
    /// The matrix as `[inputs, outputs]`.
    Columns(&'a [E]),
}

/// The source of the values of the pixels.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a, E> {
    /// Images as they lie.
    Planes(Source<'a, E>),
    /// Taps of windows in split images, and the index at which each tap of each channel begins.
    Windows(Windows<'a, E>, &'a [usize]),
}

/// `y[n, o, q] = sum over c of weight[o, c] x[n, c, q]`.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a, E> {
    pub batch: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub weight: Factor<'a, E>,
    pub x: Input<'a, E>,
    /// The pixels in `y`, and the elements of a plane of it.
    pub to: PixelMap,
    pub plane: usize,
}

/// The working memory of a task.
#[derive(Debug, Default)]
struct Workspace<E> {
    /// Images as [`Windows::split`] writes them.
    split: Buffer<E>,
    packed: Buffer<E>,
    /// Columns of the weight, one after another.
    weights: Buffer<E>,
    from: Vec<Run>,
    to: Vec<Run>,
}

/// The weights in the order in which they are read.
#[derive(Debug, Default)]
struct Packed<E>(Buffer<E>);

/// Computes the product, in parallel over groups of images and, where those are few, over output channels: each sum is
/// one task's, in the same order, however the channels are split.
pub fn run<E: Element>(problem: &Problem<'_, E>, start: Start<'_, E>, y: &mut [E]) {
    let Problem { batch, inputs, outputs, weight, to, plane, .. } = *problem;
    let level = Level::current();
    let threads = threads();
    // A group a thread rather than full ones, unless they are small.
    let images = even_part(batch, (GROUP / to.pixels).min(batch.div_ceil(threads).max(PIXELS / to.pixels)));
    let groups = batch.div_ceil(images);
    let parts = if groups % threads == 0 || groups >= 4 * threads { 1 } else { threads };
    let channels = outputs.div_ceil(parts);
    let multiply = |weights: Weights<'_, E>, y: &mut [E]| {
        let blocks = grid(y, outputs * plane, images, channels * plane);
        each(blocks, |block| {
            with_kept(|workspace: &mut Workspace<E>| {
                dispatch_at(level, Multiply { problem, weights, start, block, workspace });
            });
        });
    };
    if batch * to.pixels < WORTH_PACKING {
        return multiply(Weights::InPlace(weight), y);
    }
    with_kept(|Packed(packed): &mut Packed<E>| {
        let packed = packed.take(inputs * outputs);
        pack_weights(level, weight, [inputs, outputs], channels, packed);
        multiply(Weights::Packed(packed), y);
    });
}

/// The weights as products read them.
#[derive(Clone, Copy, Debug)]
enum Weights<'a, E> {
    /// As they lie; columns are gathered for each piece of outputs.
    InPlace(Factor<'a, E>),
    /// For each piece of outputs that is computed at once, `[inputs, outputs of the piece]`.
    Packed(&'a [E]),
}

/// Brings weights into the order of [`Weights::Packed`], for blocks of `channels` outputs.
fn pack_weights<E: Element>(
    level: Level,
    weight: Factor<'_, E>,
    [inputs, outputs]: [usize; 2],
    channels: usize,
    packed: &mut [E],
) {
    let mut pieces = Vec::new();
    let mut first = 0;
    for mut rest in packed.chunks_mut(channels * inputs) {
        for size in dispatch_at(level, Pieces::<E> { rows: rest.len() / inputs, element: PhantomData }) {
            let (to, after) = rest.split_at_mut(size * inputs);
            pieces.push(PackPiece { weight, inputs, outputs, first, to });
            (first, rest) = (first + size, after);
        }
    }
    let largest = pieces.iter().map(|piece| piece.to.len()).max().unwrap_or(1);
    each(pieces.chunks_mut(TASK.div_ceil(largest)), |pieces| {
        pieces.iter_mut().for_each(|piece| dispatch_at(level, piece));
    });
}

/// The sizes of the pieces that rows are computed in.
struct Pieces<E> {
    rows: usize,
    element: PhantomData<E>,
}

impl<E: Element> Kernel for Pieces<E> {
    type Output = Vec<usize>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Vec<usize> {
        let mut pieces = Vec::new();
        in_pieces!(E::Lane<S>, self.rows, |_row, N| pieces.push(N));
        pieces
    }
}

/// Packs the weights of some outputs from `first` on.
struct PackPiece<'a, 'p, E> {
    weight: Factor<'a, E>,
    inputs: usize,
    outputs: usize,
    first: usize,
    to: &'p mut [E],
}

impl<E: Element> Kernel for &mut PackPiece<'_, '_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let PackPiece { weight, inputs, outputs, first, to } = self;
        let (inputs, outputs, first) = (*inputs, *outputs, *first);
        let count = to.len() / inputs;
        match weight {
            Factor::Rows(weight) => {
                let mut to = Strided { data: to, stride: count };
                transpose_into::<S, E>(&weight[first * inputs..], inputs, count, inputs, &mut to, Write::Replace);
            }
            Factor::Columns(weight) => {
                for (to, from) in to.chunks_exact_mut(count).zip(weight.chunks_exact(outputs)) {
                    copy_run(&from[first..][..count], to);
                }
            }
        }
    }
}

/// The output channels and images of a block.
struct Multiply<'a, 'y, E> {
    problem: &'a Problem<'a, E>,
    weights: Weights<'a, E>,
    start: Start<'a, E>,
    block: Block<'y, E>,
    workspace: &'a mut Workspace<E>,
}

impl<E: Element> Kernel for Multiply<'_, '_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { problem, weights, start, mut block, workspace } = self;
        let Problem { inputs, outputs, x, to, plane, .. } = *problem;
        let lanes = band::<E::Lane<S>>();
        let (first_output, channels) = (block.col / plane, block.width() / plane);
        let total = block.rows.len() * to.pixels;
        if to.step != 1 && matches!(start, Start::Replace(_)) {
            // Most of these pixels take no part.
            block.rows.iter_mut().for_each(|image| image.fill(E::zero()));
        }
        let depth = even_part(inputs, DEPTH);
        let (source, first_image) = match x {
            Input::Planes(source) => (source, block.row),
            Input::Windows(windows, taps) => {
                let split = workspace.split.take(block.rows.len() * windows.image());
                windows.split(block.row..block.row + block.rows.len(), split);
                let channels = Channels::Table(taps);
                (Source { data: &*split, image: windows.image(), channels, map: windows.map() }, 0)
            }
        };
        for first in (0..total).step_by(PIXELS) {
            let pixels = first..total.min(first + PIXELS);
            source.map.runs(pixels.clone(), lanes, &mut workspace.from);
            to.runs(pixels.clone(), lanes, &mut workspace.to);
            let bands = pixels.len().div_ceil(lanes);
            for k in (0..inputs).step_by(depth) {
                let depth = depth.min(inputs - k);
                let packed = workspace.packed.take(bands * depth * lanes);
                pack::<S, E>(source, first_image, &workspace.from, k..k + depth, packed);
                let how = if k > 0 { Start::Add } else { start };
                in_pieces!(E::Lane<S>, channels, |row, N| {
                    // The weights of these channels stay in the first cache level, the bands come from the second.
                    let first = first_output + row;
                    let own = match weights {
                        Weights::InPlace(Factor::Rows(weight)) => &weight[first * inputs + k..],
                        Weights::InPlace(Factor::Columns(weight)) => {
                            let own = workspace.weights.take(depth * N);
                            let from = weight[k * outputs..].chunks_exact(outputs);
                            for (to, from) in own.as_chunks_mut::<N>().0.iter_mut().zip(from) {
                                *to = *from[first..].first_chunk().expect("as many columns");
                            }
                            own
                        }
                        Weights::Packed(weight) => &weight[first * inputs + k * N..][..depth * N],
                    };
                    let mut runs = &workspace.to[..];
                    for (index, packed) in packed.chunks_exact(depth * lanes).enumerate() {
                        let (here, rest) = runs.split_at(runs.iter().take_while(|run| run.band == index).count());
                        runs = rest;
                        if let [Run { len, image, start, .. }] = *here
                            && to.step == 1
                        {
                            // Where the sums go comes from memory while they are added up: a store that misses every
                            // cache level holds up those behind it.
                            let lines = block.rows[image][row * plane..].chunks(plane).take(N);
                            lines.for_each(|plane| S::prefetch(&plane[start..][..len]));
                        }
                        let sums: Sums<E::Lane<S>, N> = match weights {
                            Weights::InPlace(Factor::Rows(_)) => row_sums(own, inputs, packed, depth),
                            _ => column_sums(std::iter::once(Stretch { b: own, a: packed, depth }), 0, N),
                        };
                        put::<E::Lane<S>, N>(sums, how, (first_output, row), here, (to.step, plane), &mut block.rows);
                    }
                });
            }
        }
    }
}

/// Writes the sums of `N` channels for a band of pixels, or adds them to what is there.
#[inline(always)]
fn put<V: Lane, const N: usize>(
    mut sums: Sums<V, N>,
    how: Start<'_, V::Elem>,
    (first_output, row): (usize, usize),
    runs: &[Run],
    (step, plane): (usize, usize),
    images: &mut [&mut [V::Elem]],
) {
    if let Start::Replace(Some(bias)) = how {
        let bias: &[_; N] = bias[first_output + row..].first_chunk().expect("as many outputs");
        for (sums, &bias) in sums.iter_mut().zip(bias) {
            let bias = V::splat(bias);
            sums.iter_mut().for_each(|sum| *sum = *sum + bias);
        }
    }
    let add = matches!(how, Start::Add);
    if let [Run { len, image, start, .. }] = *runs
        && len == band::<V>()
        && step == 1
    {
        let lines = images[image][row * plane..].chunks_mut(plane).map(|plane| &mut plane[start..][..len]);
        if add {
            for (to, sums) in lines.zip(&sums) {
                for (to, &sum) in to.chunks_exact_mut(V::WIDTH).zip(sums) {
                    (V::load(to) + sum).store(to);
                }
            }
        } else {
            for (to, sums) in lines.zip(&sums) {
                for (to, &sum) in to.chunks_exact_mut(V::WIDTH).zip(sums) {
                    sum.store(to);
                }
            }
        }
        return;
    }
    for (row, sums) in (row..).zip(sums) {
        let mut values = [V::Elem::default(); MAX_BAND];
        for (r, sum) in sums.into_iter().enumerate() {
            sum.store(&mut values[r * V::WIDTH..]);
        }
        for run in runs {
            let to = &mut images[run.image][row * plane + run.start..];
            let values = &values[run.lane..][..run.len];
            match (step, add) {
                (1, false) => copy_run(values, &mut to[..run.len]),
                (1, true) => to.iter_mut().zip(values).for_each(|(to, &value)| *to = *to + value),
                _ => {
                    for (to, &value) in to.iter_mut().step_by(step).zip(values) {
                        *to = if add { *to + value } else { value };
                    }
                }
            }
        }
    }
}
