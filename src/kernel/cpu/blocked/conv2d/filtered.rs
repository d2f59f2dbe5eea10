//! Convolutions of 3x3 with stride one on blocked maps by minimal filtering (Winograd; Lavin and Gray 2016,
//! arXiv:1509.09308).
//!
//! A point of the transformed map is a map of tiles by itself, which a convolution of 1x1 takes: the same sums in the
//! same registers. The filters are transformed when they are packed, in `f64` and rounded once; so what is left to pay
//! are the transforms of the map and of the sums, which go by channels and not by pairs of channels.
//!
//! The tiles are worked on in blocks. With many of these each task takes a block through all three steps, so that
//! nothing that lies between leaves its core; with few, blocks are transformed first, and then tasks take some outputs
//! of a block each.

use std::marker::PhantomData;

use super::problem::{BlockedConv, Epilogue};
use crate::kernel::cpu::blocked::parts::{Part, parts};
use crate::kernel::cpu::blocked::sums::{Outputs, Products, in_groups, in_tiles, sums};
use crate::kernel::cpu::blocked::{BLOCK, BlockedMap, Source};
use crate::kernel::cpu::conv2d::winograd::Tile;
use crate::kernel::cpu::conv2d::winograd::scheme::{F2, F4, Scheme};
use crate::kernel::cpu::conv2d::winograd::tiles::{TileBlock, Tiling};
use crate::kernel::cpu::conv2d::winograd::transform::{FilterTaps, Input, Output, Square, TAPS, columns, transform};
use crate::kernel::cpu::registers::apart;
use crate::kernel::cpu::simd::{Kernel, Lane, Level, Simd, dispatch_at};
use crate::kernel::cpu::tasks::{each, threads};
use crate::kernel::cpu::workspace::{Buffer, with_kept};
use crate::kernel::element::Element;

/// Elements of a transformed block, about: it stays in the second cache level.
const POINTS: usize = 192 * 1024;
/// Tiles of a block, but for one of a single row: at least so many that its weights, which are read anew for each
/// block, are worth reading, and at most so many that the sums of a group of outputs stay in the second cache level.
const TILES: std::ops::RangeInclusive<usize> = 56..=84;
/// Blocks a thread from which on each task takes a block through all steps.
const BLOCKS: usize = 4;
/// Bytes of the transformed blocks that lie between two steps, at most, but for a single block.
const BETWEEN: usize = 8 << 20;
/// Tasks that a step is split into, about.
const TASKS: usize = 8;

/// Packs the filters `[O, C, 3, 3]` of the block of outputs `block`: `[points, blocks of inputs, 16 inputs, 16
/// outputs]`, with zeros where there is no channel.
pub(super) fn pack<E: Element>(tile: Tile, conv: &BlockedConv, weight: &[E], block: usize, packed: &mut [E]) {
    let level = Level::current();
    match tile {
        Tile::Two => dispatch_at(level, Pack::<_, F2, 2, 4> { scheme: PhantomData, conv, weight, block, packed }),
        Tile::Four => dispatch_at(level, Pack::<_, F4, 4, 6> { scheme: PhantomData, conv, weight, block, packed }),
    }
}

struct Pack<'a, E, C, const M: usize, const P: usize> {
    scheme: PhantomData<C>,
    conv: &'a BlockedConv,
    weight: &'a [E],
    block: usize,
    packed: &'a mut [E],
}

