//! The gradient of the filter: `dg = G^T [sum over tiles of (A dy A^T) * (B^T d B)] G`.
//!
//! In rounds of blocks of tiles: input and gradient of the output are transformed, then each task adds up the products
//! of a band of output channels with some input channels. After the last round the sums are transformed back.

use std::marker::PhantomData;

use super::scheme::Scheme;
use super::tiles::Tiling;
use super::transform::{FilterGradient, GradOutput, Input, Planes, Points, TAPS, TransformTiles, transform_to};
use crate::kernel::cpu::blocks::{Block, grid};
use crate::kernel::cpu::copy::transpose_into;
use crate::kernel::cpu::registers::{Stretch, apart, band, band_at, columns_by_band, widest_band};
use crate::kernel::cpu::simd::{Kernel, Lane, Level, Real, Simd, dispatch_at};
use crate::kernel::cpu::tasks::each;
use crate::kernel::cpu::workspace::{Buffer, with_kept};
use crate::kernel::element::Element;
use crate::kernel::write::Write;

/// Tiles of a block.
const TILES: usize = 64;
/// Bytes of transformed input and gradient of the output that lie between the halves of a round: as many as those of
/// the sums, which each round reads and writes, but at least what fits in the second cache level of two cores and at
/// most a part of the last level.
const BETWEEN: std::ops::RangeInclusive<usize> = (1 << 20)..=(12 << 20);
/// Tiles of a round at least.
const LEAST: usize = 128;
/// Parts that the tiles are split into, whatever the number of threads, where each has sums of its own: few channels
/// make too few blocks of the weight to share out, and what a part transforms does not leave its core before it is
/// added up.
const PARTS: usize = 8;
/// Bytes of the sums of all parts.
const SUMS: usize = 12 << 20;
/// Input channels of a task.
const INPUTS: usize = 32;

/// The sums of a task that sees all tiles.
#[derive(Debug, Default)]
struct RoundSums<E>(Buffer<E>);

/// The gradient of a block of the weight.
#[derive(Debug, Default)]
struct Taps<E>(Buffer<E>);

/// The transformed input and `grad_output` of a block of tiles.
#[derive(Debug, Default)]
struct TileBlock<E>(Buffer<E>);

/// The transformed input and `grad_output` of a round, and the sums of all tasks.
#[derive(Debug, Default)]
struct Memory<E> {
    inputs: Buffer<E>,
    grad_outputs: Buffer<E>,
    sums: Buffer<E>,
}

