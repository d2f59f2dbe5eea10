//! Packing of rows and of columns, those of weights above all.

use super::problem::{Phase, Problem, Segment};
use super::round::{Bf16, Part, terms};
use super::sizes::{BLOCK, COLUMNS, PAIRS, ROWS, SIDE};
use super::turn::{to_columns, to_rows};
use crate::kernel::cpu::simd::{Kernel, Level, Simd, dispatch_at};
use crate::kernel::cpu::tasks::each;
use crate::kernel::precision::Precision;

/// The rows of a weight for a phase, `[tiles of 16 outputs, blocks, terms of a product, 16, 32]`, with zeros where
/// there is no output and no input.
pub fn pack(
    level: Level,
    precision: Precision,
    problem: &Problem,
    phase: &Phase,
    weight: &[f32],
    packed: &mut Vec<Bf16>,
) {
    let tile = problem.depth(phase).blocks() * terms(precision).len() * ROWS;
    packed.resize(problem.outputs.div_ceil(SIDE) * tile, 0);
    each(packed.chunks_mut(tile.max(1)).enumerate(), |(index, rows)| {
        dispatch_at(level, Tile { precision, problem, phase, weight, first: index * SIDE, rows });
    });
}

/// The rows of 16 outputs.
struct Tile<'a, 'p> {
    precision: Precision,
    problem: &'a Problem,
    phase: &'a Phase,
    weight: &'a [f32],
    first: usize,
    rows: &'p mut [Bf16],
}

impl Kernel for Tile<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { precision, problem, phase, weight, first, rows } = self;
        let (depth, terms, [output, input]) = (problem.depth(phase), terms(precision), problem.strides);
        let outputs = SIDE.min(problem.outputs - first);
        for (block, rows) in rows.chunks_exact_mut(terms.len() * ROWS).enumerate() {
            let mut factors = [[0.0; BLOCK]; SIDE];
            if input <= output {
                for (row, factors) in factors.iter_mut().enumerate().take(outputs) {
                    for Segment { at, tap, channel, count } in depth.segments(block) {
                        let from = (first + row) * output + channel * input + phase.taps[tap].index;
                        spaced(&weight[from..], input, &mut factors[at..at + count]);
                    }
                }
            } else {
                // Outputs are nearer to each other than inputs.
                let mut columns = [[0.0; SIDE]; BLOCK];
                for Segment { at, tap, channel, count } in depth.segments(block) {
                    for (channel, column) in (channel..).zip(&mut columns[at..at + count]) {
                        let from = first * output + channel * input + phase.taps[tap].index;
                        spaced(&weight[from..], output, &mut column[..outputs]);
                    }
                }
                to_rows::<S>(&columns, &mut factors);
            }
            put_rows(terms, &factors, rows);
        }
    }
}

/// Reads elements at a distance.
#[inline(always)]
fn spaced(from: &[f32], distance: usize, to: &mut [f32]) {
    if distance == 1 {
        to.copy_from_slice(&from[..to.len()]);
    } else {
        to.iter_mut().zip(from.iter().step_by(distance)).for_each(|(to, &from)| *to = from);
    }
}

/// Writes a block of 16 rows, in the left parts of each term.
#[inline(always)]
pub fn put_rows(terms: &[[Part; 2]], factors: &[[f32; BLOCK]; SIDE], rows: &mut [Bf16]) {
    for ([part, _], rows) in terms.iter().zip(rows.chunks_exact_mut(ROWS)) {
        round_all(*part, factors.as_flattened(), rows);
    }
}

/// A part of each factor.
#[inline(always)]
fn round_all(part: Part, factors: &[f32], to: &mut [Bf16]) {
    match part {
        Part::High => to.iter_mut().zip(factors).for_each(|(to, &factor)| *to = Part::High.of(factor)),
        Part::Low => to.iter_mut().zip(factors).for_each(|(to, &factor)| *to = Part::Low.of(factor)),
    }
}

/// Writes a block of 16 columns, which are given one by one, in the right parts of each term.
#[inline(always)]
pub fn put_columns<S: Simd>(terms: &[[Part; 2]], factors: &[[f32; BLOCK]; SIDE], columns: &mut [u32]) {
    for ([_, part], columns) in terms.iter().zip(columns.chunks_exact_mut(COLUMNS)) {
        let mut rounded = [0; SIDE * BLOCK];
        round_all(*part, factors.as_flattened(), &mut rounded);
        let mut pairs = [[0; PAIRS]; SIDE];
        for (pair, &[even, odd]) in pairs.as_flattened_mut().iter_mut().zip(rounded.as_chunks().0) {
            *pair = u32::from(even) | u32::from(odd) << 16;
        }
        to_columns::<S>(&pairs, columns);
    }
}
