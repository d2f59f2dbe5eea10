//! Blocks of factors with rows and columns swapped.

use super::sizes::{BLOCK, PAIRS, SIDE};
use crate::kernel::cpu::simd::{Lane, MAX_WIDTH, Simd};

/// `[32, 16]` to `[16, 32]`.
#[inline(always)]
pub fn to_rows<S: Simd>(columns: &[[f32; SIDE]; BLOCK], rows: &mut [[f32; BLOCK]; SIDE]) {
    turn::<S>(columns.as_flattened(), SIDE, rows.as_flattened_mut(), BLOCK);
}

/// Pairs of 16 columns, each by itself, to the columns of each pair side by side.
#[inline(always)]
pub fn to_columns<S: Simd>(pairs: &[[u32; PAIRS]; SIDE], columns: &mut [u32]) {
    // Registers move bits and compute nothing, whatever number they are of.
    let from = pairs.map(|pairs| pairs.map(f32::from_bits));
    let mut to = [[0.0; SIDE]; PAIRS];
    turn::<S>(from.as_flattened(), PAIRS, to.as_flattened_mut(), SIDE);
    columns.iter_mut().zip(to.as_flattened()).for_each(|(column, pair)| *column = pair.to_bits());
}

/// A matrix of rows of `width`, a multiple of 16, to one of rows of `height`, another.
#[inline(always)]
fn turn<S: Simd>(from: &[f32], width: usize, to: &mut [f32], height: usize) {
    let side = <S::F32 as Lane>::WIDTH;
    let zero = <S::F32 as Lane>::splat(0.0);
    for row in (0..height).step_by(side) {
        for column in (0..width).step_by(side) {
            let mut square = [zero; MAX_WIDTH];
            for (line, register) in square.iter_mut().enumerate().take(side) {
                *register = <S::F32 as Lane>::load(&from[(row + line) * width + column..]);
            }
            <S::F32 as Lane>::transpose(&mut square);
            for (line, register) in square.iter().enumerate().take(side) {
                register.store(&mut to[(column + line) * height + row..]);
            }
        }
    }
}
