//! Convolutions of 3x3 with stride one, straight from padded planes.
//!
//! With few channels, unfolding patches takes longer than the products on them, and so do the transforms of minimal
//! filtering. Here a register of neighboring pixels is loaded where it lies, once for each tap, and serves all output
//! channels: all that is written is the padded image. A register reaches over one row only, so that images as wide as
//! registers lose nothing.
//!
//! It pays where the filter stays in the first cache level and the output channels are few enough that their planes do
//! not drive each other out of it. Measured on an AMD EPYC with AVX-512, two threads, batch 128: 16 channels at 32x32
//! take 1.5 ms and not 2.5 (unfolded) or 2.7 (filtered); with AVX2 2.7 ms and not 3.9 or 2.2.

pub mod weight;

use super::forward::Start;
use crate::kernel::cpu::blocks::{Block, grid};
use crate::kernel::cpu::copy::copy_registers;
use crate::kernel::cpu::registers::{REGISTERS, Sums, add_step, in_pieces};
use crate::kernel::cpu::simd::{Kernel, Lane, Level, Simd, dispatch_at, widest};
use crate::kernel::cpu::tasks::each;
use crate::kernel::cpu::workspace::{Buffer, with_kept};
use crate::kernel::element::Element;
use crate::kernel::shape::ConvShape;

/// Height and width of a kernel, and its taps.
const SIDE: usize = 3;
const TAPS: usize = SIDE * SIDE;
/// Tasks below which images are split too.
const TASKS: usize = 8;

/// Bytes of a filter that leave half of the first cache level to pixels and sums.
const FILTER: usize = 16 << 10;
/// Output channels: with fewer a loaded pixel serves too few of them.
const OUTPUTS: std::ops::RangeInclusive<usize> = 8..=16;

/// Sizes of a convolution, forward or adjoint.
#[derive(Clone, Copy, Debug)]
struct Problem {
    inputs: usize,
    outputs: usize,
    height: usize,
    width: usize,
    padding: usize,
}

impl Problem {
    fn out_height(&self) -> usize {
        self.height + 2 * self.padding - (SIDE - 1)
    }

    fn out_width(&self) -> usize {
        self.width + 2 * self.padding - (SIDE - 1)
    }
}

/// The working memory of a call.
#[derive(Debug, Default)]
struct Packed<E>(Buffer<E>);

impl Problem {
    fn forward(shape: &ConvShape) -> Self {
        let (inputs, outputs) = (shape.in_channels, shape.out_channels);
        Self { inputs, outputs, height: shape.in_height, width: shape.in_width, padding: shape.padding }
    }

    /// The convolution of the gradient of the output; the padding is at most two.
    fn adjoint(shape: &ConvShape) -> Self {
        let (inputs, outputs) = (shape.out_channels, shape.in_channels);
        let (height, width) = (shape.out_height(), shape.out_width());
        Self { inputs, outputs, height, width, padding: SIDE - 1 - shape.padding }
    }

    /// Returns whether the convolution is fastest straight from padded planes.
    fn pays<E: Element>(&self) -> bool {
        let lanes = widest::<E>();
        OUTPUTS.contains(&self.outputs)
            && self.inputs * self.outputs * TAPS * size_of::<E>() <= FILTER
            // Of the lanes of the widest register at most a quarter is empty.
            && 4 * self.out_width() >= 3 * self.out_width().next_multiple_of(lanes)
    }
}

fn applies(shape: &ConvShape) -> bool {
    shape.kernel == SIDE && shape.stride == 1 && shape.padding < SIDE
}

/// Returns whether [`forward`] is the fastest way to compute a convolution.
pub fn pays_forward<E: Element>(shape: &ConvShape) -> bool {
    applies(shape) && Problem::forward(shape).pays::<E>()
}

/// Returns whether [`backward_input`] is the fastest way to compute the gradient of the input.
pub fn pays_backward_input<E: Element>(shape: &ConvShape) -> bool {
    applies(shape) && Problem::adjoint(shape).pays::<E>()
}

