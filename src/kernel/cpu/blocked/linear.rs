//! Fully connected layers on features in blocks, `[batch, blocks, 16]`.

use super::sums::{Outputs, Products, in_groups, in_tiles, sums};
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
        in_groups!(E::Lane<S>, blocks, |at, O| self.images::<E::Lane<S>, O<E::Lane<S>>>(at));
        let first = self.block.col / BLOCK;
        for outputs in &mut self.block.rows {
            for (block, outputs) in (first..).zip(outputs.chunks_exact_mut(BLOCK)) {
                if let Some(finish) = self.finish {
                    finish.finish(block, outputs);
                }
                clear_channels(self.channels, block, outputs);
            }
        }
    }
}

impl<E: Element> Task<'_, '_, E> {
    #[inline(always)]
    fn images<V: Lane<Elem = E>, O: Outputs<V>>(&mut self, at: usize) {
        in_tiles!(V, O, self.block.rows.len(), |image, N| self.some::<V, O, N>(at, image));
    }

    #[inline(always)]
    fn some<V: Lane<Elem = E>, O: Outputs<V>, const N: usize>(&mut self, at: usize, image: usize) {
        let Self { steps, x, weight, bias, ref mut block, .. } = *self;
        let (first, inputs) = (block.col / BLOCK + at, steps.len() * BLOCK);
        let begins: [usize; N] = std::array::from_fn(|j| (block.row + image + j) * inputs);
        let stride = inputs * BLOCK;
        let products = Products { x, steps, weights: &weight[first * stride..], stride, tail: (steps.len(), BLOCK) };
        let sums = sums::<V, O, N>(products, begins, O::load(&bias[first * BLOCK..]));
        for (outputs, sums) in block.rows[image..].iter_mut().zip(sums) {
            for r in 0..O::COUNT {
                sums.get(r).store(&mut outputs[at * BLOCK + r * V::WIDTH..]);
            }
        }
    }
}
