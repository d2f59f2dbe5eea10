//! Packing of what windows read, and the sums of a band.

use super::bands::Band;
use super::problem::{Depth, Phase, Problem, Segment};
use super::round::{Bf16, Part, terms};
use super::sizes::{BLOCK, COLUMNS, ROWS, SIDE, TILE};
use super::tiles::multiply;
use super::weight::put_columns;
use crate::kernel::cpu::simd::{Kernel, Level, Simd, dispatch_at};
use crate::kernel::cpu::workspace::with_kept;
use crate::kernel::precision::Precision;

/// The place of a sum: written over, or added to.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// The sum replaces what was there; a bias of its channel is added.
    Replace(Option<&'a [f32]>),
    /// The sum is added to what is there.
    Add,
}

/// The planes of images, `[images, channels, height, width]`.
#[derive(Clone, Copy)]
pub struct Planes<'a> {
    /// Channels of an image.
    pub channels: usize,
    /// Height and width of a plane.
    pub size: [usize; 2],
    /// All elements, image by image.
    pub values: &'a [f32],
}

/// The working memory of a task.
#[derive(Debug, Default)]
struct Memory {
    columns: Vec<u32>,
    sums: Vec<f32>,
}

/// Neighbors in a row of what is read, which lie side by side in the columns, too.
#[derive(Clone, Copy, Debug)]
struct Run {
    column: usize,
    from: usize,
    count: usize,
}

/// Computes a band: phase by phase, the columns of its positions, then the sums of every tile of outputs.
pub fn run(
    level: Level,
    precision: Precision,
    problem: &Problem,
    packed: &[Vec<Bf16>],
    source: Planes<'_>,
    start: Start<'_>,
    band: &mut Band<'_>,
) {
    for (phase, weight) in problem.phases.iter().zip(packed) {
        let positions = positions(problem, phase, band);
        if positions.is_empty() {
            continue;
        }
        let depth = problem.depth(phase);
        let (blocks, panels) = (depth.blocks() * terms(precision).len(), positions.len().div_ceil(SIDE));
        with_kept(|memory: &mut Memory| {
            memory.columns.resize(panels * blocks * COLUMNS, 0);
            for (positions, columns) in
                positions.chunks(SIDE).zip(memory.columns.chunks_exact_mut((blocks * COLUMNS).max(1)))
            {
                let runs = phase.taps.iter().map(|tap| runs(problem, tap.offset, source, positions)).collect();
                dispatch_at(level, Gather { precision, depth, source, runs, columns });
            }
            let written: Vec<_> =
                positions.chunks(SIDE).map(|positions| written(problem, phase, band, positions)).collect();
            let first = band.channel / SIDE;
            for tile in 0..band.channels.div_ceil(SIDE) {
                memory.sums.clear();
                memory.sums.resize(panels * TILE, 0.0);
                let rows = &weight[(first + tile) * blocks * ROWS..][..blocks * ROWS];
                multiply(level, rows, &memory.columns, &mut memory.sums);
                put(start, band, tile * SIDE, &written, &memory.sums);
            }
        });
    }
}

/// A position of a phase: its image, and its row and column among those of the phase.
type Position = [usize; 3];

/// The positions of a phase in a band, image by image and row by row.
fn positions(problem: &Problem, phase: &Phase, band: &Band<'_>) -> Vec<Position> {
    let [first_row, first_column] = phase.first;
    let step = problem.step;
    // Bands begin at whole steps.
    let rows = (band.row + first_row..band.row + band.rows).step_by(step).map(move |row| (row - first_row) / step);
    let columns = (first_column..problem.output[1]).step_by(step).count();
    (band.image..band.image + band.images)
        .flat_map(|image| rows.clone().flat_map(move |row| (0..columns).map(move |column| [image, row, column])))
        .collect()
}

/// The elements that a tap reads for some positions, but for the channel.
fn runs(problem: &Problem, offset: [isize; 2], source: Planes<'_>, positions: &[Position]) -> Vec<Run> {
    let [height, width] = source.size;
    let image_len = source.channels * height * width;
    let mut runs: Vec<Run> = Vec::with_capacity(SIDE);
    for (column, &[image, row, col]) in positions.iter().enumerate() {
        let read = |at: usize, offset: isize, len: usize| {
            (at * problem.source_step).checked_add_signed(offset).filter(|at| *at < len)
        };
        let (Some(row), Some(col)) = (read(row, offset[0], height), read(col, offset[1], width)) else { continue };
        let from = image * image_len + row * width + col;
        match runs.last_mut() {
            Some(run) if run.column + run.count == column && run.from + run.count == from => run.count += 1,
            _ => runs.push(Run { column, from, count: 1 }),
        }
    }
    runs
}

