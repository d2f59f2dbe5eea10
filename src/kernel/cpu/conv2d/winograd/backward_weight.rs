//! The gradient of the filter: `dg = G^T [sum over tiles of (A dy A^T) * (B^T d B)] G`.
//!
//! In rounds of blocks of tiles: input and cotangent are transformed, then each task adds up the products of a band of
//! output channels with some input channels. After the last round the sums are transformed back.

use std::marker::PhantomData;

use super::scheme::Scheme;
use super::tiles::Tiling;
use super::transform::{Cotangent, FilterGradient, Input, Planes, TAPS, TransformTiles, transform};
use crate::kernel::cpu::blocks::{Block, grid};
use crate::kernel::cpu::conv2d::product::{Stretch, apart, band, band_at, columns_by_band};
use crate::kernel::cpu::copy::transpose_into;
use crate::kernel::cpu::scratch::{Buffer, with_kept};
use crate::kernel::cpu::simd::{Kernel, Lane, Level, Simd, dispatch_at};
use crate::kernel::cpu::tasks::each;
use crate::kernel::cpu::write::Write;
use crate::kernel::element::Element;

/// Tiles of a block.
const TILES: usize = 64;
/// Bytes of transformed input and cotangent that lie between the halves of a round: as many as those of the sums, which
/// each round reads and writes, but at least what fits in the second cache level of two cores and at most a part of the
/// last level.
const BETWEEN: std::ops::RangeInclusive<usize> = (1 << 20)..=(12 << 20);
/// Tiles of a round at least.
const LEAST: usize = 128;
/// Input channels of a task.
const INPUTS: usize = 32;

/// The working memory of a task.
#[derive(Debug, Default)]
struct Scratch<E> {
    sums: Buffer<E>,
    taps: Buffer<E>,
}

/// The transformed input and cotangent of a round, and the sums of all tasks.
#[derive(Debug, Default)]
struct Memory<E> {
    inputs: Buffer<E>,
    cotangents: Buffer<E>,
    sums: Buffer<E>,
}

/// `dw += ...`, for the input `x`, zero for `padding` pixels around it, and the cotangent of the output.
pub fn run<E: Element, C: Scheme<M, P>, const M: usize, const P: usize>(
    batch: usize,
    x: Planes<'_, E>,
    padding: usize,
    cotangent: Planes<'_, E>,
    grad_weight: &mut [E],
) {
    let level = Level::current();
    let band = band_at::<E>(level);
    let tiling = Tiling::new(batch, (cotangent.height, cotangent.width), M, TILES);
    let steps = (
        apart(x.channels.next_multiple_of(INPUTS) * tiling.capacity()),
        apart(cotangent.channels.next_multiple_of(band) * tiling.capacity()),
    );
    let lens = (P * P * steps.0, P * P * steps.1);
    let sums_len = P * P * apart(INPUTS.min(x.channels) * band);

    let blocks = grid(grad_weight, x.channels * TAPS, band, INPUTS * TAPS);
    let between = (blocks.len() * sums_len * size_of::<E>()).clamp(*BETWEEN.start(), *BETWEEN.end());
    let at_once = (between / ((lens.0 + lens.1) * size_of::<E>())).max(LEAST.div_ceil(tiling.capacity()));
    let at_once = at_once.clamp(1, tiling.blocks());
    with_kept(|memory: &mut Memory<E>| {
        let inputs = memory.inputs.take(at_once * lens.0);
        let cotangents = memory.cotangents.take(at_once * lens.1);
        // In a single round the sums do not leave the cache of who adds them up.
        let kept = if at_once == tiling.blocks() { 0 } else { sums_len };
        let mut sums = memory.sums.take(blocks.len() * kept);
        let mut tasks = Vec::with_capacity(blocks.len());
        for block in blocks {
            let (own, rest) = sums.split_at_mut(kept);
            sums = rest;
            tasks.push((block, own));
        }
        for first in (0..tiling.blocks()).step_by(at_once) {
            let count = at_once.min(tiling.blocks() - first);
            let (inputs, cotangents) = (&mut inputs[..count * lens.0], &mut cotangents[..count * lens.1]);
            let pairs = inputs.chunks_mut(lens.0).zip(cotangents.chunks_mut(lens.1));
            each(pairs.enumerate(), |(offset, (inputs, cotangents))| {
                let block = tiling.block(first + offset);
                let capacity = tiling.capacity();
                with_kept(|scratch: &mut Buffer<E>| {
                    let work = TransformTiles::<_, Input<C, M, P>, P, P> {
                        transform: PhantomData,
                        planes: x,
                        block,
                        side: M,
                        padding,
                        group: INPUTS,
                        capacity,
                        to: inputs,
                        scratch,
                    };
                    dispatch_at(level, work);
                    let work = TransformTiles::<_, Cotangent<C, M, P>, M, P> {
                        transform: PhantomData,
                        planes: cotangent,
                        block,
                        side: M,
                        padding: 0,
                        group: band,
                        capacity,
                        to: cotangents,
                        scratch,
                    };
                    dispatch_at(level, work);
                });
            });
            let (inputs, cotangents) = (&*inputs, &*cotangents);
            let last = first + count == tiling.blocks();
            each(&mut tasks, |(block, sums)| {
                let round = Round { tiling, first, count, inputs, cotangents, steps, lens };
                with_kept(|scratch: &mut Scratch<E>| {
                    let scheme = PhantomData::<C>;
                    dispatch_at(level, AddUp::<_, _, M, P> { scheme, round, last, block, sums, scratch });
                });
            });
        }
    });
}

