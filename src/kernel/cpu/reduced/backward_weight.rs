//! The gradient of a weight: sums over all positions of all images.

use super::gather::put_pairs;
use super::round::{Bf16, terms};
use super::sizes::{BLOCK, COLUMNS, ROWS, SIDE, TILE};
use super::tiles::multiply;
use super::turn::to_rows;
use super::weight::{put_columns, put_rows};
use crate::kernel::cpu::blocks::{Block, even_part, grid};
use crate::kernel::cpu::simd::{Kernel, Level, Simd, dispatch_at};
use crate::kernel::cpu::tasks::each;
use crate::kernel::cpu::workspace::with_kept;
use crate::kernel::precision::Precision;
use crate::kernel::shape::ConvShape;

/// Blocks of positions that are a sum of their own.
const STRETCH: usize = 64;
/// Most panels of a task.
const PANELS: usize = 8;
/// Tasks, at least, where there are as many panels.
const TASKS: usize = 4;

/// `grad_weight += gradient of the weight`: for each element the sum over all positions, image by image and row by row,
/// of the gradient of the output and what the tap reads.
///
/// Shapes: `x` `[N, C, H, W]`, `grad_output` `[N, O, H', W']`, `grad_weight` `[O, C, K, K]`.
///
/// # Panics
///
/// If a length does not fit the shape.
pub fn backward_weight(
    precision: Precision,
    shape: &ConvShape,
    x: &[f32],
    grad_output: &[f32],
    grad_weight: &mut [f32],
) {
    assert_eq!(x.len(), shape.input_len(), "length of x");
    assert_eq!(grad_output.len(), shape.output_len(), "length of gradient of the output");
    assert_eq!(grad_weight.len(), shape.weight_len(), "length of grad_weight");
    if grad_weight.is_empty() || grad_output.is_empty() {
        return;
    }
    let (level, fan_in) = (Level::current(), shape.fan_in());
    let panels = (fan_in.div_ceil(SIDE) / TASKS).clamp(1, PANELS);
    // Of few panels all outputs would be one task, and of many each task has all of them.
    let tiles = shape.out_channels.div_ceil(SIDE);
    let outputs = even_part(tiles, tiles.div_ceil(TASKS.div_ceil(fan_in.div_ceil(panels * SIDE)))) * SIDE;
    each(grid(grad_weight, fan_in, outputs, panels * SIDE), |block| {
        let Block { row, col, mut rows } = block;
        let sums = Sums { level, precision, shape, x, grad_output, output: row, first: col, count: rows[0].len() };
        with_kept(|memory: &mut Memory| sums.add(memory, &mut rows));
    });
}

/// The working memory of a task.
#[derive(Debug, Default)]
struct Memory {
    rows: Vec<Bf16>,
    columns: Vec<u32>,
    sums: Vec<f32>,
}

/// The sums of some elements of the weight of each output, which are neighbors.
struct Sums<'a> {
    level: Level,
    precision: Precision,
    shape: &'a ConvShape,
    x: &'a [f32],
    grad_output: &'a [f32],
    /// Index of the first output.
    output: usize,
    /// The first element in the weight of an output.
    first: usize,
    /// Number of elements of each output.
    count: usize,
}

impl Sums<'_> {
    /// Adds the sums to the rows of the gradient, stretch by stretch.
    fn add(&self, memory: &mut Memory, grads: &mut [&mut [f32]]) {
        let Self { level, precision, shape, x, grad_output, output, first, count } = *self;
        let positions = shape.batch * shape.out_pixels();
        let (panels, terms) = (count.div_ceil(SIDE), terms(precision).len());
        for begin in (0..positions).step_by(STRETCH * BLOCK) {
            let blocks = (positions - begin).div_ceil(BLOCK).min(STRETCH);
            memory.columns.resize(panels * blocks * terms * COLUMNS, 0);
            for (panel, columns) in memory.columns.chunks_exact_mut(blocks * terms * COLUMNS).enumerate() {
                let lanes = SIDE.min(count - panel * SIDE);
                let first = first + panel * SIDE;
                dispatch_at(level, Columns { precision, shape, x, first, lanes, begin, columns });
            }
            memory.rows.resize(blocks * terms * ROWS, 0);
            for tile in (0..grads.len()).step_by(SIDE) {
                let rows = &mut memory.rows[..];
                dispatch_at(level, Rows { precision, shape, grad_output, tile: output + tile, begin, rows });
                memory.sums.clear();
                memory.sums.resize(panels * TILE, 0.0);
                multiply(level, &memory.rows, &memory.columns, &mut memory.sums);
                for (panel, sums) in memory.sums.as_chunks::<TILE>().0.iter().enumerate() {
                    for (grads, sums) in grads[tile..].iter_mut().zip(sums.as_chunks::<SIDE>().0) {
                        grads[panel * SIDE..].iter_mut().zip(sums).for_each(|(grad, sum)| *grad += sum);
                    }
                }
            }
        }
    }
}

