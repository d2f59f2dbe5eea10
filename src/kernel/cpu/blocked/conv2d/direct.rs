//! Convolutions of blocked maps tap by tap.

use super::problem::{BlockedConv, Epilogue};
use crate::kernel::cpu::blocked::BLOCK;
use crate::kernel::cpu::blocked::parts::{Part, parts};
use crate::kernel::cpu::blocked::sums::{Outputs, Products, in_groups, in_tiles, sums};
use crate::kernel::cpu::conv2d::winograd::tiles::Tiling;
use crate::kernel::cpu::simd::{Kernel, Lane, Level, Simd, dispatch_at};
use crate::kernel::cpu::tasks::{each, threads};
use crate::kernel::element::Element;

/// Elements of the inputs that a task reads over and over, about: they stay in the second cache level.
const INPUTS: usize = 64 * 1024;
/// Pixels of a task, at least, where there are as many.
const PIXELS: usize = 56;
/// Multiply-adds of a task, about: it takes some ten microseconds.
const WORK: usize = 1 << 20;

/// As [`super::run`], with a weight that was packed tap by tap.
pub(super) fn run<E: Element>(conv: &BlockedConv, x: &[E], weight: &[E], epilogue: Epilogue<'_, E>, y: &mut [E]) {
    let BlockedConv { input, output, .. } = *conv;
    let level = Level::current();
    let blocks = output.blocks();
    let steps = conv.steps();
    let threads = threads();
    // Pixels whose inputs stay in the cache while all outputs are computed from them, and so many that the weights,
    // which are read anew for each block of pixels, are worth reading.
    let of_a_pixel = input.blocks() * BLOCK * conv.stride[0] * conv.stride[1];
    let tiling = Tiling::new(output.batch, (output.height, output.width), 1, (INPUTS / of_a_pixel.max(1)).max(PIXELS));
    // Each output is the sum of one task, however many outputs a task has: their number goes by that of the threads, so
    // that a small map keeps all of them busy.
    // As many outputs as make a task worth its start, an even number of blocks for the widest registers.
    let work = tiling.capacity() * steps.len() * BLOCK * BLOCK;
    let tasks = tiling.blocks();
    let most = if tasks >= 2 * threads { blocks } else { blocks.div_ceil(2 * threads.div_ceil(tasks)) };
    let group = most.min((WORK / work.max(1)).max(2)).max(1).next_multiple_of(2);
    each(parts(y, output, tiling, group), |part| {
        dispatch_at(level, Task { conv, steps: &steps, x, weight, epilogue, part });
    });
}

/// Some outputs of some pixels.
struct Task<'a, 'y, E> {
    conv: &'a BlockedConv,
    steps: &'a [usize],
    x: &'a [E],
    weight: &'a [E],
    epilogue: Epilogue<'a, E>,
    part: Part<'y, E>,
}

impl<E: Element> Kernel for Task<'_, '_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let (output, blocks) = (self.conv.output, self.part.count);
        in_groups!(E::Lane<S>, blocks, |at, O| self.pixels::<E::Lane<S>, O<E::Lane<S>>>(at));
        let (top, bottom) = (self.part.top(output), self.part.bottom(output, 1));
        for (index, rows) in self.part.rows.into_iter().enumerate() {
            self.epilogue.finish(output, self.part.first + index % blocks, rows, top, bottom);
        }
    }
}

impl<E: Element> Task<'_, '_, E> {
    /// All pixels of the block of index `at`, and of the next where registers hold both.
    #[inline(always)]
    fn pixels<V: Lane<Elem = E>, O: Outputs<V>>(&mut self, at: usize) {
        in_tiles!(V, O, self.part.tiles.tiles(), |pixel, N| self.tile::<V, O, N>(at, pixel));
    }

    #[inline(always)]
    fn tile<V: Lane<Elem = E>, O: Outputs<V>, const N: usize>(&mut self, at: usize, pixel: usize) {
        let Self { conv, steps, x, weight, epilogue, ref mut part } = *self;
        let (tiles, output, first) = (part.tiles, conv.output, part.first + at);
        let top = part.top(output);
        // Counted on from the first: a division takes as long as many products.
        let mut next = tiles.place(pixel);
        let places: [(usize, usize, usize); N] = std::array::from_fn(|_| {
            let place = next;
            next = tiles.after(place);
            place
        });
        let begins = places.map(|(image, row, col)| {
            (tiles.first_image + image) * conv.input.image() + conv.begins(tiles.first_row + row, col)
        });
        let of_a_block = BLOCK / V::WIDTH;
        let stride = conv.block_len();
        let products = Products { x, steps, weights: &weight[first * stride..], stride, tail: conv.tail() };
        let sums = sums::<V, O, N>(products, begins, O::load(&epilogue.bias[first * BLOCK..]));
        for (sums, (image, row, col)) in sums.into_iter().zip(places) {
            let to = (row + top) * output.row() + (col + output.halo) * BLOCK;
            for r in 0..O::COUNT {
                let (block, lane) = (r / of_a_block, r % of_a_block * V::WIDTH);
                let sum = match epilogue.residual {
                    Some(residual) => {
                        let plane = residual.plane(tiles.first_image + image, first + block);
                        sums.get(r) + V::load(&plane[residual.map.at(tiles.first_row + row, col) + lane..])
                    }
                    None => sums.get(r),
                };
                sum.store(&mut part.rows[image * part.count + at + block][to + lane..]);
            }
        }
    }
}
