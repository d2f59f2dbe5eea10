//! The gradient of the weights, straight from padded planes.
//!
//! ```text
//! dw[o, c, u, v] += sum over pixels of g[o, i, j] x[c, i + u - P, j + v - P]
//! ```
//!
//! Lanes are pixels, as many as the widest register has: narrower ones take the first of them through all rows, and
//! then the next, so that a lane adds up the same pixels in the same order. A register of each of some planes of the
//! gradient of the output meets one of some planes of the input at the three taps of a kernel row; each pair has a
//! register of sums, which are kept between images and added up across lanes once, at the end. Nothing is unfolded or
//! transposed, and a load serves several products: with 4 outputs and 2 inputs 10 loads for 24 of them.

use std::ops::Range;

use super::{SIDE, TAPS, applies, pad_row};
use crate::kernel::cpu::conv2d::winograd;
use crate::kernel::cpu::registers::rows_at_once;
use crate::kernel::cpu::simd::{Kernel, Lane, Level, Simd, dispatch_at, widest};
use crate::kernel::cpu::sums::halve;
use crate::kernel::cpu::tasks::each;
use crate::kernel::cpu::workspace::{Buffer, with_kept};
use crate::kernel::element::Element;
use crate::kernel::shape::ConvShape;

/// Tasks that the pixels are split into, whatever the number of threads: each adds up on its own.
const TASKS: usize = 8;
/// Pixels of a unit: its planes of some outputs and inputs stay in the first cache level.
const PIXELS: usize = 1024;
/// Bytes of the sums of all weights that leave the second cache level to the planes.
const SUMS: usize = 512 << 10;
/// Pairs of channels from which on minimal filtering, where it pays at all, is as fast or faster. Measured as in
/// `direct.rs`, this way and filtered, in milliseconds: 8 to 16 channels at 32x32 1.1 and 1.8 (AVX2: 1.7 and 1.5),
/// 16 to 16 there 2.0 and 2.0 (3.2 and 2.2), 16 to 32 there 4.0 and 2.5 (6.4 and 3.6), 16 to 16 at 16x16 0.71 and 0.50
/// (1.1 and 0.52).
const FILTERED: usize = 256;
/// Inputs whose sums are in registers at once, if there are as many.
const INPUTS: usize = 2;

/// Returns whether [`run`] is the fastest way to compute the gradient of the weight.
pub fn pays<E: Element>(shape: &ConvShape) -> bool {
    let lanes = widest::<E>();
    applies(shape)
        && (shape.in_channels * shape.out_channels < FILTERED || winograd::choose_for_weight(shape).is_none())
        && shape.weight_len() * lanes * size_of::<E>() <= SUMS
        // Of the lanes at most a quarter is empty.
        && 4 * shape.out_width() >= 3 * shape.out_width().next_multiple_of(lanes)
}

/// Images, or rows of one image, that are padded and added up at once.
#[derive(Clone, Debug)]
struct Unit {
    images: Range<usize>,
    rows: Range<usize>,
}

impl Unit {
    /// Its rows of `[image, channel, row, column]`, of the input or of the gradient of the output, in stretches of some
    /// cache lines; the first ones last.
    fn lines<'a, E>(&self, planes: &'a [E], shape: &ConvShape, input: bool) -> Vec<&'a [E]> {
        const STRETCH: usize = 256;
        let (channels, height, width) = if input {
            (shape.in_channels, shape.in_height, shape.in_width)
        } else {
            (shape.out_channels, shape.out_height(), shape.out_width())
        };
        let rows = self.rows.start.min(height) * width..self.rows.end.min(height) * width;
        let planes = planes[self.images.start * channels * height * width..self.images.end * channels * height * width]
            .chunks_exact(height * width);
        planes.rev().flat_map(|plane| plane[rows.clone()].chunks(STRETCH).rev()).collect()
    }
}

/// The units of a convolution, in order.
fn units(shape: &ConvShape) -> Vec<Unit> {
    let (height, width) = (shape.out_height(), shape.out_width());
    let images = (PIXELS / (height * width)).clamp(1, shape.batch.div_ceil(TASKS));
    // Few images are split too.
    let least = TASKS.div_ceil(shape.batch);
    let rows = (PIXELS / width).clamp(1, height.div_ceil(least));
    let groups = (0..shape.batch).step_by(images).map(|first| first..shape.batch.min(first + images));
    let bands = |images: Range<usize>| {
        (0..height)
            .step_by(rows)
            .map(move |first| Unit { images: images.clone(), rows: first..height.min(first + rows) })
    };
    groups.flat_map(bands).collect()
}

