//! Convolutions of blocked maps, and linear layers, with factors of a [reduced precision](Precision).
//!
//! Their sums have the bits of those of [`kernel::cpu::reduced`](crate::kernel::cpu::reduced).

use super::conv2d::{BlockedConv, Epilogue};
use super::parts::{Part, parts};
use super::{BLOCK as CHANNELS, BlockedMap};
use crate::kernel::cpu::conv2d::winograd::tiles::Tiling;
use crate::kernel::cpu::reduced::packed::{
    BLOCK, Bf16, COLUMNS, Depth, Phase, Problem, ROWS, SIDE, Segment, TILE, Tap, multiply, pack, panel_positions,
    put_columns, terms,
};
use crate::kernel::cpu::simd::{Kernel, Level, Simd, dispatch_at};
use crate::kernel::cpu::tasks::{each, threads};
use crate::kernel::cpu::workspace::with_kept;
use crate::kernel::precision::Precision;

/// The weight `[O, C, K, K]` of a convolution, packed as [`run`] reads it.
///
/// # Panics
///
/// If the length of the weight does not fit the sizes.
pub fn pack_weight(precision: Precision, conv: &BlockedConv, weight: &[f32]) -> Vec<Bf16> {
    let problem = problem(conv);
    assert_eq!(weight.len(), problem.outputs * problem.strides[0], "length of the weight");
    let mut packed = Vec::new();
    pack(Level::current(), precision, &problem, &problem.phases[0], weight, &mut packed);
    packed
}

/// The sums of a convolution; of what is read and written only the channels.
fn problem(conv: &BlockedConv) -> Problem {
    let [rows, columns] = conv.kernel;
    let taps = (0..rows * columns).map(|index| {
        let offset = [(index / columns) as isize, (index % columns) as isize];
        Tap { offset, index }
    });
    Problem {
        inputs: conv.input.channels,
        source: [0; 2],
        outputs: conv.output.channels,
        output: [0; 2],
        source_step: 1,
        step: 1,
        strides: [conv.input.channels * rows * columns, rows * columns],
        phases: vec![Phase { first: [0; 2], taps: taps.collect() }],
    }
}

/// `y = finish(conv(x, weight) + bias + residual)`, with zeros in the halo of `y`.
///
/// # Panics
///
/// If a length does not fit the sizes, and if the padding is wider than the halo of the input.
pub fn run(
    precision: Precision,
    conv: &BlockedConv,
    x: &[f32],
    weight: &[Bf16],
    epilogue: Epilogue<'_, f32>,
    y: &mut [f32],
) {
    let BlockedConv { input, output, kernel, .. } = *conv;
    let depth = Depth::new(input.channels, kernel[0] * kernel[1]);
    let blocks = depth.blocks() * terms(precision).len();
    assert!(conv.padding.iter().all(|padding| *padding <= input.halo), "padding beyond the halo");
    assert_eq!(x.len(), input.len(), "length of x");
    assert_eq!(y.len(), output.len(), "length of y");
    assert_eq!(weight.len(), output.blocks() * blocks * ROWS, "length of the weight");
    assert_eq!(epilogue.bias.len(), output.blocks() * CHANNELS, "length of the bias");
    if y.is_empty() {
        return;
    }
    let (level, threads) = (Level::current(), threads());
    let positions = panel_positions(depth, precision);
    let tiling = Tiling::new(output.batch, (output.height, output.width), 1, positions);
    // All outputs of some pixels, whose columns are packed once, unless that keeps threads from work.
    let tasks = tiling.blocks();
    let group =
        if tasks >= 2 * threads { output.blocks() } else { output.blocks().div_ceil((2 * threads).div_ceil(tasks)) };
    let steps: Vec<usize> =
        (0..kernel[0] * kernel[1]).map(|tap| tap / kernel[1] * input.row() + tap % kernel[1] * CHANNELS).collect();
    each(parts(y, output, tiling, group.max(1)), |part| {
        with_kept(|memory: &mut Memory| {
            Task { level, precision, conv, depth, steps: &steps, x, weight, epilogue, part }.run(memory);
        });
    });
}

/// The working memory of a task.
#[derive(Debug, Default)]
struct Memory {
    columns: Vec<u32>,
    sums: Vec<f32>,
}

/// Some outputs of some pixels.
struct Task<'a, 'y> {
    level: Level,
    precision: Precision,
    conv: &'a BlockedConv,
    depth: Depth,
    /// For each tap its distance from where the window of a pixel begins.
    steps: &'a [usize],
    x: &'a [f32],
    weight: &'a [Bf16],
    epilogue: Epilogue<'a, f32>,
    part: Part<'y, f32>,
}