/// Pieces of a block of positions that lie in one image: the place in the block, the image, the position in it, and
/// their number.
fn pieces(shape: &ConvShape, begin: usize) -> Vec<[usize; 4]> {
    let pixels = shape.out_pixels();
    let end = (begin + BLOCK).min(shape.batch * pixels);
    let images = begin / pixels..end.div_ceil(pixels);
    let piece = |image| {
        let (from, to) = (begin.max(image * pixels), end.min((image + 1) * pixels));
        [from - begin, image, from - image * pixels, to - from]
    };
    images.map(piece).collect()
}

/// The gradients of 16 outputs at the positions of a stretch, as rows.
struct Rows<'a> {
    precision: Precision,
    shape: &'a ConvShape,
    grad_output: &'a [f32],
    tile: usize,
    begin: usize,
    rows: &'a mut [Bf16],
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { precision, shape, grad_output, tile, begin, rows } = self;
        let (terms, outputs, pixels) = (terms(precision), shape.out_channels, shape.out_pixels());
        let count = SIDE.min(outputs - tile);
        for (block, rows) in rows.chunks_exact_mut(terms.len() * ROWS).enumerate() {
            let begin = begin + block * BLOCK;
            let mut factors = [[0.0; BLOCK]; SIDE];
            if pixels == 1 {
                let columns = neighbors(grad_output, outputs, [begin, shape.batch], [tile, count]);
                to_rows::<S>(&columns, &mut factors);
            } else {
                let pieces = pieces(shape, begin);
                for (row, factors) in factors.iter_mut().enumerate().take(count) {
                    for &[at, image, position, count] in &pieces {
                        let from = (image * outputs + tile + row) * pixels + position;
                        factors[at..at + count].copy_from_slice(&grad_output[from..from + count]);
                    }
                }
            }
            put_rows(terms, &factors, rows);
        }
    }
}

/// Of 32 images, from one on, or of as many as there are, `count` neighbors of `width`, from the one of index `first`
/// on.
#[inline(always)]
fn neighbors(
    values: &[f32],
    width: usize,
    [begin, batch]: [usize; 2],
    [first, count]: [usize; 2],
) -> [[f32; SIDE]; BLOCK] {
    let mut all = [[0.0; SIDE]; BLOCK];
    for (image, neighbors) in (begin..batch).zip(&mut all) {
        neighbors[..count].copy_from_slice(&values[image * width + first..][..count]);
    }
    all
}

/// Elements that some taps of some channels read at the positions of a stretch, as columns.
struct Columns<'a> {
    precision: Precision,
    shape: &'a ConvShape,
    x: &'a [f32],
    /// Index of the first in the weight of an output.
    first: usize,
    /// Number of these elements, at most 16.
    lanes: usize,
    begin: usize,
    columns: &'a mut [u32],
}

impl Kernel for Columns<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { precision, shape, x, first, lanes, begin, columns } = self;
        let terms = terms(precision);
        let taps = shape.kernel * shape.kernel;
        for (block, columns) in columns.chunks_exact_mut(terms.len() * COLUMNS).enumerate() {
            let begin = begin + block * BLOCK;
            if shape.is_pointwise() && shape.in_pixels() == 1 {
                let factors = neighbors(x, shape.in_channels, [begin, shape.batch], [first, lanes]);
                put_pairs(terms, &factors, columns);
                continue;
            }
            let mut factors = [[0.0; BLOCK]; SIDE];
            let pieces = pieces(shape, begin);
            for (lane, factors) in factors.iter_mut().enumerate().take(lanes) {
                let (channel, tap) = ((first + lane) / taps, (first + lane) % taps);
                for &[at, image, position, count] in &pieces {
                    read(shape, x, [image, channel, tap], position, &mut factors[at..at + count]);
                }
            }
            put_columns::<S>(terms, &factors, columns);
        }
    }
}

/// Reads the elements of a tap in a channel of an image at some positions, from one on. Zeros outside of it stay.
#[inline(always)]
fn read(shape: &ConvShape, x: &[f32], [image, channel, tap]: [usize; 3], position: usize, to: &mut [f32]) {
    let ConvShape { in_height, in_width, kernel, stride, padding, .. } = *shape;
    let plane = &x[(image * shape.in_channels + channel) * in_height * in_width..][..in_height * in_width];
    if shape.is_pointwise() {
        return to.copy_from_slice(&plane[position..][..to.len()]);
    }
    let (width, [down, right]) = (shape.out_width(), [tap / kernel, tap % kernel]);
    let mut done = 0;
    while done < to.len() {
        let (row, column) = ((position + done) / width, (position + done) % width);
        let count = (width - column).min(to.len() - done);
        let to = &mut to[done..done + count];
        done += count;
        let Some(row) = (row * stride + down).checked_sub(padding).filter(|row| *row < in_height) else { continue };
        let line = &plane[row * in_width..][..in_width];
        // Columns of the output whose tap lies in the image.
        let begin = padding.saturating_sub(right).div_ceil(stride).clamp(column, column + count);
        let end = (in_width + padding).saturating_sub(right).div_ceil(stride).clamp(begin, column + count);
        if begin == end {
            continue;
        }
        let from = &line[begin * stride + right - padding..];
        let to = &mut to[begin - column..end - column];
        if stride == 1 {
            to.copy_from_slice(&from[..to.len()]);
        } else {
            to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, &from)| *to = from);
        }
    }
}