/// Adds the gradient to `grad_weight`; see [`conv2d::backward_weight`](crate::kernel::cpu::conv2d::backward_weight()).
pub fn run<E: Element>(level: Level, shape: &ConvShape, x: &[E], grad_output: &[E], grad_weight: &mut [E]) {
    let units = units(shape);
    let tasks: Vec<&[Unit]> = units.chunks(units.len().div_ceil(TASKS)).collect();
    with_kept(|Totals(totals): &mut Totals<E>| {
        let totals = totals.take(tasks.len() * grad_weight.len());
        let parts = tasks.iter().zip(totals.chunks_exact_mut(grad_weight.len()));
        each(parts, |(&units, total)| {
            with_kept(|memory: &mut Memory<E>| {
                dispatch_at(level, Part { shape, x, grad_output, units, total, memory });
            });
        });
        for total in totals.chunks_exact(grad_weight.len()) {
            for (grad, &total) in grad_weight.iter_mut().zip(total) {
                *grad = *grad + total;
            }
        }
    });
}

/// The gradients of all tasks, each over its units.
#[derive(Debug, Default)]
struct Totals<E>(Buffer<E>);

/// The working memory of a task.
#[derive(Debug, Default)]
struct Memory<E> {
    input: Buffer<E>,
    grad_output: Buffer<E>,
    sums: Buffer<E>,
}

/// The gradient of the weight over the units of one task.
struct Part<'a, E> {
    shape: &'a ConvShape,
    x: &'a [E],
    grad_output: &'a [E],
    units: &'a [Unit],
    /// `[outputs, inputs, taps]`, to be written.
    total: &'a mut [E],
    memory: &'a mut Memory<E>,
}

/// Padded rows of each channel of a unit, those of its images one after another.
#[derive(Clone, Copy)]
struct Planes<'a, E> {
    data: &'a [E],
    /// Rows of an image.
    rows: usize,
    /// Elements of a row and of a channel.
    row: usize,
    channel: usize,
}

impl<E: Element> Kernel for Part<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { shape, x, grad_output, units, total, memory } = self;
        let (inputs, outputs, lanes) = (shape.in_channels, shape.out_channels, widest::<E>());
        let pieces = pieces::<E::Lane<S>>(outputs, inputs);
        let all = memory.sums.take(total.len() * lanes);
        all.fill(E::zero());
        let across = shape.out_width().next_multiple_of(lanes);
        for (index, unit) in units.iter().enumerate() {
            let (mut x_ahead, mut g_ahead) = match units.get(index + 1) {
                Some(next) => (next.lines(x, shape, true), next.lines(grad_output, shape, false)),
                None => (Vec::new(), Vec::new()),
            };
            let at_once = [&x_ahead, &g_ahead].map(|lines| lines.len().div_ceil(pieces.len() * SIDE));
            let plane = (shape.in_height, shape.in_width);
            let sees = (unit.rows.start, unit.rows.len() + SIDE - 1, across + SIDE - 1);
            let x = pad::<E::Lane<S>>(x, inputs, plane, shape.padding, unit.images.clone(), sees, &mut memory.input);
            let plane = (shape.out_height(), shape.out_width());
            let sees = (unit.rows.start, unit.rows.len(), across);
            let g =
                pad::<E::Lane<S>>(grad_output, outputs, plane, 0, unit.images.clone(), sees, &mut memory.grad_output);
            let mut rest = &mut *all;
            for piece in &pieces {
                for u in 0..SIDE {
                    for (lines, count) in [&mut x_ahead, &mut g_ahead].into_iter().zip(at_once) {
                        for _ in 0..count {
                            S::prefetch(lines.pop().unwrap_or_default());
                        }
                    }
                    let (sums, after) = rest.split_at_mut(piece.outputs.len() * piece.inputs.len() * SIDE * lanes);
                    rest = after;
                    let first = [piece.outputs.start, piece.inputs.start, u];
                    match (piece.outputs.len(), piece.inputs.len()) {
                        (4, 2) => add_rows::<E::Lane<S>, 4, 2>(x, g, first, sums),
                        (4, _) => add_rows::<E::Lane<S>, 4, 1>(x, g, first, sums),
                        (2, 2) => add_rows::<E::Lane<S>, 2, 2>(x, g, first, sums),
                        (2, _) => add_rows::<E::Lane<S>, 2, 1>(x, g, first, sums),
                        (_, 2) => add_rows::<E::Lane<S>, 1, 2>(x, g, first, sums),
                        _ => add_rows::<E::Lane<S>, 1, 1>(x, g, first, sums),
                    }
                }
            }
        }
        let mut sums = all.chunks_exact_mut(lanes);
        for piece in &pieces {
            for u in 0..SIDE {
                for input in piece.inputs.clone() {
                    for output in piece.outputs.clone() {
                        let to = (output * inputs + input) * TAPS + u * SIDE;
                        for (to, sum) in total[to..][..SIDE].iter_mut().zip(&mut sums) {
                            *to = halve(sum);
                        }
                    }
                }
            }
        }
    }
}

