//! Fully connected layers on features in blocks, `[batch, blocks, 16]`.

use super::conv2d::{largest, next, sums};
use super::{BLOCK, Finish, clear_channels};
use crate::kernel::cpu::blocks::{Block, even_part, grid};
use crate::kernel::cpu::simd::{Kernel, Lane, Level, Simd, dispatch_at};
use crate::kernel::cpu::tasks::each;
use crate::kernel::element::Element;

/// Elements of the weight that a task reads, about.
const WEIGHTS: usize = 64 * 1024;
/// Images of a task.
const IMAGES: usize = 64;

/// `y = finish(x weight^T + bias)`, with numbers of inputs and of outputs.
///
/// `weight` is as [`pack_weight`](super::conv2d::pack_weight) writes that of a convolution of 1x1, `bias` has an
/// element for each output of each block.
///
/// # Panics
///
/// If a length does not fit the sizes.
pub fn run<E: Element>(
    [inputs, outputs]: [usize; 2],
    x: &[E],
    weight: &[E],
    bias: &[E],
    finish: Option<&dyn Finish<E>>,
    y: &mut [E],
) {
    let (channels, [inputs, outputs]) = (outputs, [inputs, outputs].map(|features| features.div_ceil(BLOCK)));
    assert_eq!(weight.len(), inputs * outputs * BLOCK * BLOCK, "length of the weight");
    assert_eq!(bias.len(), outputs * BLOCK, "length of the bias");
    if y.is_empty() {
        return;
    }
    assert_eq!(x.len() / (inputs * BLOCK).max(1), y.len() / (outputs * BLOCK), "number of images");
    let level = Level::current();
    let steps: Vec<usize> = (0..inputs).map(|block| block * BLOCK).collect();
    // An even number of blocks for the widest registers.
    let group = even_part(outputs, (WEIGHTS / (inputs * BLOCK * BLOCK).max(1)).max(1)).next_multiple_of(2);
    each(grid(y, outputs * BLOCK, IMAGES, group * BLOCK), |block| {
        dispatch_at(level, Task { steps: &steps, x, weight, bias, finish, channels, block });
    });
}

/// Some outputs of some images.
struct Task<'a, 'y, E> {
    /// The first element of each block of inputs.
    steps: &'a [usize],
    x: &'a [E],
    weight: &'a [E],
    bias: &'a [E],
    finish: Option<&'a dyn Finish<E>>,
    /// Number of outputs, without those that fill the last block.
    channels: usize,
    block: Block<'y, E>,
}

impl<E: Element> Kernel for Task<'_, '_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let blocks = self.block.width() / BLOCK;
        let width = <E::Lane<S> as Lane>::WIDTH;
        let mut at = 0;
        while at < blocks {
            let both = width == BLOCK && at + 2 <= blocks;
            match (width, both) {
                (16, true) => self.images::<E::Lane<S>, 2>(at),
                (16, false) => self.images::<E::Lane<S>, 1>(at),
                (8, _) => self.images::<E::Lane<S>, 2>(at),
                (4, _) => self.images::<E::Lane<S>, 4>(at),
                _ => self.images::<E::Lane<S>, 16>(at),
            }
            at += if both { 2 } else { 1 };
        }
        let first = self.block.col / BLOCK;
        for outputs in &mut self.block.rows {
            for (block, outputs) in (first..).zip(outputs.chunks_exact_mut(BLOCK)) {
                if let Some(finish) = self.finish {
                    finish.finish(block, 0, outputs);
                }
                clear_channels(self.channels, block, outputs);
            }
        }
    }
}

impl<E: Element> Task<'_, '_, E> {
    #[inline(always)]
    fn images<V: Lane<Elem = E>, const R: usize>(&mut self, at: usize) {
        let total = self.block.rows.len();
        let mut image = 0;
        while image < total {
            image += match next::<V, R>(total - image) {
                14 => self.some::<V, R, 14>(at, image),
                12 => self.some::<V, R, 12>(at, image),
                8 => self.some::<V, R, 8>(at, image),
                7 => self.some::<V, R, 7>(at, image),
                6 => self.some::<V, R, 6>(at, image),
                4 => self.some::<V, R, 4>(at, image),
                2 => self.some::<V, R, 2>(at, image),
                _ => self.some::<V, R, 1>(at, image),
            };
        }
    }

    #[inline(always)]
    fn some<V: Lane<Elem = E>, const R: usize, const N: usize>(&mut self, at: usize, image: usize) -> usize {
        if N > largest::<V, R>() {
            return N;
        }
        let Self { steps, x, weight, bias, ref mut block, .. } = *self;
        let (first, inputs) = (block.col / BLOCK + at, steps.len() * BLOCK);
        let begins: [usize; N] = std::array::from_fn(|j| (block.row + image + j) * inputs);
        let len = inputs * BLOCK;
        let start: [V; R] = std::array::from_fn(|r| V::load(&bias[first * BLOCK + r * V::WIDTH..]));
        let sums = sums::<V, R, N>(x, begins, steps, &weight[first * len..], len, start);
        for (j, sums) in sums.into_iter().enumerate() {
            for (r, sum) in sums.into_iter().enumerate() {
                sum.store(&mut block.rows[image + j][at * BLOCK + r * V::WIDTH..]);
            }
        }
        N
    }
}