impl<E: Element, C: Scheme<M, P>, const M: usize, const P: usize> Kernel for Pack<'_, E, C, M, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { conv, weight, block, packed, .. } = self;
        let (inputs, outputs) = (conv.input.channels, conv.output.channels);
        let (first, point_len) = (block * BLOCK, conv.input.blocks() * BLOCK * BLOCK);
        packed.fill(E::zero());
        for input in 0..inputs {
            let mut taps = [0.0; TAPS * BLOCK];
            for (lane, output) in (first..outputs.min(first + BLOCK)).enumerate() {
                let filter = &weight[(output * inputs + input) * TAPS..][..TAPS];
                filter.iter().enumerate().for_each(|(tap, value)| taps[tap * BLOCK + lane] = value.wide());
            }
            for lane in (0..BLOCK).step_by(S::F64::WIDTH) {
                let square = transform::<S::F64, FilterTaps<C, M, P>, 3, P>(&taps[lane..], BLOCK);
                for (point, register) in square.as_flattened().iter().enumerate() {
                    let mut values = [0.0; BLOCK];
                    register.store(&mut values);
                    let to = &mut packed[point * point_len + input * BLOCK + lane..][..S::F64::WIDTH];
                    to.iter_mut().zip(values).for_each(|(to, value)| *to = E::of(value));
                }
            }
        }
    }
}

/// As [`super::run`], with filters that [`pack`] has written.
pub(super) fn run<E: Element>(
    tile: Tile,
    conv: &BlockedConv,
    x: &[E],
    weight: &[E],
    epilogue: Epilogue<'_, E>,
    y: &mut [E],
) {
    match tile {
        Tile::Two => run_as::<E, F2, 2, 4>(conv, x, weight, epilogue, y),
        Tile::Four => run_as::<E, F4, 4, 6>(conv, x, weight, epilogue, y),
    }
}

/// Transformed blocks of tiles.
#[derive(Debug, Default)]
struct Shared<E>(Buffer<E>);

/// The working memory of a task: a transformed block of tiles, and the sums of a group of outputs.
#[derive(Debug, Default)]
struct Workspace<E> {
    points: Buffer<E>,
    sums: Buffer<E>,
}

/// The order of a transformed block of tiles: `[chunks, points, tiles, channels of a chunk]`. A chunk is some blocks of
/// channels that one task transforms.
#[derive(Clone, Copy, Debug)]
struct Order {
    /// Blocks of channels in a chunk.
    chunk: usize,
    /// Elements of a point of a chunk.
    point: usize,
    /// Elements of a chunk.
    len: usize,
}

fn run_as<E: Element, C: Scheme<M, P>, const M: usize, const P: usize>(
    conv: &BlockedConv,
    x: &[E],
    weight: &[E],
    epilogue: Epilogue<'_, E>,
    y: &mut [E],
) {
    let level = Level::current();
    let BlockedConv { input, output, .. } = *conv;
    let (inputs, outputs) = (input.blocks(), output.blocks());
    let target = (POINTS / (P * P * inputs * BLOCK)).clamp(*TILES.start(), *TILES.end());
    let tiling = Tiling::new(output.batch, (output.height, output.width), M, target);
    let blocks = tiling.blocks();
    let whole = blocks >= BLOCKS * threads();
    let share = if whole { 1 } else { TASKS.div_ceil(blocks) };
    let chunk = inputs.div_ceil(share);
    let point = apart(tiling.capacity() * chunk * BLOCK);
    let order = Order { chunk, point, len: P * P * point };
    let steps: Vec<usize> = (0..inputs).map(|block| block / chunk * order.len + block % chunk * BLOCK).collect();
    let len = inputs.div_ceil(chunk) * order.len;
    // An even number of blocks for the widest registers.
    let group = if whole { outputs } else { outputs.div_ceil(share).next_multiple_of(2) };

    let transform = |tiles: TileBlock, first: usize, to: &mut [E]| {
        let scheme = PhantomData::<C>;
        dispatch_at(level, Transform::<_, _, M, P> { scheme, conv, x, tiles, first, order, to });
    };
    let multiply = |part: Part<'_, E>, points: &[E], sums: &mut Buffer<E>| {
        let scheme = PhantomData::<C>;
        let capacity = tiling.capacity();
        let work = Multiply::<_, _, M, P> {
            scheme,
            conv,
            order,
            steps: &steps,
            points,
            weight,
            epilogue,
            capacity,
            sums,
            part,
        };
        dispatch_at(level, work);
    };
    let parts = parts(y, output, tiling, group);
    if whole {
        return each(parts, |part| {
            with_kept(|Workspace { points, sums }: &mut Workspace<E>| {
                let points = points.take(len);
                transform(part.tiles, 0, points);
                multiply(part, points, sums);
            });
        });
    }
    let at_once = (BETWEEN / (len * size_of::<E>())).clamp(1, blocks);
    let (chunks, groups) = (len / order.len, outputs.div_ceil(group));
    let mut parts = parts.into_iter();
    with_kept(|Shared(points): &mut Shared<E>| {
        let points = points.take(at_once * len);
        for first in (0..blocks).step_by(at_once) {
            let count = at_once.min(blocks - first);
            each(points[..count * len].chunks_mut(order.len).enumerate(), |(index, to)| {
                transform(tiling.block(first + index / chunks), index % chunks * chunk, to);
            });
            let points = &*points;
            each(parts.by_ref().take(count * groups), |part| {
                with_kept(|Workspace { sums, .. }: &mut Workspace<E>| {
                    let points = &points[(part.index - first) * len..][..len];
                    multiply(part, points, sums);
                });
            });
        }
    });
}

