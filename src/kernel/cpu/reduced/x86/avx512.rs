//! Products of tiles by registers of 512 bits.

use std::arch::asm;

use super::flushing::{FLUSHING, each_row};

/// Both multiply-adds of a row with AVX-512: `even` and `odd` name registers, the others are distances in bytes.
macro_rules! fma512 {
    ($even:literal $odd:literal $sum:literal $first:literal $second:literal $to:literal) => {
        concat!(
            "vfmadd231ps zmm",
            $even,
            ", zmm16, dword ptr [{row} + ",
            $first,
            "]{{1to16}}\n",
            "vfmadd231ps zmm",
            $odd,
            ", zmm17, dword ptr [{row} + ",
            $second,
            "]{{1to16}}",
        )
    };
}
macro_rules! clear512 {
    ($even:literal $odd:literal $sum:literal $first:literal $second:literal $to:literal) => {
        concat!(
            "vpxord zmm",
            $even,
            ", zmm",
            $even,
            ", zmm",
            $even,
            "\n",
            "vpxord zmm",
            $odd,
            ", zmm",
            $odd,
            ", zmm",
            $odd,
        )
    };
}
macro_rules! add512 {
    ($even:literal $odd:literal $sum:literal $first:literal $second:literal $to:literal) => {
        concat!(
            "vaddps zmm",
            $even,
            ", zmm",
            $even,
            ", zmm",
            $odd,
            "\n",
            "vaddps zmm",
            $sum,
            ", zmm",
            $sum,
            ", zmm",
            $even,
        )
    };
}
macro_rules! load512 {
    ($even:literal $odd:literal $sum:literal $first:literal $second:literal $to:literal) => {
        concat!("vmovups zmm", $sum, ", [{c} + ", $to, "]")
    };
}
macro_rules! store512 {
    ($even:literal $odd:literal $sum:literal $first:literal $second:literal $to:literal) => {
        concat!("vmovups [{c} + ", $to, "], zmm", $sum)
    };
}
/// Eight rows: registers of the even and the odd chain and of the tile's row, distances in bytes of the two elements,
/// rows being 32 elements apart, and of the tile's row.
macro_rules! rows512 {
    ($f:ident) => {
        each_row!([
            (0 8 24 0 4 0) (1 9 25 128 132 64) (2 10 26 256 260 128) (3 11 27 384 388 192)
            (4 12 28 512 516 256) (5 13 29 640 644 320) (6 14 30 768 772 384) (7 15 31 896 900 448)
        ]: $f)
    };
}

/// Adds the products of widened rows with the columns of a panel to a tile, by registers of 16 columns, eight rows at a
/// time.
///
/// # Safety
/// The machine must have AVX-512. `a` must be valid for reading `blocks` blocks of rows, `b` for as many blocks of
/// columns, `c` for reading and writing a tile, and `blocks` must not be zero.
#[target_feature(enable = "avx512f")]
pub unsafe fn one(a: *const f32, b: *const u32, c: *mut f32, blocks: usize) {
    // Where the present settings are kept, and those that are set.
    let mut control = [0_u32, FLUSHING];
    // SAFETY: the block reads and writes what the contract names and `control`, and restores MXCSR; every register that
    // it changes is declared.
    unsafe {
        asm!(
            "stmxcsr [{control}]",
            "ldmxcsr [{control} + 4]",
            "mov {count:e}, 0xffff0000",
            "vpbroadcastd zmm18, {count:e}",
            "mov {half:e}, 2",
            "2:",
            rows512!(load512),
            "mov {row}, {a}",
            "mov {column}, {b}",
            "mov {left}, {blocks}",
            "3:",
            rows512!(clear512),
            "mov {count:e}, 16",
            "4:",
            "vpslld zmm16, zmmword ptr [{column}], 16",
            "vpandd zmm17, zmm18, zmmword ptr [{column}]",
            rows512!(fma512),
            "add {column}, 64",
            "add {row}, 8",
            "dec {count:e}",
            "jnz 4b",
            // From behind the first row of this block to the first of the next.
            "add {row}, 1920",
            rows512!(add512),
            "dec {left}",
            "jnz 3b",
            rows512!(store512),
            "add {c}, 512",
            "add {a}, 1024",
            "dec {half:e}",
            "jnz 2b",
            "vzeroupper",
            "ldmxcsr [{control}]",
            control = in(reg) &raw mut control,
            a = inout(reg) a => _,
            b = in(reg) b,
            c = inout(reg) c => _,
            blocks = in(reg) blocks,
            row = out(reg) _,
            column = out(reg) _,
            left = out(reg) _,
            count = out(reg) _,
            half = out(reg) _,
            out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _, out("zmm5") _, out("zmm6") _,
            out("zmm7") _, out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _, out("zmm12") _,
            out("zmm13") _, out("zmm14") _, out("zmm15") _, out("zmm16") _, out("zmm17") _, out("zmm18") _,
            out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _, out("zmm28") _, out("zmm29") _,
            out("zmm30") _, out("zmm31") _,
            options(nostack),
        );
    }
}

