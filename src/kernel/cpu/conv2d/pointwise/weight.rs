//! The gradient of the weight: `dw[o, c] += sum over pixels of grad_output[o, q] x[c, q]`.
//!
//! In rounds of as many pixels as leave both factors in a shared cache: each is turned to bands of channels,
//! `[pixel, channel]`, and then each task adds up a block of the gradient.

use crate::kernel::cpu::tasks::{TASK, each, for_each};

use std::ops::Range;

use super::pixels::{PixelMap, Run};
use crate::kernel::cpu::blocks::{Block, grid};
use crate::kernel::cpu::copy::{Strided, take_every, transpose_into};
use crate::kernel::cpu::registers::{REGISTERS, Stretch, band, band_at, column_sums, in_pieces, widest_band};
use crate::kernel::cpu::simd::{Kernel, Lane, Level, Simd, dispatch_at};
use crate::kernel::cpu::workspace::{Buffer, with_kept};
use crate::kernel::element::Element;
use crate::kernel::write::Write;

/// Bytes of the factors of a round, and the fewest pixels: the gradient is read and written once a round.
const BYTES: usize = 2 << 20;
const FEWEST: usize = 512;
/// Parts that the pixels are split into, whatever the number of threads, and the bytes of all their sums.
const PARTS: usize = 8;
const SUMS: usize = 12 << 20;
/// Bytes of the factors of a round of a part, half of the second cache level of a core.
const OWN_BYTES: usize = 512 << 10;
/// Output channels of a group, a multiple of every piece of rows that is computed at once.
const OUTPUTS: usize = 48;
/// Pixels that are added up at once: both factors stay in the first cache level.
const PIXELS: usize = 128;
/// Bands of input channels of a task.
const BANDS: usize = 4;
/// Pixels of an image from which on those of a stride are brought side by side before they are turned: one by one they
/// are read from a cache line each.
const WORTH_GATHERING: usize = 32;

/// Planes `[image, channel, pixel]` to read.
#[derive(Clone, Copy, Debug)]
pub struct Planes<'a, E> {
    pub data: &'a [E],
    pub channels: usize,
    /// Elements of a plane.
    pub plane: usize,
    pub map: PixelMap,
}

/// The sums of all parts.
#[derive(Debug, Default)]
struct PartSums<E>(Buffer<E>);

/// The factors of a round.
#[derive(Debug, Default)]
struct Factors<E> {
    inputs: Buffer<E>,
    input_runs: Vec<Run>,
    grad_outputs: Buffer<E>,
    grad_output_runs: Vec<Run>,
}

/// Adds the gradient of `pixels` pixels, counted through all images.
///
/// Where the gradient is small, the pixels are split into parts with sums of their own: what a part turns does not
/// leave its core before it is added up. Else tasks share out the gradient, and each adds up all pixels.
pub fn run<E: Element>(pixels: usize, input: Planes<'_, E>, grad_output: Planes<'_, E>, grad_weight: &mut [E]) {
    let level = Level::current();
    let len = grad_weight.len();
    let add_up = |pixels: Range<usize>, bytes: usize, grad: &mut [E], spread: bool| {
        with_kept(|factors: &mut Factors<E>| rounds(level, pixels, input, grad_output, bytes, grad, factors, spread));
    };
    if PARTS * len * size_of::<E>() > SUMS || pixels < PARTS * FEWEST {
        return add_up(0..pixels, BYTES, grad_weight, true);
    }
    let share = pixels.div_ceil(PARTS);
    with_kept(|PartSums(sums): &mut PartSums<E>| {
        let sums = sums.take(pixels.div_ceil(share) * len);
        each(sums.chunks_mut(len).enumerate(), |(part, sums)| {
            sums.fill(E::zero());
            add_up(part * share..pixels.min((part + 1) * share), OWN_BYTES, sums, false);
        });
        let sums = &*sums;
        each(grad_weight.chunks_mut(TASK).enumerate(), |(task, grad)| {
            for part in sums.chunks_exact(len) {
                for (grad, &sum) in grad.iter_mut().zip(&part[task * TASK..]) {
                    *grad = *grad + sum;
                }
            }
        });
    });
}

/// Adds some pixels in rounds of about `bytes`, each shared out among the threads or not.
#[allow(clippy::too_many_arguments)]
fn rounds<E: Element>(
    level: Level,
    pixels: Range<usize>,
    input: Planes<'_, E>,
    grad_output: Planes<'_, E>,
    bytes: usize,
    grad: &mut [E],
    factors: &mut Factors<E>,
    spread: bool,
) {
    let Factors { inputs: x, input_runs: x_runs, grad_outputs: g, grad_output_runs: g_runs } = factors;
    let lanes = band_at::<E>(level);
    let outputs = grad_output.channels.next_multiple_of(OUTPUTS);
    // Counted with the widest bands: rounds end sums, and these must be the same at every level.
    let inputs = input.channels.next_multiple_of(widest_band::<E>());
    let fewest = if spread { FEWEST } else { PIXELS };
    let round = (bytes / ((inputs + outputs) * size_of::<E>())).max(fewest).min(pixels.len());
    let inputs = input.channels.next_multiple_of(lanes);
    let mut blocks = grid(grad, input.channels, OUTPUTS, BANDS * lanes);
    let (x, g) = (x.take(inputs * round), g.take(outputs * round));
    for first in pixels.clone().step_by(round) {
        let range = first..pixels.end.min(first + round);
        // The runs are cut at images and rows alone.
        input.map.runs(range.clone(), range.len(), x_runs);
        grad_output.map.runs(range.clone(), range.len(), g_runs);
        let turns = turns(input, x_runs, lanes, round, x).chain(turns(grad_output, g_runs, OUTPUTS, round, g));
        run_all(level, turns, spread);
        let (x, g, depth) = (&*x, &*g, range.len());
        run_all(level, blocks.iter_mut().map(|block| AddUp { x, g, depth, round, block }), spread);
    }
}

