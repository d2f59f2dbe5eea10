//! Products of tiles by AMX.

use std::arch::asm;

use crate::kernel::cpu::reduced::round::Bf16;
use crate::kernel::cpu::reduced::sizes::{COLUMNS, ROWS, TILE};
use crate::kernel::cpu::simd::may_use_tiles;

/// The configuration of tiles: eight of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    bytes_of_row: [u16; 16],
    rows: [u8; 16],
}

static CONFIGURATION: Configuration = Configuration {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    bytes_of_row: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Adds the products by AMX, two panels at a time, if the machine has it; else returns false.
pub fn by_tiles(a: &[Bf16], b: &[u32], c: &mut [f32]) -> bool {
    if !may_use_tiles() {
        return false;
    }
    let (blocks, panels) = (a.len() / ROWS, c.len() / TILE);
    assert!(blocks > 0 && a.len() == blocks * ROWS, "sizes of packed rows");
    assert!(b.len() == panels * blocks * COLUMNS && c.len() == panels * TILE, "sizes of packed columns");
    for (b, c) in b.chunks(2 * blocks * COLUMNS).zip(c.chunks_mut(2 * TILE)) {
        // SAFETY: the machine has tiles, and the system permits them, seen above. The slices hold `blocks` blocks, at
        // least one, of one panel or of two, and their tiles.
        unsafe {
            match c.len() / TILE {
                1 => amx_one(a.as_ptr(), b.as_ptr(), c.as_mut_ptr(), blocks),
                _ => amx_two(a.as_ptr(), b.as_ptr(), c.as_mut_ptr(), blocks),
            }
        }
    }
    true
}

/// Adds the products of rows with the columns of one panel to its tile.
///
/// # Safety
/// The machine must have AMX with bf16, permitted. `a` must be valid for reading `blocks` blocks of rows, `b` for as
/// many blocks of columns, `c` for reading and writing a tile, and `blocks` must not be zero.
unsafe fn amx_one(a: *const Bf16, b: *const u32, c: *mut f32, blocks: usize) {
    // SAFETY: the block reads and writes what the contract names, and releases the tiles; every register that it
    // changes is declared.
    unsafe {
        asm!(
            "ldtilecfg [{configuration}]",
            "tileloadd tmm0, [{c} + {row}]",
            "2:",
            "tileloadd tmm2, [{a} + {row}]",
            "tileloadd tmm3, [{b} + {row}]",
            "tdpbf16ps tmm0, tmm2, tmm3",
            "add {a}, 1024",
            "add {b}, 1024",
            "dec {blocks}",
            "jnz 2b",
            "tilestored [{c} + {row}], tmm0",
            "tilerelease",
            configuration = in(reg) &raw const CONFIGURATION,
            a = inout(reg) a => _,
            b = inout(reg) b => _,
            c = in(reg) c,
            row = in(reg) 64_usize,
            blocks = inout(reg) blocks => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _, out("tmm4") _, out("tmm5") _, out("tmm6") _,
            out("tmm7") _,
            options(nostack),
        );
    }
}

/// As [`amx_one`], with the columns of two panels, `[2, blocks, 16, 16]`, and their tiles.
///
/// # Safety
/// As for [`amx_one`], for two panels and two tiles.
unsafe fn amx_two(a: *const Bf16, b: *const u32, c: *mut f32, blocks: usize) {
    // SAFETY: the second panel and the second tile follow the first.
    let (other_b, other_c) = unsafe { (b.add(blocks * COLUMNS), c.add(TILE)) };
    // SAFETY: as in `amx_one`.
    unsafe {
        asm!(
            "ldtilecfg [{configuration}]",
            "tileloadd tmm0, [{c} + {row}]",
            "tileloadd tmm1, [{other_c} + {row}]",
            "2:",
            "tileloadd tmm2, [{a} + {row}]",
            "tileloadd tmm3, [{b} + {row}]",
            "tileloadd tmm4, [{other_b} + {row}]",
            "tdpbf16ps tmm0, tmm2, tmm3",
            "tdpbf16ps tmm1, tmm2, tmm4",
            "add {a}, 1024",
            "add {b}, 1024",
            "add {other_b}, 1024",
            "dec {blocks}",
            "jnz 2b",
            "tilestored [{c} + {row}], tmm0",
            "tilestored [{other_c} + {row}], tmm1",
            "tilerelease",
            configuration = in(reg) &raw const CONFIGURATION,
            a = inout(reg) a => _,
            b = inout(reg) b => _,
            other_b = inout(reg) other_b => _,
            c = in(reg) c,
            other_c = in(reg) other_c,
            row = in(reg) 64_usize,
            blocks = inout(reg) blocks => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _, out("tmm4") _, out("tmm5") _, out("tmm6") _,
            out("tmm7") _,
            options(nostack),
        );
    }
}