/// Transforms a chunk of a block of tiles.
struct Transform<'a, E, C, const M: usize, const P: usize> {
    scheme: PhantomData<C>,
    conv: &'a BlockedConv,
    x: &'a [E],
    tiles: TileBlock,
    /// The first block of channels.
    first: usize,
    order: Order,
    to: &'a mut [E],
}

impl<E: Element, C: Scheme<M, P>, const M: usize, const P: usize> Kernel for Transform<'_, E, C, M, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { conv: &BlockedConv { input, padding, .. }, x, tiles, first, order, to, .. } = self;
        let x = Source { map: input, values: x };
        let before = padding.map(|padding| input.halo - padding);
        for image in 0..tiles.images {
            for block in 0..order.chunk.min(input.blocks() - first) {
                let plane = x.plane(tiles.first_image + image, first + block);
                let mut place = (0, 0, 0);
                for tile in 0..tiles.rows * tiles.cols {
                    let (row, col) = ((tiles.first_row + place.1) * M + before[0], place.2 * M + before[1]);
                    place = tiles.after(place);
                    let index = image * tiles.rows * tiles.cols + tile;
                    let to = &mut to[(index * order.chunk + block) * BLOCK..];
                    for lane in (0..BLOCK).step_by(E::Lane::<S>::WIDTH) {
                        let square = square::<E::Lane<S>, Input<C, M, P>, P>(input, plane, row, col, lane);
                        for (point, value) in square.as_flattened().iter().enumerate() {
                            value.store(&mut to[point * order.point + lane..]);
                        }
                    }
                }
            }
        }
    }
}

/// A transformed square of a plane, whose first pixel, halo counted, is at this row and column; beyond the halo are
/// zeros too.
#[inline(always)]
fn square<V: Lane, T: Square<P, P>, const P: usize>(
    map: BlockedMap,
    plane: &[V::Elem],
    row: usize,
    col: usize,
    lane: usize,
) -> [[V; P]; P] {
    let zero = V::of(0.0);
    let mut lines = [[zero; P]; P];
    let (height, width) = (map.height + 2 * map.halo, map.width + 2 * map.halo);
    let whole = row + P <= height && col + P <= width;
    let begin = row * map.row() + col * BLOCK + lane;
    for (r, transformed) in lines.iter_mut().enumerate() {
        let mut line = [zero; P];
        if whole {
            let from = &plane[begin + r * map.row()..][..(P - 1) * BLOCK + V::WIDTH];
            for (k, value) in line.iter_mut().enumerate() {
                *value = V::load(&from[k * BLOCK..]);
            }
        } else if row + r < height {
            for (k, value) in line.iter_mut().enumerate().take(width - col) {
                *value = V::load(&plane[begin + r * map.row() + k * BLOCK..]);
            }
        }
        *transformed = T::line(line);
    }
    columns::<V, T, P, P>(&lines)
}