/// The columns of 16 positions, or of fewer.
struct Gather<'a> {
    precision: Precision,
    depth: Depth,
    source: Planes<'a>,
    /// For each tap what it reads.
    runs: Vec<Vec<Run>>,
    columns: &'a mut [u32],
}

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { precision, depth, source, runs, columns } = self;
        let (terms, plane) = (terms(precision), source.size[0] * source.size[1]);
        for (block, columns) in columns.chunks_exact_mut(terms.len() * COLUMNS).enumerate() {
            if plane == 1 && source.channels > 1 {
                // Channels are neighbors, and positions are not.
                let mut factors = [[0.0; BLOCK]; SIDE];
                for Segment { at, tap, channel, count } in depth.segments(block) {
                    for &Run { column, from, .. } in &runs[tap] {
                        let from = &source.values[from + channel..][..count];
                        factors[column][at..at + count].copy_from_slice(from);
                    }
                }
                put_columns::<S>(terms, &factors, columns);
                continue;
            }
            let mut factors = [[0.0; SIDE]; BLOCK];
            for Segment { at, tap, channel, count } in depth.segments(block) {
                for (channel, factors) in (channel..).zip(&mut factors[at..at + count]) {
                    for &Run { column, from, count } in &runs[tap] {
                        let from = &source.values[from + channel * plane..];
                        // A copy of a length that is not known is a call.
                        match count {
                            SIDE => factors.copy_from_slice(&from[..SIDE]),
                            1 => factors[column] = from[0],
                            _ => factors[column..column + count].copy_from_slice(&from[..count]),
                        }
                    }
                }
            }
            put_pairs(terms, &factors, columns);
        }
    }
}

/// Writes a block of 16 columns, which are given row by row, in the right parts of each term.
#[inline(always)]
pub fn put_pairs(terms: &[[Part; 2]], factors: &[[f32; SIDE]; BLOCK], columns: &mut [u32]) {
    for ([_, part], columns) in terms.iter().zip(columns.chunks_exact_mut(COLUMNS)) {
        match part {
            Part::High => pairs(factors, columns, |factor| Part::High.of(factor)),
            Part::Low => pairs(factors, columns, |factor| Part::Low.of(factor)),
        }
    }
}

#[inline(always)]
fn pairs(factors: &[[f32; SIDE]; BLOCK], columns: &mut [u32], part: impl Fn(f32) -> Bf16) {
    for ([even, odd], columns) in factors.as_chunks::<2>().0.iter().zip(columns.chunks_exact_mut(SIDE)) {
        for ((&even, &odd), column) in even.iter().zip(odd).zip(columns) {
            *column = u32::from(part(even)) | u32::from(part(odd)) << 16;
        }
    }
}

/// Neighbors of an output that are columns side by side.
struct Written {
    column: usize,
    /// The image, counted from the first of the band.
    image: usize,
    /// Index in the rows of a channel.
    to: usize,
    count: usize,
}

/// The places of the sums of some positions.
fn written(problem: &Problem, phase: &Phase, band: &Band<'_>, positions: &[Position]) -> Vec<Written> {
    let (width, step, [first_row, first_column]) = (problem.output[1], problem.step, phase.first);
    let mut all: Vec<Written> = Vec::with_capacity(SIDE);
    for (column, &[image, row, col]) in positions.iter().enumerate() {
        let to = (row * step + first_row - band.row) * width + col * step + first_column;
        let image = image - band.image;
        match all.last_mut() {
            Some(last) if last.image == image && last.to + last.count == to => last.count += 1,
            _ => all.push(Written { column, image, to, count: 1 }),
        }
    }
    all
}

/// Writes the sums of 16 outputs, from the one of index `first` of the band, or of fewer.
fn put(start: Start<'_>, band: &mut Band<'_>, first: usize, written: &[Vec<Written>], sums: &[f32]) {
    let channels = band.channels;
    let bias_of = |channel: usize| match start {
        Start::Replace(Some(bias)) => bias[band.channel + channel],
        _ => 0.0,
    };
    if band.planes.len() < band.images * channels {
        // Images of one pixel, whose channels are neighbors.
        for (written, sums) in written.iter().zip(sums.as_chunks::<TILE>().0) {
            for (column, image) in written.iter().flat_map(|run| (run.column..run.column + run.count).zip(run.image..))
            {
                let y = &mut band.planes[image][first..];
                for (channel, (y, sums)) in y.iter_mut().zip(sums.as_chunks::<SIDE>().0).enumerate() {
                    *y = match start {
                        Start::Add => *y + sums[column],
                        Start::Replace(None) => sums[column] + 0.0,
                        Start::Replace(Some(_)) => sums[column] + bias_of(first + channel),
                    };
                }
            }
        }
        return;
    }
    for (written, sums) in written.iter().zip(sums.as_chunks::<TILE>().0) {
        for (channel, sums) in (first..channels).zip(sums.as_chunks::<SIDE>().0) {
            for &Written { column, image, to, count } in written {
                let y = &mut band.planes[image * channels + channel][to..to + count];
                let sums = &sums[column..column + count];
                match start {
                    Start::Add => y.iter_mut().zip(sums).for_each(|(y, sum)| *y += sum),
                    Start::Replace(None) => y.iter_mut().zip(sums).for_each(|(y, sum)| *y = sum + 0.0),
                    Start::Replace(Some(_)) => {
                        let bias = bias_of(channel);
                        y.iter_mut().zip(sums).for_each(|(y, sum)| *y = sum + bias);
                    }
                }
            }
        }
    }
}