/// `dw += ...`, for the input `x`, zero for `padding` pixels around it, and the gradient of the output.
pub fn run<E: Element, C: Scheme<M, P>, const M: usize, const P: usize>(
    batch: usize,
    x: Planes<'_, E>,
    padding: usize,
    grad_output: Planes<'_, E>,
    grad_weight: &mut [E],
) {
    let level = Level::current();
    let band = band_at::<E>(level);
    let tiling = Tiling::new(batch, (grad_output.height, grad_output.width), M, TILES);
    let capacity = tiling.capacity();
    let steps = (
        apart(x.channels.next_multiple_of(INPUTS) * capacity),
        apart(grad_output.channels.next_multiple_of(band) * capacity),
    );
    let lens = (P * P * steps.0, P * P * steps.1);
    let sums_len = P * P * apart(INPUTS.min(x.channels) * band);
    let blocks = grid(grad_weight, x.channels * TAPS, band, INPUTS * TAPS);
    let all_sums = blocks.len() * sums_len;
    // The same counted with the widest bands: both ways of sharing out the tiles, and rounds, end sums, and these must
    // be the same at every level.
    let (inputs, widest) = (x.channels.next_multiple_of(INPUTS), widest_band::<E>());
    let bands = grad_output.channels.div_ceil(widest);
    let counted_sums = bands * (inputs / INPUTS) * P * P * apart(INPUTS.min(x.channels) * widest);
    let counted_points = P * P * (apart(inputs * capacity) + apart(bands * widest * capacity));

    let transform = |index: usize, inputs: &mut [E], grad_outputs: &mut [E]| {
        let (block, next) = (tiling.block(index), tiling.after(index));
        with_kept(|workspace: &mut Buffer<E>| {
            let work = TransformTiles::<_, Input<C, M, P>, P, P> {
                transform: PhantomData,
                planes: x,
                block,
                next,
                side: M,
                padding,
                group: INPUTS,
                capacity,
                to: inputs,
                workspace,
            };
            dispatch_at(level, work);
            let work = TransformTiles::<_, GradOutput<C, M, P>, M, P> {
                transform: PhantomData,
                planes: grad_output,
                block,
                next,
                side: M,
                padding: 0,
                group: band,
                capacity,
                to: grad_outputs,
                workspace,
            };
            dispatch_at(level, work);
        });
    };
    let add_up = |round: Round<'_, E>, place: Place, sums: &mut [E]| {
        dispatch_at(level, AddUp { tiling, points: P * P, round, place, steps, lens, sums });
    };
    let finish = |block: Block<'_, E>, sums: &[E]| {
        with_kept(|Taps(taps): &mut Taps<E>| {
            dispatch_at(level, Finish::<_, C, M, P> { scheme: PhantomData, block, sums, taps });
        });
    };

    with_kept(|memory: &mut Memory<E>| {
        if PARTS * counted_sums * size_of::<E>() <= SUMS && tiling.blocks() >= PARTS {
            let share = tiling.blocks().div_ceil(PARTS);
            let parts = tiling.blocks().div_ceil(share);
            let places: Vec<_> = blocks.iter().map(Place::of).collect();
            let sums = memory.sums.take(parts * all_sums);
            each(sums.chunks_mut(all_sums).enumerate(), |(part, sums)| {
                sums.fill(E::zero());
                with_kept(|TileBlock(points): &mut TileBlock<E>| {
                    let (inputs, grad_outputs) = points.take(lens.0 + lens.1).split_at_mut(lens.0);
                    for first in part * share..tiling.blocks().min((part + 1) * share) {
                        transform(first, inputs, grad_outputs);
                        for (&place, sums) in places.iter().zip(sums.chunks_mut(sums_len)) {
                            add_up(Round { first, count: 1, inputs, grad_outputs }, place, sums);
                        }
                    }
                });
            });
            let (total, others) = sums.split_at_mut(all_sums);
            let others = &*others;
            let tasks = blocks.into_iter().zip(total.chunks_mut(sums_len)).enumerate();
            return each(tasks, |(index, (block, total))| {
                for part in others.chunks(all_sums) {
                    for (total, &sum) in total.iter_mut().zip(&part[index * sums_len..]) {
                        *total = *total + sum;
                    }
                }
                finish(block, total);
            });
        }

        let between = (counted_sums * size_of::<E>()).clamp(*BETWEEN.start(), *BETWEEN.end());
        let at_once = (between / (counted_points * size_of::<E>())).max(LEAST.div_ceil(capacity));
        let at_once = at_once.clamp(1, tiling.blocks());
        let inputs = memory.inputs.take(at_once * lens.0);
        let grad_outputs = memory.grad_outputs.take(at_once * lens.1);
        // In a single round the sums do not leave the cache of the thread that adds them up.
        let kept = if at_once == tiling.blocks() { 0 } else { sums_len };
        let mut sums = memory.sums.take(blocks.len() * kept);
        let mut tasks = Vec::with_capacity(blocks.len());
        for block in blocks {
            let (own, rest) = sums.split_at_mut(kept);
            sums = rest;
            tasks.push((Some(block), own));
        }
        for first in (0..tiling.blocks()).step_by(at_once) {
            let count = at_once.min(tiling.blocks() - first);
            let (inputs, grad_outputs) = (&mut inputs[..count * lens.0], &mut grad_outputs[..count * lens.1]);
            let pairs = inputs.chunks_mut(lens.0).zip(grad_outputs.chunks_mut(lens.1));
            each(pairs.enumerate(), |(offset, (inputs, grad_outputs))| transform(first + offset, inputs, grad_outputs));
            let round = Round { first, count, inputs, grad_outputs };
            let last = first + count == tiling.blocks();
            each(&mut tasks, |(block, sums)| {
                with_kept(|RoundSums(own): &mut RoundSums<E>| {
                    let sums = if kept == 0 { own.take(sums_len) } else { &mut **sums };
                    if first == 0 {
                        sums.fill(E::zero());
                    }
                    if let Some(place) = block.as_ref().map(Place::of) {
                        add_up(round, place, sums);
                    }
                    if last && let Some(block) = block.take() {
                        finish(block, sums);
                    }
                });
            });
        }
    });
}

