//! Two-dimensional convolution of blocked maps, with everything that follows it in a network in its last write.

use super::{BLOCK, BlockedMap, Finish, Source};
use crate::kernel::cpu::blocks::{Block, even_part};
use crate::kernel::cpu::simd::{Kernel, Lane, Level, Simd, dispatch_at};
use crate::kernel::cpu::tasks::each;
use crate::kernel::element::Element;

/// Elements of the inputs that a task reads over and over, about: they stay in the second cache level.
const INPUTS: usize = 64 * 1024;
/// Multiply-adds of a task, about: it takes some ten microseconds.
const WORK: usize = 1 << 20;

/// Sizes of a convolution:
/// `y[n, o, i, j] = bias[o] + sum over c, u, v of w[o, c, u, v] x[n, c, i S - P + u, j S - P + v]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockedConv {
    /// The input. Its halo is at least the padding.
    pub input: BlockedMap,
    /// Sizes of the output.
    pub output: BlockedMap,
    /// Rows and columns of the window.
    pub kernel: [usize; 2],
    /// Steps of the window down and along.
    pub stride: [usize; 2],
    /// Rows and columns of zeros on each side that the window begins in.
    pub padding: [usize; 2],
}

impl BlockedConv {
    /// Elements of a packed weight.
    pub fn weight_len(&self) -> usize {
        self.output.blocks() * self.block_len()
    }

