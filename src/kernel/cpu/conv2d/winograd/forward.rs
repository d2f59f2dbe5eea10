//! The convolution, and the gradient of the input, which is the convolution of the gradient of the output with the
//! adjoint filter.
//!
//! In rounds of as many blocks of tiles as fit in the last cache level: first every block is transformed, then each
//! task takes a band of output channels, transforms its filters, multiplies, and transforms back. Planes are asked for
//! before they are read or written, while tiles are transformed or multiplied: of each a few lines are needed at once,
//! fewer than the processor needs to see that more will follow.

use std::marker::PhantomData;

use super::problem::Problem;
use super::scheme::Scheme;
use super::tiles::Tiling;
use super::transform::{Input, Output, Put, TransformFilter, TransformTiles, transform_to};
use crate::kernel::cpu::conv2d::forward::Start;
use crate::kernel::cpu::copy::{Rows, Strided, transpose_into};
use crate::kernel::cpu::registers::{MAX_BAND, apart, band, band_at, rows_by_band};
use crate::kernel::cpu::simd::{Kernel, Lane, Level, Real, Simd, dispatch_at};
use crate::kernel::cpu::tasks::{each, threads};
use crate::kernel::cpu::workspace::{Buffer, with_kept};
use crate::kernel::element::Element;
use crate::kernel::write::Write;

/// Tiles of a block.
const TILES: usize = 32;
/// Bytes of transformed input that lie between the two halves of a round: as many as those of the transformed filters,
/// which each round reads, but at least what fits in the second cache level of two cores and at most a part of the last
/// level.
const BETWEEN: std::ops::RangeInclusive<usize> = (1 << 20)..=(6 << 20);
/// Tasks below which the blocks of a round are split too.
const TASKS: usize = 8;

/// Blocks a thread from which on each task transforms a block and multiplies it by all filters, so that nothing that
/// lies between leaves the second cache level, or its core.
const BLOCKS: usize = 4;

/// The transformed input of a block.
#[derive(Debug, Default)]
struct Block<E>(Buffer<E>);

/// Buffers that tasks share: the transformed input and filters.
#[derive(Debug, Default)]
struct Shared<E> {
    /// The transformed input of a round.
    points: Buffer<E>,
    filters: Buffer<E>,
}

/// The working memory of a task.
#[derive(Debug, Default)]
struct Workspace<E> {
    filter: Buffer<E>,
    turned: Buffer<E>,
    products: Buffer<E>,
    pixels: Buffer<E>,
}

/// The places of a block and a band of channels in `y`: one slice for each image and channel, or, where the block holds
/// whole images, one for each image.
type Target<'a, E> = Vec<&'a mut [E]>;

/// A band of output channels of some blocks.
struct Task<'a, E> {
    band: usize,
    /// Index in the tiling, and place in `y`.
    blocks: Vec<(usize, Target<'a, E>)>,
}