/// Channels whose sums are in registers at once.
#[derive(Clone, Debug)]
struct Piece {
    outputs: Range<usize>,
    inputs: Range<usize>,
}

/// Pieces of four, two or one outputs and two or one inputs.
fn pieces<V: Lane>(outputs: usize, inputs: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut output = 0;
    while output < outputs {
        let next = match outputs - output {
            4.. if rows_at_once::<V>() >= 12 => 4,
            2.. => 2,
            _ => 1,
        };
        let outputs = output..output + next;
        let inputs = (0..inputs).step_by(INPUTS).map(|input| input..inputs.min(input + INPUTS));
        pieces.extend(inputs.map(|inputs| Piece { outputs: outputs.clone(), inputs }));
        output += next;
    }
    pieces
}

/// Copies rows of some images of all channels, with zeros where the image ends: `rows` padded rows from row `first` on,
/// each of `row` elements.
#[inline(always)]
fn pad<'a, V: Lane>(
    from: &[V::Elem],
    channels: usize,
    (height, width): (usize, usize),
    padding: usize,
    images: Range<usize>,
    (first, rows, row): (usize, usize, usize),
    to: &'a mut Buffer<V::Elem>,
) -> Planes<'a, V::Elem> {
    let channel = images.len() * rows * row;
    let data = to.take(channels * channel);
    for (index, to) in data.chunks_exact_mut(rows * row).enumerate() {
        let image = images.start + index % images.len();
        let from = &from[(image * channels + index / images.len()) * height * width..][..height * width];
        for (line, to) in (first..).zip(to.chunks_exact_mut(row)) {
            pad_row::<V>(from, width, padding, line, to);
        }
    }
    Planes { data, rows, row, channel }
}

/// Adds what all rows give to the sums of some outputs, some inputs and the taps of row `u` of the kernel,
/// `[input, output, tap]`.
#[inline(always)]
fn add_rows<V: Lane, const OUTS: usize, const INS: usize>(
    x: Planes<'_, V::Elem>,
    g: Planes<'_, V::Elem>,
    [output, input, u]: [usize; 3],
    to: &mut [V::Elem],
) {
    for lane in (0..widest::<V::Elem>()).step_by(V::WIDTH) {
        add_lanes::<V, OUTS, INS>(x, g, [output, input, u], lane, to);
    }
}

