//! The products of tiles by registers of 256 and 512 bits, and by AMX.
//!
//! Registers of `f32` follow the [recipe](super::recipe) where the processor flushes denormals. To set that while
//! compiled code runs is undefined behavior, so the control register is set, the products are computed and the register
//! is restored in one block of assembly, which also leaves no exception flag behind.

mod amx;
mod avx2;
mod avx512;
mod flushing;

pub use self::amx::by_tiles;
use super::sizes::{COLUMNS, ROWS, TILE};
use crate::kernel::cpu::simd::Level;

/// Adds the products of widened rows, `[blocks, 16, 32]`, with the columns of two panels, `[blocks, 16, 16]` each, to
/// their tiles, if there are registers for that; else returns false.
pub fn by_registers_of_two(level: Level, a: &[f32], b: [&[u32]; 2], c: [&mut [f32; TILE]; 2]) -> bool {
    if level < Level::Avx512 || !Level::Avx512.is_available() {
        return false;
    }
    let blocks = a.len() / ROWS;
    assert!(blocks > 0 && a.len() == blocks * ROWS, "sizes of packed rows");
    assert!(b.iter().all(|b| b.len() == blocks * COLUMNS), "sizes of packed columns");
    let [first, second] = c;
    // SAFETY: the machine has AVX-512, seen above; the slices hold `blocks` blocks, which is positive, and two tiles.
    unsafe { avx512::two(a.as_ptr(), b.map(<[u32]>::as_ptr), [first.as_mut_ptr(), second.as_mut_ptr()], blocks) };
    true
}

/// Adds the products of widened rows, `[blocks, 16, 32]`, with columns, `[blocks, 16, 16]`, to a tile.
pub fn by_registers(level: Level, a: &[f32], b: &[u32], c: &mut [f32; TILE]) {
    let blocks = a.len() / ROWS;
    assert!(blocks > 0 && a.len() == blocks * ROWS && b.len() == blocks * COLUMNS, "sizes of packed tiles");
    let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
    if level >= Level::Avx512 && Level::Avx512.is_available() {
        // SAFETY: the machine has AVX-512, seen above; the slices hold `blocks` blocks, at least one, and the tile.
        unsafe { avx512::one(a, b, c, blocks) };
    } else {
        assert!(Level::Avx2.is_available(), "products by registers without AVX2");
        // SAFETY: the machine has AVX2 and FMA, seen above; the slices are as above.
        unsafe { avx2::one(a, b, c, blocks) };
    }
}
