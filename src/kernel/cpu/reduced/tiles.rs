//! The products of packed tiles: where the time goes.
//!
//! Of the left factor 16 rows at a time are packed, `[blocks, 16 rows, 32]`; of the right one 16 columns, `[blocks, 16
//! pairs, 16 columns]`, two neighbors of a column in one number of 32 bits, the first in its lower half. The products
//! are tiles of 16 rows and 16 columns.

use super::recipe::add_block;
use super::round::{Bf16, widen};
use super::sizes::*;
#[cfg(target_arch = "x86_64")]
use super::x86;
use crate::kernel::cpu::simd::{Kernel, Level, Simd, dispatch_at};

/// Blocks of rows that are widened at once: they stay in the first cache level.
const WIDENED: usize = 8;

/// Adds to each tile of `c` the products of 16 rows with the columns of one panel, block by block.
///
/// `a` is `[blocks, 16, 32]`, `b` `[panels, blocks, 16, 16]`, `c` `[panels, 16, 16]`.
pub fn multiply(level: Level, a: &[Bf16], b: &[u32], c: &mut [f32]) {
    let (blocks, panels) = (a.len() / ROWS, c.len() / TILE);
    assert_eq!(a.len(), blocks * ROWS, "length of the rows");
    assert_eq!(b.len(), panels * blocks * COLUMNS, "length of the columns");
    assert_eq!(c.len(), panels * TILE, "length of the tiles");
    if a.is_empty() || c.is_empty() {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    match level {
        Level::Amx if x86::by_tiles(a, b, c) => return,
        Level::Portable => {}
        _ => return by_registers(level, a, b, c),
    }
    dispatch_at(level, Plain { a, b, c });
}

/// By registers of `f32`, to which the rows are widened first.
#[cfg(target_arch = "x86_64")]
fn by_registers<'b>(level: Level, a: &[Bf16], b: &'b [u32], c: &mut [f32]) {
    let blocks = a.len() / ROWS;
    let mut wide = [0.0; WIDENED * ROWS];
    for first in (0..blocks).step_by(WIDENED) {
        let count = WIDENED.min(blocks - first);
        let wide = &mut wide[..count * ROWS];
        dispatch_at(level, Widen { from: &a[first * ROWS..][..count * ROWS], to: wide });
        let panel = |b: &'b [u32]| &b[first * COLUMNS..][..count * COLUMNS];
        for (b, c) in b.chunks(2 * blocks * COLUMNS).zip(c.as_chunks_mut::<TILE>().0.chunks_mut(2)) {
            if let [c, other] = c
                && let (b, other_b) = b.split_at(blocks * COLUMNS)
                && x86::by_registers_of_two(level, wide, [panel(b), panel(other_b)], [c, other])
            {
                continue;
            }
            for (b, c) in b.chunks_exact(blocks * COLUMNS).zip(c) {
                x86::by_registers(level, wide, panel(b), c);
            }
        }
    }
}

/// The numbers that bits of bf16 stand for.
struct Widen<'a> {
    from: &'a [Bf16],
    to: &'a mut [f32],
}

impl Kernel for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        self.to.iter_mut().zip(self.from).for_each(|(to, &from)| *to = widen(from));
    }
}

/// The products as the recipe has them.
struct Plain<'a> {
    a: &'a [Bf16],
    b: &'a [u32],
    c: &'a mut [f32],
}

impl Kernel for Plain<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let panels = self.b.chunks_exact(self.a.len() / ROWS * COLUMNS);
        for (b, c) in panels.zip(self.c.chunks_exact_mut(TILE)) {
            for (a, b) in self.a.as_chunks::<BLOCK>().0.chunks_exact(SIDE).zip(b.chunks_exact(COLUMNS)) {
                for (a, c) in a.iter().zip(c.chunks_exact_mut(SIDE)) {
                    for (column, c) in c.iter_mut().enumerate() {
                        *c = add_block::<S>(a, |pair| b[pair * SIDE + column], *c);
                    }
                }
            }
        }
    }
}