    /// Elements of the packed weight of one block of outputs.
    fn block_len(&self) -> usize {
        self.input.blocks() * self.taps() * BLOCK * BLOCK
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// For each block of inputs and each tap, its distance from where the window of a pixel begins.
    fn steps(&self) -> Vec<usize> {
        let Self { input, kernel, .. } = self;
        let taps = move |block| {
            (0..kernel[0])
                .flat_map(move |u| (0..kernel[1]).map(move |v| block * input.plane() + u * input.row() + v * BLOCK))
        };
        (0..input.blocks()).flat_map(taps).collect()
    }

    /// Index in an image of the input at which the window of an output's pixel begins.
    fn begins(&self, row: usize, col: usize) -> usize {
        let Self { input, stride, padding, .. } = self;
        (row * stride[0] + input.halo - padding[0]) * input.row() + (col * stride[1] + input.halo - padding[1]) * BLOCK
    }
}

/// Packs a weight `[O, C, K, K]` as [`run`] reads it: `[blocks of outputs, blocks of inputs, K, K, 16 inputs, 16
/// outputs]`, with zeros where there is no channel.
///
/// # Panics
///
/// If a length does not fit the sizes.
pub fn pack_weight<E: Element>(conv: &BlockedConv, weight: &[E], packed: &mut [E]) {
    let (inputs, outputs, taps) = (conv.input.channels, conv.output.channels, conv.taps());
    assert_eq!(weight.len(), outputs * inputs * taps, "length of the weight");
    assert_eq!(packed.len(), conv.weight_len(), "length of the packed weight");
    each(packed.chunks_mut(conv.block_len().max(1)).enumerate(), |(block, packed)| {
        packed.fill(E::zero());
        let first = block * BLOCK;
        for (index, packed) in packed.chunks_exact_mut(BLOCK).enumerate() {
            let (step, lane) = (index / BLOCK, index % BLOCK);
            let (input, tap) = (step / taps * BLOCK + lane, step % taps);
            if input < inputs {
                let from = (first * inputs + input) * taps + tap;
                let values = weight[from..].iter().step_by(inputs * taps);
                packed.iter_mut().zip(values).for_each(|(to, &value)| *to = value);
            }
        }
    });
}

/// `y = finish(conv(x, weight) + bias + residual)`, with zeros in the halo of `y`.
///
/// `weight` is as [`pack_weight`] writes it, `bias` has an element for each channel of each block.
///
/// # Panics
///
/// If a length does not fit the sizes.
pub fn run<E: Element>(
    conv: &BlockedConv,
    x: &[E],
    weight: &[E],
    bias: &[E],
    residual: Option<Source<'_, E>>,
    finish: Option<&dyn Finish<E>>,
    y: &mut [E],
) {
    let BlockedConv { input, output, .. } = *conv;
    assert_eq!(x.len(), input.len(), "length of x");
    assert_eq!(y.len(), output.len(), "length of y");
    assert_eq!(weight.len(), conv.weight_len(), "length of the weight");
    assert_eq!(bias.len(), output.blocks() * BLOCK, "length of the bias");
    if y.is_empty() {
        return;
    }
    let level = Level::current();
    let (blocks, plane) = (output.blocks(), output.plane());
    let steps = conv.steps();
    let threads = rayon::current_num_threads();
    // Rows whose inputs stay in the cache while all outputs are computed from them.
    let of_a_row = input.blocks() * input.row() * conv.stride[0];
    let rows = even_part(output.height, (INPUTS / of_a_row.max(1)).max(1));
    // Each output is the sum of one task, however many outputs a task has: their number goes by that of the threads, so
    // that a small map keeps all of them busy.
    // As many outputs as make a task worth its start, an even number of blocks for the widest registers.
    let work = rows * output.width * steps.len() * BLOCK * BLOCK;
    let tasks = output.batch * output.height.div_ceil(rows);
    let most = if tasks >= 2 * threads { blocks } else { blocks.div_ceil(2 * threads.div_ceil(tasks)) };
    let group = most.min((WORK / work.max(1)).max(2)).max(1).next_multiple_of(2);
    let mut tasks = Vec::new();
    for (image, y) in y.chunks_exact_mut(blocks * plane).enumerate() {
        let mut y = grid_rows(y, plane, group, output, rows);
        tasks.extend(y.drain(..).map(|(first_row, block)| (image, first_row, block)));
    }
    each(tasks, |(image, first_row, block)| {
        let x = &x[image * input.image()..][..input.image()];
        let residual = residual.map(|residual| {
            let len = residual.map.image();
            Source { values: &residual.values[image * len..][..len], ..residual }
        });
        dispatch_at(level, Task { conv, steps: &steps, x, weight, bias, residual, finish, first_row, block });
    });
}

/// Cuts the planes of an image into tasks: some rows of some blocks. The halo above and below goes with the first and
/// the last rows.
fn grid_rows<E>(
    y: &mut [E],
    plane: usize,
    group: usize,
    output: BlockedMap,
    rows: usize,
) -> Vec<(usize, Block<'_, E>)> {
    let parts = output.height.div_ceil(rows).max(1);
    let mut tasks = Vec::new();
    for (index, planes) in y.chunks_mut(group * plane).enumerate() {
        let first = tasks.len();
        for part in 0..parts {
            tasks.push((part * rows, Block { row: index * group, col: 0, rows: Vec::new() }));
        }
        for plane in planes.chunks_mut(plane) {
            let mut rest = plane;
            for part in 0..parts {
                let ends = usize::from(part == 0) + usize::from(part + 1 == parts);
                let count = rows.min(output.height - part * rows) + ends * output.halo;
                let (own, after) = rest.split_at_mut(count * output.row());
                tasks[first + part].1.rows.push(own);
                rest = after;
            }
        }
    }
    tasks
}

/// Some rows of some blocks of outputs of one image.
struct Task<'a, 'y, E> {
    conv: &'a BlockedConv,
    steps: &'a [usize],
    x: &'a [E],
    weight: &'a [E],
    bias: &'a [E],
    residual: Option<Source<'a, E>>,
    finish: Option<&'a dyn Finish<E>>,
    /// The first row of the output, without the halo.
    first_row: usize,
    block: Block<'y, E>,
}

impl<E: Element> Kernel for Task<'_, '_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let first = self.block.row;
        let mut at = 0;
        while at < self.block.rows.len() {
            // Two blocks where a register holds one, so that an input serves two registers.
            let width = <E::Lane<S> as Lane>::WIDTH;
            let both = width == BLOCK && at + 2 <= self.block.rows.len();
            match (width, both) {
                (16, true) => self.pixels::<E::Lane<S>, 2>(first, at),
                (16, false) => self.pixels::<E::Lane<S>, 1>(first, at),
                (8, _) => self.pixels::<E::Lane<S>, 2>(first, at),
                (4, _) => self.pixels::<E::Lane<S>, 4>(first, at),
                _ => self.pixels::<E::Lane<S>, 16>(first, at),
            }
            at += if both { 2 } else { 1 };
        }
        let (top, bottom) = self.frame();
        let output = self.conv.output;
        let above = if top > 0 { 0 } else { (self.first_row + output.halo) * output.row() };
        for (index, rows) in self.block.rows.iter_mut().enumerate() {
            if let Some(finish) = self.finish {
                finish.finish(first + index, above, rows);
            }
            output.clear(first + index, rows, top, bottom);
        }
    }
}

impl<E: Element> Task<'_, '_, E> {
    /// Rows of the halo above and below that the task has.
    fn frame(&self) -> (usize, usize) {
        let BlockedMap { height, halo, .. } = self.conv.output;
        let top = if self.first_row == 0 { halo } else { 0 };
        let rows = self.block.width() / self.conv.output.row() - top;
        (top, if self.first_row + rows > height { halo } else { 0 })
    }