/// [`conv2d::forward`](super::forward()) straight from padded planes.
pub fn forward<E: Element>(level: Level, shape: &ConvShape, x: &[E], weight: &[E], bias: Option<&[E]>, y: &mut [E]) {
    let inputs = shape.in_channels;
    let filter = |input: usize, tap: usize, output: usize| weight[(output * inputs + input) * TAPS + tap];
    run(level, &Problem::forward(shape), x, filter, Start::Replace(bias), y);
}

/// [`conv2d::backward_input`](super::backward_input()) straight from padded planes.
pub fn backward_input<E: Element>(
    level: Level,
    shape: &ConvShape,
    weight: &[E],
    grad_output: &[E],
    start: Start<'_, E>,
    grad_x: &mut [E],
) {
    let outputs = shape.in_channels;
    // Turned by 180 degrees, with its channel axes swapped.
    let filter = |input: usize, tap: usize, output: usize| weight[(input * outputs + output) * TAPS + TAPS - 1 - tap];
    run(level, &Problem::adjoint(shape), grad_output, filter, start, grad_x);
}

/// `filter(input, tap, output)` is an element of the filter.
fn run<E: Element>(
    level: Level,
    problem: &Problem,
    x: &[E],
    filter: impl Fn(usize, usize, usize) -> E,
    start: Start<'_, E>,
    y: &mut [E],
) {
    let Problem { inputs, outputs, height, width, .. } = *problem;
    let (rows, columns) = (problem.out_height(), problem.out_width());
    let image = inputs * height * width;
    let batch = x.len() / image;
    let parts = TASKS.div_ceil(batch).min(rows);
    with_kept(|Packed(packed): &mut Packed<E>| {
        let packed = packed.take(inputs * TAPS * outputs);
        dispatch_at(level, Pack { inputs, outputs, filter, to: packed });
        let filter = &*packed;
        let blocks = grid(y, rows * columns, outputs, rows.div_ceil(parts) * columns);
        each(blocks, |block| {
            let (x, after) = x[block.row / outputs * image..].split_at(image);
            // What the next task reads, which is of the next image unless images are split.
            let ahead = if parts == 1 { &after[..after.len().min(image)] } else { &[] };
            with_kept(|planes: &mut Buffer<E>| {
                dispatch_at(level, Part { problem: *problem, x, ahead, filter, start, block, planes });
            });
        });
    });
}

/// Writes a filter for [`sums`]: a piece of output channels after another, `[inputs, taps, piece]`.
struct Pack<'a, E, F> {
    inputs: usize,
    outputs: usize,
    filter: F,
    to: &'a mut [E],
}

impl<E: Element, F: Fn(usize, usize, usize) -> E> Kernel for Pack<'_, E, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { inputs, outputs, filter, to } = self;
        in_pieces!(E::Lane<S>, outputs, |output, N| {
            let (piece, _) = to[output * inputs * TAPS..][..N * inputs * TAPS].as_chunks_mut::<N>();
            for (row, to) in piece.iter_mut().enumerate() {
                for (j, to) in to.iter_mut().enumerate() {
                    *to = filter(row / TAPS, row % TAPS, output + j);
                }
            }
        });
    }
}

/// Some rows of an image.
struct Part<'a, E> {
    problem: Problem,
    /// The image, `[inputs, height, width]`.
    x: &'a [E],
    /// The image that the next task reads, to prefetch; may be empty.
    ahead: &'a [E],
    /// The filter as [`Pack`] writes it.
    filter: &'a [E],
    start: Start<'a, E>,
    block: Block<'a, E>,
    planes: &'a mut Buffer<E>,
}

/// Padded rows of the input, of which registers are loaded.
#[derive(Clone, Copy)]
struct Padded<'a, E> {
    data: &'a [E],
    /// Elements of a plane, and of a row.
    plane: usize,
    row: usize,
}