/// [`add_rows`] for the lanes of a register, from `lane` on.
#[inline(always)]
fn add_lanes<V: Lane, const OUTS: usize, const INS: usize>(
    x: Planes<'_, V::Elem>,
    g: Planes<'_, V::Elem>,
    [output, input, u]: [usize; 3],
    lane: usize,
    to: &mut [V::Elem],
) {
    let lanes = widest::<V::Elem>();
    // Loops and not closures, which would not inherit the instruction set.
    let mut sums = [[[V::of(0.0); SIDE]; OUTS]; INS];
    for (i, sums) in sums.iter_mut().enumerate() {
        for (o, sums) in sums.iter_mut().enumerate() {
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(&to[((i * OUTS + o) * SIDE + v) * lanes + lane..]);
            }
        }
    }
    let images = g.channel / (g.rows * g.row);
    for image in 0..images {
        for line in 0..g.rows {
            let from = (image * g.rows + line) * g.row + output * g.channel;
            let mut grad_outputs = [&g.data[..0]; OUTS];
            for (o, grad_output) in grad_outputs.iter_mut().enumerate() {
                *grad_output = &g.data[from + o * g.channel..][..g.row];
            }
            let from = (image * x.rows + line + u) * x.row + input * x.channel;
            let mut pixels = [&x.data[..0]; INS];
            for (i, pixels) in pixels.iter_mut().enumerate() {
                *pixels = &x.data[from + i * x.channel..][..g.row + SIDE - 1];
            }
            for at in (lane..g.row).step_by(lanes) {
                let mut grad_output = [V::of(0.0); OUTS];
                for (o, grad_output) in grad_output.iter_mut().enumerate() {
                    *grad_output = V::load(&grad_outputs[o][at..]);
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let pixels = &pixels[i][at..][..V::WIDTH + SIDE - 1];
                    for v in 0..SIDE {
                        let pixel = V::load(&pixels[v..]);
                        for (o, sums) in sums.iter_mut().enumerate() {
                            sums[v] = grad_output[o].mul_add(pixel, sums[v]);
                        }
                    }
                }
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        for (o, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                sum.store(&mut to[((i * OUTS + o) * SIDE + v) * lanes + lane..]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::cpu::conv2d::reference;
    use crate::kernel::cpu::testing::{narrow, relative_l2, same_everywhere, tolerance, values};

    /// Batch, channels, height, width, output channels and padding: one of each, pieces of every size, partial
    /// registers, an image of several units, several images in one, more images than tasks, and what the kernel is
    /// chosen for.
    const SHAPES: [[usize; 6]; 8] = [
        [1, 1, 1, 1, 1, 1],
        [2, 3, 5, 7, 7, 0],
        [3, 2, 9, 33, 5, 1],
        [1, 5, 51, 29, 9, 2],
        [1, 1, 3, 1200, 2, 1],
        [35, 4, 6, 16, 12, 1],
        [11, 16, 32, 32, 16, 1],
        [3, 3, 8, 50, 14, 1],
    ];

    fn shape([batch, in_channels, in_height, in_width, out_channels, padding]: [usize; 6]) -> ConvShape {
        ConvShape { batch, in_channels, in_height, in_width, out_channels, kernel: SIDE, stride: 1, padding }
    }

    fn check<E: Element>(level: Level, shape: &ConvShape) {
        let (x, grad_output) = (values(shape.input_len(), 1), values(shape.output_len(), 2));
        let mut want = vec![0.75; shape.weight_len()];
        reference::backward_weight(shape, &x, &grad_output, &mut want);
        let mut grad = vec![E::of(0.75); want.len()];
        run::<E>(level, shape, &narrow(&x), &narrow(&grad_output), &mut grad);
        let error = relative_l2(&grad, &want);
        assert!(error < tolerance::<E>(), "{level:?} {shape:?}: {error}");
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
    fn units_cover_every_row_once_and_in_order() {
        for shape in SHAPES.map(shape) {
            let mut rows = Vec::new();
            for unit in units(&shape) {
                assert!(!unit.images.is_empty() && !unit.rows.is_empty());
                assert!(unit.images.len() == 1 || unit.rows == (0..shape.out_height()));
                rows.extend(unit.images.flat_map(|image| unit.rows.clone().map(move |row| (image, row))));
            }
            let all = (0..shape.batch).flat_map(|image| (0..shape.out_height()).map(move |row| (image, row)));
            assert!(rows.into_iter().eq(all), "{shape:?}");
        }
    }

    #[test]
    fn it_is_taken_where_it_pays() {
        let pays = |sizes| pays::<f32>(&shape(sizes));
        assert!(pays([128, 8, 32, 32, 16, 1]));
        assert!(pays([128, 3, 32, 32, 64, 1]));
        assert!(!pays([128, 16, 32, 32, 16, 1]), "filtered in the same time, and in less with AVX2");
        assert!(!pays([128, 32, 16, 16, 32, 1]), "filtered in less time");
        assert!(pays([128, 3, 32, 32, 96, 1]), "filtering 3 channels does not pay");
        assert!(!pays([128, 3, 32, 32, 320, 1]), "the sums of 8640 weights do not stay in the second cache level");
        assert!(!pays([128, 16, 8, 8, 16, 1]), "half of each register is empty");
    }

    #[test]
    fn threads_and_levels_do_not_change_a_bit() {
        for shape in SHAPES.map(shape) {
            let run = || {
                let x: Vec<f32> = narrow(&values(shape.input_len(), 1));
                let grad_output: Vec<f32> = narrow(&values(shape.output_len(), 2));
                let mut grad = vec![0.25; shape.weight_len()];
                run(Level::current(), &shape, &x, &grad_output, &mut grad);
                grad.iter().map(|value: &f32| value.to_bits()).collect::<Vec<_>>()
            };
            same_everywhere(shape, run);
        }
    }
}