/// Multiplies some outputs of a block of tiles, and transforms the sums back.
struct Multiply<'a, 'y, E, C, const M: usize, const P: usize> {
    scheme: PhantomData<C>,
    conv: &'a BlockedConv,
    order: Order,
    /// The place of each block of channels in a transformed tile.
    steps: &'a [usize],
    /// The transformed block of tiles.
    points: &'a [E],
    weight: &'a [E],
    epilogue: Epilogue<'a, E>,
    /// The most tiles of a block.
    capacity: usize,
    sums: &'a mut Buffer<E>,
    part: Part<'y, E>,
}

impl<E: Element, C: Scheme<M, P>, const M: usize, const P: usize> Kernel for Multiply<'_, '_, E, C, M, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let (epilogue, output) = (self.epilogue, self.conv.output);
        let blocks = self.part.count;
        in_groups!(E::Lane<S>, blocks, |at, O| self.group::<E::Lane<S>, O<E::Lane<S>>>(at));
        let (top, bottom) = (self.part.top(output), self.part.bottom(output, M));
        for (index, rows) in self.part.rows.into_iter().enumerate() {
            epilogue.finish(output, self.part.first + index % blocks, rows, top, bottom);
        }
    }
}

impl<E: Element, C: Scheme<M, P>, const M: usize, const P: usize> Multiply<'_, '_, E, C, M, P> {
    /// The outputs in the registers of a pixel, from block `at` of the task on.
    #[inline(always)]
    fn group<V: Lane<Elem = E>, O: Outputs<V>>(&mut self, at: usize) {
        let Self { conv, order, steps, points, weight, epilogue, capacity, ref mut sums, ref mut part, .. } = *self;
        let (tiles, output, first) = (part.tiles, conv.output, part.first + at);
        let depth = steps.len() * BLOCK * BLOCK;
        let stride = P * P * depth;
        let (width, tail) = (O::COUNT * V::WIDTH, conv.tail());
        let apart = apart(capacity * width);
        let sums = sums.take(P * P * apart);
        for (point, sums) in sums.chunks_exact_mut(apart).enumerate() {
            let x = &points[point * order.point..];
            let products = Products { x, steps, weights: &weight[first * stride + point * depth..], stride, tail };
            in_tiles!(V, O, tiles.tiles(), |tile, N| {
                let begins: [usize; N] = std::array::from_fn(|j| (tile + j) * order.chunk * BLOCK);
                let found = self::sums::<V, O, N>(products, begins, O::zero());
                for (sums, found) in sums[tile * width..].chunks_exact_mut(width).zip(found) {
                    for r in 0..O::COUNT {
                        found.get(r).store(&mut sums[r * V::WIDTH..]);
                    }
                }
            });
        }
        let top = part.top(output);
        let mut place = (0, 0, 0);
        for tile in 0..tiles.tiles() {
            let (image, row, col) = (place.0, place.1 * M, place.2 * M);
            place = tiles.after(place);
            let (from_row, rows) = (tiles.first_row * M + row, M.min(output.height - tiles.first_row * M - row));
            for r in 0..O::COUNT {
                let (block, lane) = (r * V::WIDTH / BLOCK, r * V::WIDTH % BLOCK);
                let square = transform::<V, Output<C, M, P>, P, M>(&sums[tile * width + r * V::WIDTH..], apart);
                let bias = V::load(&epilogue.bias[(first + block) * BLOCK + lane..]);
                let y = &mut *part.rows[image * part.count + at + block];
                for (i, line) in square.into_iter().enumerate().take(rows) {
                    let to = (top + row + i) * output.row() + (output.halo + col) * BLOCK + lane;
                    for (j, value) in line.into_iter().enumerate().take(output.width - col) {
                        let value = value + bias;
                        let value = match epilogue.residual {
                            Some(residual) => {
                                let plane = residual.plane(tiles.first_image + image, first + block);
                                value + V::load(&plane[residual.map.at(from_row + i, col + j) + lane..])
                            }
                            None => value,
                        };
                        value.store(&mut y[to + j * BLOCK..]);
                    }
                }
            }
        }
    }
}