impl<E: Element> Kernel for Part<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { problem, x, ahead, filter, start, mut block, planes } = self;
        let lanes = E::Lane::<S>::WIDTH;
        let columns = problem.out_width();
        let (first, count) = (block.col / columns, block.rows[0].len() / columns);
        let registers = columns.div_ceil(lanes);
        let row = registers * lanes + SIDE - 1;
        let plane = (count + SIDE - 1) * row;
        let data = planes.take(problem.inputs * plane);
        pad::<E::Lane<S>>(&problem, x, first, row, plane, data);
        let padded = Padded { data, plane, row };

        let all = count * registers;
        let mut ahead = ahead.chunks(ahead.len().div_ceil(all.div_ceil(REGISTERS)).max(1));
        for at in (0..all).step_by(REGISTERS) {
            S::prefetch(ahead.next().unwrap_or_default());
            // One left over is computed twice.
            let pieces: [_; REGISTERS] = std::array::from_fn(|r| {
                let piece = (at + r).min(all - 1);
                [piece / registers, piece % registers * lanes]
            });
            let places = pieces.map(|[line, column]| line * row + column);
            in_pieces!(E::Lane<S>, problem.outputs, |output, N| {
                let filter = &filter[output * problem.inputs * TAPS..];
                let sums = sums::<E::Lane<S>, N>(padded, places, filter);
                for (j, sums) in sums.into_iter().enumerate() {
                    let plane = &mut *block.rows[output + j];
                    for (sum, [line, column]) in sums.into_iter().zip(pieces).take(all - at) {
                        let end = (column + lanes).min(columns);
                        let to = &mut plane[line * columns..][column..end];
                        finish(sum, start, output + j, to);
                    }
                }
            });
        }
    }
}

/// Copies the rows that a part sees, from row `first` of the padded image on, with zeros around.
#[inline(always)]
fn pad<V: Lane>(problem: &Problem, x: &[V::Elem], first: usize, row: usize, plane: usize, to: &mut [V::Elem]) {
    let Problem { height, width, padding, .. } = *problem;
    for (to, from) in to.chunks_exact_mut(plane).zip(x.chunks_exact(height * width)) {
        for (line, to) in (first..).zip(to.chunks_exact_mut(row)) {
            pad_row::<V>(from, width, padding, line, to);
        }
    }
}

/// Writes row `line` of a padded plane: the row of the plane that is there, if any, and zeros.
#[inline(always)]
fn pad_row<V: Lane>(plane: &[V::Elem], width: usize, padding: usize, line: usize, to: &mut [V::Elem]) {
    let zero = V::Elem::of(0.0);
    let from = line.checked_sub(padding).and_then(|line| plane.get(line * width..(line + 1) * width));
    let Some(from) = from else { return to.fill(zero) };
    to[..padding].fill(zero);
    copy_registers::<V>(from, &mut to[padding..]);
    to[padding + width..].fill(zero);
}

/// The sums of `OUTPUTS` channels, a piece that `filter` begins with, over registers at some places of each plane.
#[inline(always)]
fn sums<V: Lane, const OUTPUTS: usize>(
    padded: Padded<'_, V::Elem>,
    places: [usize; REGISTERS],
    filter: &[V::Elem],
) -> Sums<V, OUTPUTS> {
    let mut sums = [[V::of(0.0); REGISTERS]; OUTPUTS];
    let reach = (SIDE - 1) * padded.row + V::WIDTH + SIDE - 1;
    let (filter, _) = filter.as_chunks::<OUTPUTS>();
    let (filter, _) = filter.as_chunks::<TAPS>();
    for (plane, taps) in padded.data.chunks_exact(padded.plane).zip(filter) {
        let lines = places.map(|place| &plane[place..][..reach]);
        for u in 0..SIDE {
            let lines = lines.map(|lines| &lines[u * padded.row..][..V::WIDTH + SIDE - 1]);
            for v in 0..SIDE {
                let filter = &taps[u * SIDE + v];
                // Written out: a closure would not inherit the instruction set, and be called.
                let pixels: [V; REGISTERS] = [V::load(&lines[0][v..]), V::load(&lines[1][v..])];
                add_step(&mut sums, pixels, |j| filter[j]);
            }
        }
    }
    sums
}