/// Runs kernels on all threads, or one after another on this one.
fn run_all<K: Kernel<Output = ()> + Send>(level: Level, kernels: impl Iterator<Item = K>, spread: bool) {
    if spread {
        for_each(level, kernels);
    } else {
        kernels.for_each(|kernel| dispatch_at(level, kernel));
    }
}

/// Kernels that turn planes into `to[group, pixel, channel]`, with room for `round` pixels.
fn turns<'a, E: Element>(
    planes: Planes<'a, E>,
    runs: &'a [Run],
    group: usize,
    round: usize,
    to: &'a mut [E],
) -> impl Iterator<Item = Turn<'a, E>> {
    let groups = to.chunks_mut(group * round).enumerate();
    groups.map(move |(index, to)| Turn { planes, first: index * group, group, runs, to })
}

/// Brings a group of channels in the order of pixels; channels that there are not are zero.
struct Turn<'a, E> {
    planes: Planes<'a, E>,
    /// Index of the group's first channel.
    first: usize,
    group: usize,
    runs: &'a [Run],
    to: &'a mut [E],
}

impl<E: Element> Kernel for Turn<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { planes: Planes { data, channels, plane, map }, first, group, runs, to } = self;
        let PixelMap { step, cols, .. } = map;
        let present = group.min(channels - first);
        if present < group {
            to.fill(E::zero());
        }
        if step != 1 && map.pixels >= WORTH_GATHERING {
            // Some rows at a time: first without what lies between the pixels, then turned.
            let rows = PIXELS.div_ceil(cols);
            let mut dense = vec![E::zero(); present * rows * cols];
            for runs in runs.chunk_by(|a, b| a.image == b.image).flat_map(|runs| runs.chunks(rows)) {
                let len = runs.iter().map(|run| run.len).sum::<usize>();
                for (channel, mut rest) in dense.chunks_exact_mut(len).enumerate().take(present) {
                    for run in runs {
                        let at = (run.image * channels + first + channel) * plane + run.start;
                        let (to, after) = rest.split_at_mut(run.len);
                        take_every(step, &data[at..][..(run.len - 1) * step + 1], to);
                        rest = after;
                    }
                }
                let mut to = Strided { data: &mut to[runs[0].lane * group..], stride: group };
                transpose_into::<S, E>(&dense, len, present, len, &mut to, Write::Replace);
            }
            return;
        }
        for run in runs {
            let from = &data[(run.image * channels + first) * plane + run.start..];
            let to = &mut to[run.lane * group..];
            if step != 1 {
                for (pixel, to) in to.chunks_exact_mut(group).enumerate().take(run.len) {
                    let from = from[pixel * step..].iter().step_by(plane);
                    to.iter_mut().zip(from).take(present).for_each(|(to, &from)| *to = from);
                }
            } else if plane == 1 {
                to[..present].copy_from_slice(&from[..present]);
            } else {
                let mut to = Strided { data: to, stride: group };
                transpose_into::<S, E>(from, plane, present, run.len, &mut to, Write::Replace);
            }
        }
    }
}

/// Adds a round to a block of the gradient.
struct AddUp<'a, 'w, E> {
    x: &'a [E],
    g: &'a [E],
    /// Pixels of this round, and those that there is room for.
    depth: usize,
    round: usize,
    block: &'a mut Block<'w, E>,
}

impl<E: Element> Kernel for AddUp<'_, '_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { x, g, depth, round, block } = self;
        let lanes = band::<E::Lane<S>>();
        let b = &g[block.row / OUTPUTS * OUTPUTS * round..][..OUTPUTS * round];
        let (rows, width) = (block.rows.len(), block.width());
        for pixel in (0..depth).step_by(PIXELS) {
            let (b, depth) = (&b[pixel * OUTPUTS..], PIXELS.min(depth - pixel));
            for first in (0..width).step_by(lanes) {
                let a = &x[(block.col + first) * round + pixel * lanes..];
                let stretch = Stretch { b, a, depth };
                in_pieces!(E::Lane<S>, rows, |row, N| {
                    let sums = column_sums::<E::Lane<S>, N, REGISTERS>(std::iter::once(stretch), row, OUTPUTS);
                    for (to, sums) in block.rows[row..].iter_mut().zip(sums) {
                        for (r, sum) in sums.into_iter().enumerate().take(REGISTERS) {
                            let at = first + r * <E::Lane<S> as Lane>::WIDTH;
                            add(sum, to.get_mut(at..).unwrap_or_default());
                        }
                    }
                });
            }
        }
    }
}

/// Adds a register to what is there, up to the end.
#[inline(always)]
fn add<V: Lane>(sum: V, to: &mut [V::Elem]) {
    if to.len() >= V::WIDTH {
        (V::load(to) + sum).store(to);
    } else {
        (V::load_partial(to) + sum).store_partial(to);
    }
}