/// Both multiply-adds of a row for two panels: one register of each chain and of the sums for each, as in [`fma512`].
macro_rules! fma_two {
    ($even:tt $odd:tt $other_even:tt $other_odd:tt $s:tt $t:tt $at:tt $to:tt) => {
        concat!(
            "vbroadcastss zmm21, dword ptr [{row} + ",
            $at,
            "]\n",
            "vbroadcastss zmm22, dword ptr [{row} + ",
            $at,
            " + 4]\n",
            "vfmadd231ps zmm",
            $even,
            ", zmm16, zmm21\n",
            "vfmadd231ps zmm",
            $other_even,
            ", zmm18, zmm21\n",
            "vfmadd231ps zmm",
            $odd,
            ", zmm17, zmm22\n",
            "vfmadd231ps zmm",
            $other_odd,
            ", zmm19, zmm22",
        )
    };
}
macro_rules! clear_two {
    ($even:tt $odd:tt $other_even:tt $other_odd:tt $s:tt $t:tt $at:tt $to:tt) => {
        concat!(
            "vpxord zmm",
            $even,
            ", zmm",
            $even,
            ", zmm",
            $even,
            "\n",
            "vpxord zmm",
            $odd,
            ", zmm",
            $odd,
            ", zmm",
            $odd,
            "\n",
            "vpxord zmm",
            $other_even,
            ", zmm",
            $other_even,
            ", zmm",
            $other_even,
            "\n",
            "vpxord zmm",
            $other_odd,
            ", zmm",
            $other_odd,
            ", zmm",
            $other_odd,
        )
    };
}
macro_rules! add_two {
    ($even:tt $odd:tt $other_even:tt $other_odd:tt $s:tt $t:tt $at:tt $to:tt) => {
        concat!(
            "vaddps zmm",
            $even,
            ", zmm",
            $even,
            ", zmm",
            $odd,
            "\n",
            "vaddps zmm",
            $other_even,
            ", zmm",
            $other_even,
            ", zmm",
            $other_odd,
            "\n",
            "vaddps zmm",
            $s,
            ", zmm",
            $s,
            ", zmm",
            $even,
            "\n",
            "vaddps zmm",
            $t,
            ", zmm",
            $t,
            ", zmm",
            $other_even,
        )
    };
}
macro_rules! load_two {
    ($even:tt $odd:tt $other_even:tt $other_odd:tt $s:tt $t:tt $at:tt $to:tt) => {
        concat!("vmovups zmm", $s, ", [{c} + ", $to, "]\n", "vmovups zmm", $t, ", [{other_c} + ", $to, "]")
    };
}
macro_rules! store_two {
    ($even:tt $odd:tt $other_even:tt $other_odd:tt $s:tt $t:tt $at:tt $to:tt) => {
        concat!("vmovups [{c} + ", $to, "], zmm", $s, "\n", "vmovups [{other_c} + ", $to, "], zmm", $t)
    };
}
/// Four rows: the registers of the chains and of the sums, those of the second panel after those of the first, and
/// distances as in [`rows512`].
macro_rules! rows_two {
    ($f:ident) => {
        each_row!([
            (0 4 8 12 24 28 0 0) (1 5 9 13 25 29 128 64) (2 6 10 14 26 30 256 128) (3 7 11 15 27 31 384 192)
        ]: $f)
    };
}

/// As [`one`], with the columns of two panels and their tiles, four rows at a time: an element of
/// a row is loaded once for both panels.
///
/// # Safety
/// As for [`one`], for two panels and two tiles.
#[target_feature(enable = "avx512f")]
pub unsafe fn two(a: *const f32, [b, other_b]: [*const u32; 2], [c, other_c]: [*mut f32; 2], blocks: usize) {
    // Where the present settings are kept, and those that are set.
    let mut control = [0_u32, FLUSHING];
    // SAFETY: the block reads and writes what the contract names and `control`, and restores MXCSR; every register that
    // it changes is declared.
    unsafe {
        asm!(
            "stmxcsr [{control}]",
            "ldmxcsr [{control} + 4]",
            "mov {count:e}, 0xffff0000",
            "vpbroadcastd zmm20, {count:e}",
            // From the first panel to the second, so that one register counts both.
            "sub {other_b}, {b}",
            "mov {quarter:e}, 4",
            "2:",
            rows_two!(load_two),
            "mov {row}, {a}",
            "mov {column}, {b}",
            "mov {left}, {blocks}",
            "3:",
            rows_two!(clear_two),
            "mov {count:e}, 16",
            "4:",
            "vmovups zmm17, [{column}]",
            "vmovups zmm19, [{column} + {other_b}]",
            "vpslld zmm16, zmm17, 16",
            "vpslld zmm18, zmm19, 16",
            "vpandd zmm17, zmm17, zmm20",
            "vpandd zmm19, zmm19, zmm20",
            rows_two!(fma_two),
            "add {column}, 64",
            "add {row}, 8",
            "dec {count:e}",
            "jnz 4b",
            // From behind the first row of this block to the first of the next.
            "add {row}, 1920",
            rows_two!(add_two),
            "dec {left}",
            "jnz 3b",
            rows_two!(store_two),
            "add {c}, 256",
            "add {other_c}, 256",
            "add {a}, 512",
            "dec {quarter:e}",
            "jnz 2b",
            "vzeroupper",
            "ldmxcsr [{control}]",
            control = in(reg) &raw mut control,
            a = inout(reg) a => _,
            b = in(reg) b,
            other_b = inout(reg) other_b => _,
            c = inout(reg) c => _,
            other_c = inout(reg) other_c => _,
            blocks = in(reg) blocks,
            row = out(reg) _,
            column = out(reg) _,
            left = out(reg) _,
            count = out(reg) _,
            quarter = out(reg) _,
            out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _, out("zmm5") _, out("zmm6") _,
            out("zmm7") _, out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _, out("zmm12") _,
            out("zmm13") _, out("zmm14") _, out("zmm15") _, out("zmm16") _, out("zmm17") _, out("zmm18") _,
            out("zmm19") _, out("zmm20") _, out("zmm21") _, out("zmm22") _, out("zmm24") _, out("zmm25") _,
            out("zmm26") _, out("zmm27") _, out("zmm28") _, out("zmm29") _, out("zmm30") _, out("zmm31") _,
            options(nostack),
        );
    }
}