/// What was transformed.
#[derive(Clone, Copy)]
struct Round<'a, E> {
    tiling: Tiling,
    first: usize,
    count: usize,
    inputs: &'a [E],
    cotangents: &'a [E],
    /// Elements of a point of the input and of the cotangent.
    steps: (usize, usize),
    /// Elements of their blocks.
    lens: (usize, usize),
}

/// Adds a round to the sums of a task; the last time also transforms them back.
struct AddUp<'a, 'w, E, C, const M: usize, const P: usize> {
    scheme: PhantomData<C>,
    round: Round<'a, E>,
    last: bool,
    block: &'a mut Block<'w, E>,
    sums: &'a mut [E],
    scratch: &'a mut Scratch<E>,
}

impl<E: Element, C: Scheme<M, P>, const M: usize, const P: usize> Kernel for AddUp<'_, '_, E, C, M, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { round, last, block, sums, scratch, .. } = self;
        let Round { tiling, first, count, inputs, cotangents, steps, lens } = round;
        let band = band::<E::Lane<S>>();
        let (output, input) = (block.row, block.col / TAPS);
        let channels = block.width() / TAPS;
        let step = apart(channels * band);
        let sums = if sums.is_empty() { scratch.sums.take(P * P * step) } else { sums };
        if first == 0 {
            sums.fill(E::zero());
        }
        for point in 0..P * P {
            // Both first channels are multiples of the size of their groups.
            let at = (point * steps.0 + input * tiling.capacity(), point * steps.1 + output * tiling.capacity());
            let stretches = (0..count).map(|index| Stretch {
                b: &inputs[index * lens.0 + at.0..],
                a: &cotangents[index * lens.1 + at.1..],
                depth: tiling.block(first + index).tiles(),
            });
            columns_by_band::<S, E>(stretches, INPUTS, &mut sums[point * step..], channels);
        }
        if !last {
            return;
        }
        let taps = scratch.taps.take(channels * TAPS * band);
        for channel in 0..channels {
            for lane in (0..band).step_by(E::Lane::<S>::WIDTH) {
                let values =
                    transform::<E::Lane<S>, FilterGradient<C, M, P>, P, 3>(&sums[channel * band + lane..], step);
                for (tap, value) in values.as_flattened().iter().enumerate() {
                    value.store(&mut taps[(channel * TAPS + tap) * band + lane..]);
                }
            }
        }
        let (rows, lines) = (channels * TAPS, block.rows.len());
        transpose_into::<S, E>(taps, band, rows, lines, block.rows.as_mut_slice(), Write::Add);
    }
}