/// `y = conv(x, filter) + bias`, or `y += conv(x, filter)`.
pub fn run<E: Element, C: Scheme<M, P>, const M: usize, const P: usize>(
    problem: &Problem<'_, E>,
    start: Start<'_, E>,
    y: &mut [E],
) {
    let level = Level::current();
    let band = band_at::<E>(level);
    let bands = problem.filter.outputs.div_ceil(band);
    let tiling = Tiling::new(problem.batch, problem.output(), M, TILES);
    let stride = problem.x.channels.next_multiple_of(band);
    let block_len = P * P * apart(tiling.capacity() * stride);
    let filter_len = P * P * apart(problem.filter.inputs * band);
    let between = (bands * filter_len * size_of::<E>()).clamp(*BETWEEN.start(), *BETWEEN.end());
    let at_once = (between / (block_len * size_of::<E>())).clamp(1, tiling.blocks());
    let share = at_once.div_ceil(TASKS.div_ceil(bands));
    let whole = tiling.blocks() >= BLOCKS * threads();
    // Where each filter is used only once, the task that uses it transforms it, and it does not leave the cache.
    let once = !whole && at_once == tiling.blocks() && share == at_once;

    let transform = |index: usize, to: &mut [E]| {
        with_kept(|workspace: &mut Buffer<E>| {
            let work = TransformTiles::<_, Input<C, M, P>, P, P> {
                transform: PhantomData,
                planes: problem.x,
                block: tiling.block(index),
                next: tiling.after(index),
                side: M,
                padding: problem.padding,
                group: stride,
                capacity: tiling.capacity(),
                to,
                workspace,
            };
            dispatch_at(level, work);
        });
    };
    let multiply = |points: &[E], first: usize, filters: &[E], task: Task<'_, E>| {
        with_kept(|workspace: &mut Workspace<E>| {
            let scheme = PhantomData::<C>;
            let work = Multiply::<_, _, M, P> {
                scheme,
                problem,
                tiling,
                stride,
                points,
                filters,
                first,
                start,
                task,
                workspace,
            };
            dispatch_at(level, work);
        });
    };
    let mut targets = targets(y, &tiling, problem, band).into_iter();
    with_kept(|Shared { points, filters }: &mut Shared<E>| {
        let filters = if once { &mut [] } else { filters.take(bands * filter_len) };
        each(filters.chunks_mut(filter_len).enumerate(), |(index, to)| {
            with_kept(|workspace: &mut Buffer<E>| {
                let (scheme, filter, first) = (PhantomData::<C>, problem.filter, index * band);
                dispatch_at(level, TransformFilter::<_, _, M, P> { scheme, filter, first, to, workspace });
            });
        });
        let filters = &*filters;
        if whole {
            return each(targets.enumerate(), |(index, targets)| {
                with_kept(|Block(points): &mut Block<E>| {
                    let points = points.take(block_len);
                    transform(index, points);
                    for (band, target) in targets.into_iter().enumerate() {
                        multiply(points, index, filters, Task { band, blocks: vec![(index, target)] });
                    }
                });
            });
        }
        let points = points.take(at_once * block_len);
        for first in (0..tiling.blocks()).step_by(at_once) {
            let count = at_once.min(tiling.blocks() - first);
            let points = &mut points[..count * block_len];
            each(points.chunks_mut(block_len).enumerate(), |(offset, to)| transform(first + offset, to));
            let numbers = (0..count.div_ceil(share) * bands).map(|number| number % bands);
            let mut tasks: Vec<_> = numbers.map(|band| Task { band, blocks: Vec::new() }).collect();
            for (offset, targets) in targets.by_ref().take(count).enumerate() {
                for (band, target) in targets.into_iter().enumerate() {
                    tasks[offset / share * bands + band].blocks.push((first + offset, target));
                }
            }
            let points = &*points;
            each(tasks, |task| multiply(points, first, filters, task));
        }
    });
}

/// The places in `y` of each block and band.
fn targets<'a, E>(y: &'a mut [E], tiling: &Tiling, problem: &Problem<'_, E>, band: usize) -> Vec<Vec<Target<'a, E>>> {
    let (height, width) = problem.output();
    let (plane, outputs) = (height * width, problem.filter.outputs);
    let empty = || (0..outputs.div_ceil(band)).map(|_| Vec::new()).collect();
    let mut targets: Vec<Vec<Target<'a, E>>> = (0..tiling.blocks()).map(|_| empty()).collect();
    for (image, y) in y.chunks_exact_mut(outputs * plane).enumerate() {
        let first = image / tiling.images_in_block() * tiling.bands();
        if tiling.bands() == 1 {
            for (band, y) in y.chunks_mut(band * plane).enumerate() {
                targets[first][band].push(y);
            }
        } else {
            for (channel, y) in y.chunks_exact_mut(plane).enumerate() {
                for (index, y) in y.chunks_mut(tiling.pixel_rows_in_block() * width).enumerate() {
                    targets[first + index][channel / band].push(y);
                }
            }
        }
    }
    targets
}

/// Multiplies and transforms back.
struct Multiply<'a, 'y, E, C, const M: usize, const P: usize> {
    scheme: PhantomData<C>,
    problem: &'a Problem<'a, E>,
    tiling: Tiling,
    stride: usize,
    points: &'a [E],
    /// The filters of all bands, or none, to be transformed here.
    filters: &'a [E],
    /// The block that `points` starts with.
    first: usize,
    start: Start<'a, E>,
    task: Task<'y, E>,
    workspace: &'a mut Workspace<E>,
}