/// Adds a bias or what was there, and writes.
#[inline(always)]
fn finish<V: Lane>(sum: V, start: Start<'_, V::Elem>, output: usize, to: &mut [V::Elem]) {
    let whole = to.len() == V::WIDTH;
    let sum = match start {
        Start::Replace(None) => sum,
        Start::Replace(Some(bias)) => sum + V::splat(bias[output]),
        Start::Add if whole => V::load(to) + sum,
        Start::Add => V::load_partial(to) + sum,
    };
    if whole { sum.store(to) } else { sum.store_partial(to) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::cpu::conv2d::reference;
    use crate::kernel::cpu::testing::{narrow, relative_l2, same_everywhere, tolerance, values};

    /// Batch, channels, height, width, output channels and padding: one of each, partial registers, pieces of every
    /// size of output channels, few images that are split, and what the kernel is chosen for.
    const SHAPES: [[usize; 6]; 8] = [
        [1, 1, 1, 1, 1, 1],
        [2, 3, 5, 7, 4, 0],
        [3, 2, 9, 33, 5, 1],
        [1, 5, 31, 29, 19, 2],
        [9, 4, 6, 16, 12, 1],
        [1, 16, 32, 32, 16, 1],
        [3, 16, 8, 50, 14, 1],
        [2, 7, 3, 3, 17, 0],
    ];

    fn shape([batch, in_channels, in_height, in_width, out_channels, padding]: [usize; 6]) -> ConvShape {
        ConvShape { batch, in_channels, in_height, in_width, out_channels, kernel: SIDE, stride: 1, padding }
    }

    fn check<E: Element>(level: Level, shape: &ConvShape) {
        let [x, weight, bias, grad_output] =
            [shape.input_len(), shape.weight_len(), shape.out_channels, shape.output_len()]
                .map(|len| values(len, len as u64));
        let mut want = vec![0.0; grad_output.len()];
        reference::forward(shape, &x, &weight, &bias, &mut want);
        let mut y = vec![E::nan(); want.len()];
        forward::<E>(level, shape, &narrow(&x), &narrow(&weight), Some(&narrow(&bias)), &mut y);
        assert!(relative_l2(&y, &want) < tolerance::<E>(), "forward {level:?} {shape:?}");
        for (start, old) in [(Start::Replace(None), f64::NAN), (Start::Add, 0.75)] {
            let mut want = vec![if old.is_nan() { 0.0 } else { old }; x.len()];
            reference::backward_input(shape, &weight, &grad_output, &mut want);
            let mut grad_x = vec![E::of(old); x.len()];
            backward_input::<E>(level, shape, &narrow(&weight), &narrow(&grad_output), start, &mut grad_x);
            assert!(relative_l2(&grad_x, &want) < tolerance::<E>(), "input {level:?} {shape:?} {start:?}");
        }
    }

    #[test]
    fn it_matches_the_formula_at_every_level() {
        for level in Level::available() {
            for shape in SHAPES.map(shape) {
                check::<f64>(level, &shape);
                check::<f32>(level, &shape);
            }
        }
    }

    #[test]
    fn it_is_taken_where_it_pays() {
        let pays = |sizes| {
            let shape = shape(sizes);
            let problems = [Problem::forward(&shape), Problem::adjoint(&shape)];
            (applies(&shape), problems.map(|problem| problem.pays::<f32>()))
        };
        assert_eq!(pays([128, 16, 32, 32, 16, 1]), (true, [true; 2]));
        assert_eq!(pays([128, 3, 32, 32, 16, 1]), (true, [true, false]));
        assert_eq!(pays([128, 32, 16, 16, 32, 1]), (true, [false; 2]));
        assert_eq!(pays([128, 16, 8, 8, 16, 1]), (true, [false; 2]));
    }

    #[test]
    fn threads_and_levels_do_not_change_a_bit() {
        for shape in SHAPES.map(shape) {
            let run = || {
                let x: Vec<f32> = narrow(&values(shape.input_len(), 1));
                let weight: Vec<f32> = narrow(&values(shape.weight_len(), 2));
                let mut y = vec![f32::NAN; shape.output_len()];
                forward(Level::current(), &shape, &x, &weight, None, &mut y);
                y.iter().map(|value| value.to_bits()).collect::<Vec<_>>()
            };
            same_everywhere(shape, run);
        }
    }
}