    /// All pixels of the block of index `at`, or of it and the next, as `R` registers are.
    #[inline(always)]
    fn pixels<V: Lane<Elem = E>, const R: usize>(&mut self, first: usize, at: usize) {
        let (top, bottom) = self.frame();
        let rows = self.block.width() / self.conv.output.row() - top - bottom;
        let total = rows * self.conv.output.width;
        let mut pixel = 0;
        while pixel < total {
            let left = total - pixel;
            pixel += match next::<V, R>(left) {
                14 => self.tile::<V, R, 14>(first, at, top, pixel),
                12 => self.tile::<V, R, 12>(first, at, top, pixel),
                8 => self.tile::<V, R, 8>(first, at, top, pixel),
                7 => self.tile::<V, R, 7>(first, at, top, pixel),
                6 => self.tile::<V, R, 6>(first, at, top, pixel),
                4 => self.tile::<V, R, 4>(first, at, top, pixel),
                2 => self.tile::<V, R, 2>(first, at, top, pixel),
                _ => self.tile::<V, R, 1>(first, at, top, pixel),
            };
        }
    }

    #[inline(always)]
    fn tile<V: Lane<Elem = E>, const R: usize, const N: usize>(
        &mut self,
        first: usize,
        at: usize,
        top: usize,
        pixel: usize,
    ) -> usize {
        if N > largest::<V, R>() {
            return N;
        }
        let Self { conv, steps, x, weight, bias, residual, first_row, ref mut block, .. } = *self;
        let output = conv.output;
        let places: [(usize, usize); N] = std::array::from_fn(|j| {
            let pixel = pixel + j;
            (pixel / output.width, pixel % output.width)
        });
        let begins = places.map(|(row, col)| conv.begins(first_row + row, col));
        let of_a_block = BLOCK / V::WIDTH;
        let bias = &bias[(first + at) * BLOCK..];
        let start: [V; R] = std::array::from_fn(|r| V::load(&bias[r * V::WIDTH..]));
        let len = conv.block_len();
        let weights = &weight[(first + at) * len..];
        let sums = sums::<V, R, N>(x, begins, steps, weights, len, start);
        for (j, sums) in sums.into_iter().enumerate() {
            let (row, col) = places[j];
            let to = (row + top) * output.row() + (col + output.halo) * BLOCK;
            for (r, sum) in sums.into_iter().enumerate() {
                let lane = r % of_a_block * V::WIDTH;
                let sum = match residual {
                    Some(Source { map, values }) => {
                        let from = (first + at + r / of_a_block) * map.plane() + map.at(first_row + row, col);
                        sum + V::load(&values[from + lane..])
                    }
                    None => sum,
                };
                sum.store(&mut block.rows[at + r / of_a_block][to + lane..]);
            }
        }
        N
    }
}

/// Pixels that have room in the registers, with `R` registers each.
pub(super) const fn largest<V: Lane, const R: usize>() -> usize {
    match (V::WIDTH * size_of::<V::Elem>() >= 64, R) {
        (true, ..=2) => 14,
        (true, _) => 6,
        (false, ..=2) => 6,
        (false, _) => 1,
    }
}

/// Pixels to compute next, of those that are left.
pub(super) const fn next<V: Lane, const R: usize>(left: usize) -> usize {
    match (largest::<V, R>(), left) {
        (14, 16) => 8,
        (most, _) if left >= most => most,
        (_, 12..) => 12,
        (_, 8..) => 8,
        (_, 7..) => 7,
        (_, 6..) => 6,
        (_, 4..) => 4,
        (_, 2..) => 2,
        _ => 1,
    }
}

/// The sums of `N` pixels, whose windows begin at these places.
#[inline(always)]
pub(super) fn sums<V: Lane, const R: usize, const N: usize>(
    x: &[V::Elem],
    begins: [usize; N],
    steps: &[usize],
    weights: &[V::Elem],
    block_len: usize,
    start: [V; R],
) -> [[V; R]; N] {
    let of_a_block = BLOCK / V::WIDTH;
    let mut sums = [start; N];
    // The weights of the second block begin a block's length later.
    let (own, other) =
        (&weights[..block_len], if R > of_a_block { &weights[block_len..2 * block_len] } else { &[][..] });
    let own = own.as_chunks::<{ BLOCK * BLOCK }>().0;
    let other = other.as_chunks::<{ BLOCK * BLOCK }>().0;
    for (index, (&step, own)) in steps.iter().zip(own).enumerate() {
        let x: [&[V::Elem; BLOCK]; N] =
            std::array::from_fn(|j| x[begins[j] + step..].first_chunk().expect("a window within the map"));
        let other = if R > of_a_block { &other[index] } else { own };
        for k in 0..BLOCK {
            let w: [V; R] = std::array::from_fn(|r| {
                let block = if r < of_a_block { own } else { other };
                V::load(&block[k * BLOCK + r % of_a_block * V::WIDTH..])
            });
            for j in 0..N {
                let x = V::splat(x[j][k]);
                for r in 0..R {
                    sums[j][r] = x.mul_add(w[r], sums[j][r]);
                }
            }
        }
    }
    sums
}