impl<E: Element, C: Scheme<M, P>, const M: usize, const P: usize> Kernel for Multiply<'_, '_, E, C, M, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { scheme, problem, tiling, stride, points, filters, first, start, task, workspace } = self;
        let Workspace { filter, turned, products, pixels } = workspace;
        let lanes = E::Lane::<S>::WIDTH;
        let band = band::<E::Lane<S>>();
        let (inputs, outputs, capacity) = (problem.filter.inputs, problem.filter.outputs, tiling.capacity());
        let (height, width) = problem.output();
        let first_channel = task.band * band;
        let present = band.min(outputs - first_channel);

        let filter_len = P * P * apart(inputs * band);
        let filter = if filters.is_empty() {
            let to = filter.take(filter_len);
            let work = TransformFilter::<_, _, M, P> {
                scheme,
                filter: problem.filter,
                first: first_channel,
                to: &mut *to,
                workspace: turned,
            };
            work.run::<S>();
            &*to
        } else {
            &filters[task.band * filter_len..][..filter_len]
        };

        let mut bias = [E::zero(); MAX_BAND];
        if let Start::Replace(Some(from)) = start {
            bias[..present].copy_from_slice(&from[first_channel..][..present]);
        }
        let step = apart(capacity * band);
        let products = products.take(P * P * step);
        let mut lines = [[<E::Lane<S>>::of(0.0); M]; P];
        for (index, mut target) in task.blocks {
            let block = tiling.block(index);
            let points = &points[(index - first) * P * P * apart(capacity * stride)..];
            let mut ahead = Ahead::new(&target, P * P);
            for point in 0..P * P {
                ahead.prefetch::<S>();
                rows_by_band::<S, E>(
                    (&points[point * apart(capacity * stride)..], stride),
                    &filter[point * apart(inputs * band)..][..inputs * band],
                    &mut products[point * step..],
                    (block.tiles(), present),
                );
            }
            let rows = block.pixel_rows(M, M, 0, height);
            let area = rows.len() * width;
            let pixels = pixels.take(area * band);
            for image in 0..block.images {
                for tile in 0..block.rows * block.cols {
                    let (row, col) = (tile / block.cols * M, tile % block.cols * M);
                    let products_at = (image * block.rows * block.cols + tile) * band;
                    for lane in (0..present).step_by(lanes) {
                        let bias = E::Lane::<S>::load(&bias[lane..]);
                        let (rows, cols) = (rows.len() - row, width - col);
                        let at = (row * width + col) * band + lane;
                        let mut to = Pixels { to: &mut pixels[at..], row: width * band, col: band, rows, cols, bias };
                        let products = &products[products_at + lane..];
                        transform_to::<E::Lane<S>, Output<C, M, P>, P, M>(products, step, &mut lines, &mut to);
                    }
                }
                let (sizes, add) = ((area, present), matches!(start, Start::Add));
                if tiling.bands() == 1 {
                    deposit::<S, E>(pixels, band, sizes, add, &mut Strided { data: &mut *target[image], stride: area });
                } else {
                    deposit::<S, E>(pixels, band, sizes, add, target.as_mut_slice());
                }
            }
        }
    }
}

/// The pixels of a tile, with a bias; those beyond the image are left out.
struct Pixels<'a, V: Lane> {
    to: &'a mut [V::Elem],
    /// Distances between rows and between columns, in elements.
    row: usize,
    col: usize,
    /// Rows and columns of the image from the tile's first on.
    rows: usize,
    cols: usize,
    bias: V,
}

impl<V: Lane> Put<V> for Pixels<'_, V> {
    #[inline(always)]
    fn put(&mut self, row: usize, col: usize, value: V) {
        if row < self.rows && col < self.cols {
            (value + self.bias).store(&mut self.to[row * self.row + col * self.col..]);
        }
    }
}

/// Places that will be written to, asked for while others are worked on, some at each of so many steps.
struct Ahead<'a, E> {
    places: &'a [&'a mut [E]],
    /// Elements that were asked for in the first of the places.
    done: usize,
    /// Elements for each step.
    share: usize,
}

impl<'a, E: Element> Ahead<'a, E> {
    fn new(places: &'a [&'a mut [E]], steps: usize) -> Self {
        let elements: usize = places.iter().map(|place| place.len()).sum();
        let line = 64 / size_of::<E>();
        Self { places, done: 0, share: elements.div_ceil(steps).next_multiple_of(line) }
    }

    /// Asks for the share of a step.
    #[inline(always)]
    fn prefetch<S: Simd>(&mut self) {
        let mut left = self.share;
        while left > 0
            && let Some((place, rest)) = self.places.split_first()
        {
            let end = place.len().min(self.done + left);
            S::prefetch(&place[self.done..end]);
            left -= end - self.done;
            self.done = end;
            if end == place.len() {
                (self.places, self.done) = (rest, 0);
            }
        }
    }
}

/// Turns `[pixel, channel]` into planes, or adds it to them.
#[inline(always)]
fn deposit<S: Simd, E: Element>(
    pixels: &[E],
    band: usize,
    sizes: (usize, usize),
    add: bool,
    to: &mut (impl Rows<E> + ?Sized),
) {
    let (area, channels) = sizes;
    let write = if add { Write::Add } else { Write::Replace };
    transpose_into::<S, E>(pixels, band, area, channels, to, write);
}