impl Task<'_, '_> {
    fn run(mut self, memory: &mut Memory) {
        let Self { level, precision, conv, depth, steps, x, weight, epilogue, ref mut part } = self;
        let blocks = depth.blocks() * terms(precision).len();
        let places: Vec<_> = (0..part.tiles.tiles()).map(|pixel| part.tiles.place(pixel)).collect();
        let begins: Vec<usize> = places
            .iter()
            .map(|&(image, row, col)| {
                let rows_before = part.tiles.first_row + row;
                (part.tiles.first_image + image) * conv.input.image() + conv.begins(rows_before, col)
            })
            .collect();
        let panels = begins.len().div_ceil(SIDE);
        memory.columns.resize(panels * blocks * COLUMNS, 0);
        for (begins, columns) in begins.chunks(SIDE).zip(memory.columns.chunks_exact_mut((blocks * COLUMNS).max(1))) {
            dispatch_at(level, Gather { precision, depth, plane: conv.input.plane(), steps, x, begins, columns });
        }
        for at in 0..part.count {
            memory.sums.clear();
            memory.sums.resize(panels * TILE, 0.0);
            let rows = &weight[(part.first + at) * blocks * ROWS..][..blocks * ROWS];
            multiply(level, rows, &memory.columns, &mut memory.sums);
            put(conv.output, part, epilogue, at, &places, &memory.sums);
        }
        let (output, count) = (conv.output, part.count);
        let (first, top, bottom) = (part.first, part.top(output), part.bottom(output, 1));
        for (index, rows) in self.part.rows.into_iter().enumerate() {
            epilogue.finish(output, first + index % count, rows, top, bottom);
        }
    }
}

/// Writes the sums of a block of outputs, with its bias and what is added.
fn put(
    output: BlockedMap,
    part: &mut Part<'_, f32>,
    epilogue: Epilogue<'_, f32>,
    at: usize,
    places: &[(usize, usize, usize)],
    sums: &[f32],
) {
    let (top, block) = (part.top(output), part.first + at);
    let bias: &[f32; CHANNELS] = epilogue.bias[block * CHANNELS..].first_chunk().expect("a bias for each output");
    for (places, sums) in places.chunks(SIDE).zip(sums.as_chunks::<TILE>().0) {
        for (column, &(image, row, col)) in places.iter().enumerate() {
            let residual = epilogue.residual.map(|residual| {
                let plane = residual.plane(part.tiles.first_image + image, block);
                &plane[residual.map.at(part.tiles.first_row + row, col)..][..CHANNELS]
            });
            let to = (row + top) * output.row() + (col + output.halo) * CHANNELS;
            let y = &mut part.rows[image * part.count + at][to..][..CHANNELS];
            for (channel, (y, bias)) in y.iter_mut().zip(bias).enumerate() {
                let sum = sums[channel * SIDE + column] + bias;
                *y = residual.map_or(sum, |residual| sum + residual[channel]);
            }
        }
    }
}

/// The columns of 16 pixels, or of fewer.
struct Gather<'a> {
    precision: Precision,
    depth: Depth,
    /// Elements of a block of an image.
    plane: usize,
    steps: &'a [usize],
    x: &'a [f32],
    /// The element that the window of each begins with.
    begins: &'a [usize],
    columns: &'a mut [u32],
}

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { precision, depth, plane, steps, x, begins, columns } = self;
        let terms = terms(precision);
        for (block, columns) in columns.chunks_exact_mut(terms.len() * COLUMNS).enumerate() {
            let mut factors = [[0.0; BLOCK]; SIDE];
            for (begin, factors) in begins.iter().zip(&mut factors) {
                for Segment { at, tap, channel, count } in depth.segments(block) {
                    let window = begin + steps[tap];
                    let (mut channel, mut to) = (channel, &mut factors[at..at + count]);
                    while !to.is_empty() {
                        let count = to.len().min(CHANNELS - channel % CHANNELS);
                        let from = window + channel / CHANNELS * plane + channel % CHANNELS;
                        let (now, rest) = to.split_at_mut(count);
                        now.copy_from_slice(&x[from..from + count]);
                        (channel, to) = (channel + count, rest);
                    }
                }
            }
            put_columns::<S>(terms, &factors, columns);
        }
    }
}
