//! Products of tiles by registers of 256 bits.

use std::arch::asm;

use super::flushing::{FLUSHING, each_row};

macro_rules! fma256 {
    ($even:literal $odd:literal $sum:literal $first:literal $second:literal $to:literal) => {
        concat!(
            "vbroadcastss ymm14, dword ptr [{row} + ",
            $first,
            "]\n",
            "vfmadd231ps ymm",
            $even,
            ", ymm12, ymm14\n",
            "vbroadcastss ymm14, dword ptr [{row} + ",
            $second,
            "]\n",
            "vfmadd231ps ymm",
            $odd,
            ", ymm13, ymm14",
        )
    };
}
macro_rules! clear256 {
    ($even:literal $odd:literal $sum:literal $first:literal $second:literal $to:literal) => {
        concat!(
            "vxorps ymm",
            $even,
            ", ymm",
            $even,
            ", ymm",
            $even,
            "\n",
            "vxorps ymm",
            $odd,
            ", ymm",
            $odd,
            ", ymm",
            $odd,
        )
    };
}
macro_rules! add256 {
    ($even:literal $odd:literal $sum:literal $first:literal $second:literal $to:literal) => {
        concat!(
            "vaddps ymm",
            $even,
            ", ymm",
            $even,
            ", ymm",
            $odd,
            "\n",
            "vaddps ymm",
            $sum,
            ", ymm",
            $sum,
            ", ymm",
            $even,
        )
    };
}
macro_rules! load256 {
    ($even:literal $odd:literal $sum:literal $first:literal $second:literal $to:literal) => {
        concat!("vmovups ymm", $sum, ", [{c} + ", $to, "]")
    };
}
macro_rules! store256 {
    ($even:literal $odd:literal $sum:literal $first:literal $second:literal $to:literal) => {
        concat!("vmovups [{c} + ", $to, "], ymm", $sum)
    };
}
/// Four rows: registers of the even and the odd chain and of the tile's row, distances in bytes of the two elements,
/// rows being 32 elements apart, and of the tile's row.
macro_rules! rows256 {
    ($f:ident) => {
        each_row!([(0 4 8 0 4 0) (1 5 9 128 132 64) (2 6 10 256 260 128) (3 7 11 384 388 192)]: $f)
    };
}

/// As [`avx512::one`](super::avx512::one), by registers of eight columns, four rows at a time.
///
/// # Safety
/// The machine must have AVX2 and FMA; the rest as for [`avx512::one`](super::avx512::one).
#[target_feature(enable = "avx2,fma")]
pub unsafe fn one(a: *const f32, b: *const u32, c: *mut f32, blocks: usize) {
    for half in 0..2 {
        // SAFETY: eight columns further there are the other eight of each pair, and of each row of the tile.
        let (b, c) = unsafe { (b.add(8 * half), c.add(8 * half)) };
        // Where the present settings are kept, and those that are set.
        let mut control = [0_u32, FLUSHING];
        // SAFETY: the block reads and writes what the contract names and `control`, and restores MXCSR; every register
        // that it changes is declared.
        unsafe {
            asm!(
                "stmxcsr [{control}]",
                "ldmxcsr [{control} + 4]",
                "mov {count:e}, 0xffff0000",
                "vmovd xmm15, {count:e}",
                "vpbroadcastd ymm15, xmm15",
                "mov {quarter:e}, 4",
                "2:",
                rows256!(load256),
                "mov {row}, {a}",
                "mov {column}, {b}",
                "mov {left}, {blocks}",
                "3:",
                rows256!(clear256),
                "mov {count:e}, 16",
                "4:",
                "vmovdqu ymm13, ymmword ptr [{column}]",
                "vpslld ymm12, ymm13, 16",
                "vpand ymm13, ymm13, ymm15",
                rows256!(fma256),
                "add {column}, 64",
                "add {row}, 8",
                "dec {count:e}",
                "jnz 4b",
                // From behind the first row of this block to the first of the next.
                "add {row}, 1920",
                rows256!(add256),
                "dec {left}",
                "jnz 3b",
                rows256!(store256),
                "add {c}, 256",
                "add {a}, 512",
                "dec {quarter:e}",
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
                quarter = out(reg) _,
                out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _, out("ymm4") _, out("ymm5") _,
                out("ymm6") _, out("ymm7") _, out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _,
                out("ymm12") _, out("ymm13") _, out("ymm14") _, out("ymm15") _,
                options(nostack),
            );
        }
    }
}
