//! The product of the weight and bands of pixels.

use rayon::prelude::*;

use super::pixels::{PixelMap, Run, Source, pack};
use crate::kernel::cpu::blocks::{Block, even_part, grid};
use crate::kernel::cpu::conv2d::forward::Start;
use crate::kernel::cpu::conv2d::product::{MAX_BAND, REGISTERS, Stretch, Sums, band, column_sums, in_pieces, row_sums};
use crate::kernel::cpu::scratch::{Buffer, with_kept};
use crate::kernel::cpu::simd::{Kernel, Lane, Level, Simd, dispatch_at};
use crate::kernel::element::Element;

/// Pixels that are packed at once.
const PIXELS: usize = 256;
/// Channels that are packed at once: with the pixels they stay in the second cache level.
const DEPTH: usize = 256;

/// The weights, output by input.
#[derive(Clone, Copy, Debug)]
pub enum Factor<'a, E> {
    /// `[outputs, inputs]`.
    Rows(&'a [E]),
    /// `[inputs, outputs]`.
    Columns(&'a [E]),
}

/// `y[n, o, q] = sum over c of weight[o, c] x[n, c, q]`.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a, E> {
    pub batch: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub weight: Factor<'a, E>,
    pub x: &'a [E],
    /// The pixels in `x`, and in `y`.
    pub from: PixelMap,
    pub to: PixelMap,
}

/// The working memory of a task.
#[derive(Debug, Default)]
struct Scratch<E> {
    packed: Buffer<E>,
    /// Columns of the weight, one after another.
    weights: Buffer<E>,
    from: Vec<Run>,
    to: Vec<Run>,
}

/// Computes the product, in parallel over groups of images and, where those are few, over output channels: each sum is
/// one task's, in the same order, however the channels are split.
pub fn run<E: Element>(problem: &Problem<'_, E>, start: Start<'_, E>, y: &mut [E]) {
    let Problem { batch, outputs, to, .. } = *problem;
    let level = Level::current();
    let images = if to.pixels >= PIXELS { 1 } else { even_part(batch, PIXELS / to.pixels) };
    let (groups, threads) = (batch.div_ceil(images), rayon::current_num_threads());
    let parts = if groups % threads == 0 || groups >= 4 * threads { 1 } else { threads };
    let channels = outputs.div_ceil(parts);
    let blocks = grid(y, outputs * to.plane, images, channels * to.plane);
    blocks.into_par_iter().with_max_len(1).for_each(|block| {
        with_kept(|scratch: &mut Scratch<E>| dispatch_at(level, Multiply { problem, start, block, scratch }));
    });
}

/// The output channels and images of a block.
struct Multiply<'a, 'y, E> {
    problem: &'a Problem<'a, E>,
    start: Start<'a, E>,
    block: Block<'y, E>,
    scratch: &'a mut Scratch<E>,
}

impl<E: Element> Kernel for Multiply<'_, '_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { problem, start, mut block, scratch } = self;
        let Problem { inputs, outputs, weight, x, from, to, .. } = *problem;
        let lanes = band::<E::Lane<S>>();
        let (first_output, channels) = (block.col / to.plane, block.width() / to.plane);
        let total = block.rows.len() * to.pixels;
        if to.step != 1 && matches!(start, Start::Replace(_)) {
            // Most of these pixels take no part.
            block.rows.iter_mut().for_each(|image| image.fill(E::zero()));
        }
        let depth = even_part(inputs, DEPTH);
        let source = Source { data: x, channels: inputs, map: from };
        for first in (0..total).step_by(PIXELS) {
            let pixels = first..total.min(first + PIXELS);
            from.runs(pixels.clone(), lanes, &mut scratch.from);
            to.runs(pixels.clone(), lanes, &mut scratch.to);
            let bands = pixels.len().div_ceil(lanes);
            for k in (0..inputs).step_by(depth) {
                let depth = depth.min(inputs - k);
                let packed = scratch.packed.take(bands * depth * lanes);
                pack::<S, E>(source, block.row, &scratch.from, k..k + depth, packed);
                let how = if k > 0 { Start::Add } else { start };
                in_pieces!(E::Lane<S>, channels, |row, N| {
                    // The weights of these channels stay in the first cache level, the bands come from the second.
                    let first = first_output + row;
                    let own = match weight {
                        Factor::Rows(weight) => &weight[first * inputs + k..],
                        Factor::Columns(weight) => {
                            let own = scratch.weights.take(depth * N);
                            for (to, from) in
                                own.as_chunks_mut::<N>().0.iter_mut().zip(weight[k * outputs..].chunks_exact(outputs))
                            {
                                *to = *from[first..].first_chunk().expect("as many columns");
                            }
                            own
                        }
                    };
                    let mut runs = &scratch.to[..];
                    for (index, packed) in packed.chunks_exact(depth * lanes).enumerate() {
                        let (here, rest) = runs.split_at(runs.iter().take_while(|run| run.band == index).count());
                        runs = rest;
                        let sums: Sums<E::Lane<S>, N> = match weight {
                            Factor::Rows(_) => row_sums(own, inputs, packed, depth),
                            Factor::Columns(_) => {
                                column_sums(std::iter::once(Stretch { b: own, a: packed, depth }), 0, N)
                            }
                        };
                        put::<E::Lane<S>, N>(sums, how, (first_output, row), here, to, &mut block.rows);
                    }
                });
            }
        }
    }
}

/// Writes the sums of `N` channels for a band of pixels, or adds them to what is there.
#[inline(always)]
fn put<V: Lane, const N: usize>(
    sums: Sums<V, N>,
    how: Start<'_, V::Elem>,
    (first_output, row): (usize, usize),
    runs: &[Run],
    map: PixelMap,
    images: &mut [&mut [V::Elem]],
) {
    for (row, sums) in (row..).zip(sums) {
        let sums = match how {
            Start::Replace(Some(bias)) => {
                let bias = V::splat(bias[first_output + row]);
                sums.map(|sum| sum + bias)
            }
            _ => sums,
        };
        let add = matches!(how, Start::Add);
        if let [Run { len, image, start, .. }] = *runs
            && len == band::<V>()
            && map.step == 1
        {
            let to = &mut images[image][row * map.plane + start..][..len];
            for (r, sum) in sums.into_iter().enumerate() {
                let to = &mut to[r * V::WIDTH..];
                (if add { V::load(to) + sum } else { sum }).store(to);
            }
        } else {
            let mut values = [V::Elem::default(); MAX_BAND];
            for (r, sum) in sums.into_iter().enumerate().take(REGISTERS) {
                sum.store(&mut values[r * V::WIDTH..]);
            }
            for run in runs {
                let to = images[run.image][row * map.plane + run.start..].iter_mut().step_by(map.step);
                for (to, &value) in to.zip(&values[run.lane..][..run.len]) {
                    *to = if add { *to + value } else { value };
                }
            }
        }
    }
}