/// Tile blocks that were transformed.
#[derive(Clone, Copy)]
struct Round<'a, E> {
    first: usize,
    count: usize,
    inputs: &'a [E],
    grad_outputs: &'a [E],
}

/// The channels of a block of the weight.
#[derive(Clone, Copy, Debug)]
struct Place {
    output: usize,
    outputs: usize,
    input: usize,
    inputs: usize,
}

impl Place {
    fn of<E>(block: &Block<'_, E>) -> Self {
        let (outputs, inputs) = (block.rows.len(), block.width() / TAPS);
        Self { output: block.row, outputs, input: block.col / TAPS, inputs }
    }
}

/// Adds a round to the sums of a block of the weight, `[point, input, band]`.
struct AddUp<'a, E> {
    tiling: Tiling,
    points: usize,
    round: Round<'a, E>,
    place: Place,
    /// Elements of a point of the input and of the gradient of the output.
    steps: (usize, usize),
    /// Elements of their blocks.
    lens: (usize, usize),
    sums: &'a mut [E],
}

impl<E: Element> Kernel for AddUp<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { tiling, points, round, place, steps, lens, sums } = self;
        let Round { first, count, inputs, grad_outputs } = round;
        let step = apart(place.inputs * band::<E::Lane<S>>());
        for point in 0..points {
            // Both first channels are multiples of the size of their groups.
            let at =
                (point * steps.0 + place.input * tiling.capacity(), point * steps.1 + place.output * tiling.capacity());
            let stretches = (0..count).map(|index| Stretch {
                b: &inputs[index * lens.0 + at.0..],
                a: &grad_outputs[index * lens.1 + at.1..],
                depth: tiling.block(first + index).tiles(),
            });
            let sizes = (place.inputs, place.outputs);
            columns_by_band::<S, E>(stretches, INPUTS, &mut sums[point * step..], sizes);
        }
    }
}

/// Transforms sums back, and adds them to a block of the weight.
struct Finish<'a, 'w, E, C, const M: usize, const P: usize> {
    scheme: PhantomData<C>,
    block: Block<'w, E>,
    sums: &'a [E],
    taps: &'a mut Buffer<E>,
}

impl<E: Element, C: Scheme<M, P>, const M: usize, const P: usize> Kernel for Finish<'_, '_, E, C, M, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { mut block, sums, taps, .. } = self;
        let band = band::<E::Lane<S>>();
        let Place { inputs, outputs, .. } = Place::of(&block);
        let taps = taps.take(inputs * TAPS * band);
        let mut lines = [[<E::Lane<S>>::of(0.0); 3]; P];
        for input in 0..inputs {
            for lane in (0..outputs).step_by(E::Lane::<S>::WIDTH) {
                let sums = &sums[input * band + lane..];
                let at = input * TAPS * band + lane;
                let mut to = Points::<E, 3> { to: &mut *taps, step: band, at };
                let step = apart(inputs * band);
                transform_to::<E::Lane<S>, FilterGradient<C, M, P>, P, 3>(sums, step, &mut lines, &mut to);
            }
        }
        let rows = inputs * TAPS;
        transpose_into::<S, E>(taps, band, rows, outputs, block.rows.as_mut_slice(), Write::Add);
    }
}
