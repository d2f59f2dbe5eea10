//! AVX2 and AVX-512 registers.
//!
//! The register types stay inside the kernels: a value of one exists only within [`Kernel::run`] for its level, and
//! only [`dispatch_at`] enters that, after it has seen that the machine has the level. Every `unsafe` block below rests
//! on this.

use std::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::functions::transcendental;
use super::real::{Lane, MAX_WIDTH, Real};
use super::{Kernel, Level, Portable, Simd, erf, logarithm, normal, sine, tanh};
use crate::kernel::element::{Element, Sealed};

/// AVX2 and FMA: registers of 32 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Avx2;

impl Sealed for Avx2 {}

impl Simd for Avx2 {
    type F32 = F32x8;
    type F64 = F64x4;

    #[inline(always)]
    fn prefetch<E: Element>(elements: &[E]) {
        prefetch(elements);
    }
}

/// AVX-512 F, DQ, BW and VL: registers of 64 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Avx512;

impl Sealed for Avx512 {}

impl Simd for Avx512 {
    type F32 = F32x16;
    type F64 = F64x8;

    #[inline(always)]
    fn prefetch<E: Element>(elements: &[E]) {
        prefetch(elements);
    }
}

/// Runs the kernel at `level` if the machine has it, else at the baseline, with FMA where there is that.
#[inline]
pub(super) fn dispatch_at<K: Kernel>(level: Level, kernel: K) -> K::Output {
    match level {
        // SAFETY: the machine has the features that the function enables, checked here.
        Level::Avx512 | Level::Amx if Level::Avx512.is_available() => unsafe { run_avx512(kernel) },
        // SAFETY: as above.
        Level::Avx2 if Level::Avx2.is_available() => unsafe { run_avx2(kernel) },
        // SAFETY: as above.
        _ if has_fma() => unsafe { run_portable_with_fma(kernel) },
        _ => kernel.run::<Portable<false>>(),
    }
}

fn has_fma() -> bool {
    #[cfg(test)]
    if crate::kernel::cpu::testing::forgoes_fma() {
        return false;
    }
    is_x86_feature_detected!("fma")
}

/// # Safety
/// The machine must have FMA.
#[target_feature(enable = "fma")]
unsafe fn run_portable_with_fma<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Portable<true>>()
}

/// # Safety
/// The machine must have AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}

/// # Safety
/// The machine must have AVX2, FMA and AVX-512 F, DQ, BW and VL.
#[target_feature(enable = "avx2,fma,avx512f,avx512dq,avx512bw,avx512vl")]
unsafe fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}

/// Runs an intrinsic. A macro rather than one block a call site, because the argument is the same for all of them.
macro_rules! intrinsic {
    ($call:expr) => {
        // SAFETY: a register value exists only below `dispatch_at`, which has checked the instruction set (module
        // docs); pointers come from slices whose length is checked first.
        unsafe { $call }
    };
}

/// Asks for each cache line of a slice.
#[inline(always)]
fn prefetch<E: Element>(elements: &[E]) {
    const LINE: usize = 64;
    for line in elements.chunks(LINE / size_of::<E>()) {
        // SAFETY: a prefetch is a hint that reads nothing and cannot fault, whatever the address. SSE, which it belongs
        // to, is part of every x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
}

/// A mask of the first `count` of sixteen elements.
#[inline(always)]
fn first(count: usize) -> __mmask16 {
    ((1_u32 << count) - 1) as __mmask16
}

/// Swaps the axes of a square: pairs of elements, pairs of pairs, then halves of registers.
#[inline(always)]
fn transpose8(square: &mut [F32x8; MAX_WIDTH]) {
    // Written out: a closure would not inherit the instruction set, and be called.
    let [F32x8(a), F32x8(b), F32x8(c), F32x8(d), F32x8(e), F32x8(f), F32x8(g), F32x8(h), ..] = *square;
    let lines = intrinsic!({
        let low =
            [_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d), _mm256_unpacklo_ps(e, f), _mm256_unpacklo_ps(g, h)];
        let high =
            [_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d), _mm256_unpackhi_ps(e, f), _mm256_unpackhi_ps(g, h)];
        let quads = [
            _mm256_shuffle_ps::<0x44>(low[0], low[1]),
            _mm256_shuffle_ps::<0xee>(low[0], low[1]),
            _mm256_shuffle_ps::<0x44>(high[0], high[1]),
            _mm256_shuffle_ps::<0xee>(high[0], high[1]),
            _mm256_shuffle_ps::<0x44>(low[2], low[3]),
            _mm256_shuffle_ps::<0xee>(low[2], low[3]),
            _mm256_shuffle_ps::<0x44>(high[2], high[3]),
            _mm256_shuffle_ps::<0xee>(high[2], high[3]),
        ];
        [
            _mm256_permute2f128_ps::<0x20>(quads[0], quads[4]),
            _mm256_permute2f128_ps::<0x20>(quads[1], quads[5]),
            _mm256_permute2f128_ps::<0x20>(quads[2], quads[6]),
            _mm256_permute2f128_ps::<0x20>(quads[3], quads[7]),
            _mm256_permute2f128_ps::<0x31>(quads[0], quads[4]),
            _mm256_permute2f128_ps::<0x31>(quads[1], quads[5]),
            _mm256_permute2f128_ps::<0x31>(quads[2], quads[6]),
            _mm256_permute2f128_ps::<0x31>(quads[3], quads[7]),
        ]
    });
    for (register, line) in square.iter_mut().zip(lines) {
        *register = F32x8(line);
    }
}

/// Swaps the axes of a square: within quarters of registers as above, then the quarters.
#[inline(always)]
fn transpose16(square: &mut [F32x16; MAX_WIDTH]) {
    intrinsic!({
        // Of four rows, quarter `l` of register `c` is column `4 l + c`.
        let mut quads = [[_mm512_setzero_ps(); 4]; 4];
        for (q, columns) in quads.iter_mut().enumerate() {
            let (a, b) = (square[4 * q].0, square[4 * q + 1].0);
            let (c, d) = (square[4 * q + 2].0, square[4 * q + 3].0);
            let low = [_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d)];
            let high = [_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d)];
            *columns = [
                _mm512_shuffle_ps::<0x44>(low[0], low[1]),
                _mm512_shuffle_ps::<0xee>(low[0], low[1]),
                _mm512_shuffle_ps::<0x44>(high[0], high[1]),
                _mm512_shuffle_ps::<0xee>(high[0], high[1]),
            ];
        }
        for c in 0..4 {
            let halves = [
                _mm512_shuffle_f32x4::<0x44>(quads[0][c], quads[1][c]),
                _mm512_shuffle_f32x4::<0x44>(quads[2][c], quads[3][c]),
                _mm512_shuffle_f32x4::<0xee>(quads[0][c], quads[1][c]),
                _mm512_shuffle_f32x4::<0xee>(quads[2][c], quads[3][c]),
            ];
            square[c] = F32x16(_mm512_shuffle_f32x4::<0x88>(halves[0], halves[1]));
            square[4 + c] = F32x16(_mm512_shuffle_f32x4::<0xdd>(halves[0], halves[1]));
            square[8 + c] = F32x16(_mm512_shuffle_f32x4::<0x88>(halves[2], halves[3]));
            square[12 + c] = F32x16(_mm512_shuffle_f32x4::<0xdd>(halves[2], halves[3]));
        }
    });
}

/// Of each element the one of `then` where the comparison `OP` of `a` and `b` holds, else that of `other`.
macro_rules! choose {
    ($name:ident, $repr:ty, |$a:ident, $b:ident, $then:ident, $other:ident| $choice:expr) => {
        #[inline(always)]
        fn $name<const OP: i32>($a: $repr, $b: $repr, $then: $repr, $other: $repr) -> $repr {
            intrinsic!($choice)
        }
    };
}
choose!(choose8, __m256, |a, b, then, other| _mm256_blendv_ps(other, then, _mm256_cmp_ps::<OP>(a, b)));
choose!(choose4_f64, __m256d, |a, b, then, other| _mm256_blendv_pd(other, then, _mm256_cmp_pd::<OP>(a, b)));
choose!(choose16, __m512, |a, b, then, other| _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<OP>(a, b), other, then));
choose!(choose8_f64, __m512d, |a, b, then, other| _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<OP>(a, b), other, then));

macro_rules! register {
    (
        $(#[$doc:meta])* $name:ident($repr:ty) of $elem:ident, $width:literal,
        add $add:ident, sub $sub:ident, mul $mul:ident, div $div:ident, fma $fma:ident, sqrt $sqrt:ident,
        xor $xor:ident, and $and:ident, or $or:ident, andnot $andnot:ident, max $max:ident, min $min:ident,
        set1 $set1:ident, loadu $loadu:ident, storeu $storeu:ident, choose $choose:ident, { $($lane_functions:item)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        #[repr(transparent)]
        pub struct $name($repr);

        register!(@operator $name, Add, add, $add);
        register!(@operator $name, Sub, sub, $sub);
        register!(@operator $name, Mul, mul, $mul);
        register!(@operator $name, Div, div, $div);

        impl Neg for $name {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                Self(intrinsic!($xor(self.0, $set1(-0.0))))
            }
        }

        impl Sealed for $name {}

        impl Real for $name {
            #[inline(always)]
            fn of(value: f64) -> Self {
                Self::splat(value as $elem)
            }
            #[inline(always)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                Self(intrinsic!($fma(self.0, a.0, b.0)))
            }
            #[inline(always)]
            fn if_positive(self, positive: Self, other: Self) -> Self {
                Self($choose::<_CMP_GT_OQ>(self.0, Self::splat(0.0).0, positive.0, other.0))
            }
            #[inline(always)]
            fn relu(self) -> Self {
                // The instruction returns its second operand where either is NaN or both are zeros.
                Self(intrinsic!($add($set1(0.0), $max($set1(0.0), self.0))))
            }
            #[inline(always)]
            fn abs(self) -> Self {
                Self(intrinsic!($andnot($set1(-0.0), self.0)))
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Self(intrinsic!($sqrt(self.0)))
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                // Either order gives the larger one, or of zeros the second: together they have a sign only if both do.
                let larger = intrinsic!($and($max(self.0, other.0), $max(other.0, self.0)));
                Self($choose::<_CMP_UNORD_Q>(self.0, other.0, (self + other).0, larger))
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                let smaller = intrinsic!($or($min(self.0, other.0), $min(other.0, self.0)));
                Self($choose::<_CMP_UNORD_Q>(self.0, other.0, (self + other).0, smaller))
            }
            transcendental!($elem);
        }

        impl Lane for $name {
            type Elem = $elem;
            const WIDTH: usize = $width;

            #[inline(always)]
            fn splat(value: $elem) -> Self {
                Self(intrinsic!($set1(value)))
            }
            #[inline(always)]
            fn load(source: &[$elem]) -> Self {
                assert!(source.len() >= $width);
                Self(intrinsic!($loadu(source.as_ptr())))
            }
            #[inline(always)]
            fn store(self, target: &mut [$elem]) {
                assert!(target.len() >= $width);
                intrinsic!($storeu(target.as_mut_ptr(), self.0))
            }
            $($lane_functions)*
        }
    };
    (@operator $name:ident, $trait:ident, $method:ident, $intrinsic:ident) => {
        impl $trait for $name {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(intrinsic!($intrinsic(self.0, other.0)))
            }
        }
    };
}

register! {
    /// Eight `f32` in 256 bits.
    F32x8(__m256) of f32, 8,
    add _mm256_add_ps, sub _mm256_sub_ps, mul _mm256_mul_ps, div _mm256_div_ps, fma _mm256_fmadd_ps,
    sqrt _mm256_sqrt_ps, xor _mm256_xor_ps, and _mm256_and_ps, or _mm256_or_ps, andnot _mm256_andnot_ps,
    max _mm256_max_ps, min _mm256_min_ps, set1 _mm256_set1_ps, loadu _mm256_loadu_ps, storeu _mm256_storeu_ps,
    choose choose8, {
        #[inline(always)]
        fn transpose(square: &mut [Self; MAX_WIDTH]) {
            transpose8(square);
        }
    }
}

register! {
    /// Four `f64` in 256 bits.
    F64x4(__m256d) of f64, 4,
    add _mm256_add_pd, sub _mm256_sub_pd, mul _mm256_mul_pd, div _mm256_div_pd, fma _mm256_fmadd_pd,
    sqrt _mm256_sqrt_pd, xor _mm256_xor_pd, and _mm256_and_pd, or _mm256_or_pd, andnot _mm256_andnot_pd,
    max _mm256_max_pd, min _mm256_min_pd, set1 _mm256_set1_pd, loadu _mm256_loadu_pd, storeu _mm256_storeu_pd,
    choose choose4_f64, {}
}

register! {
    /// Sixteen `f32` in 512 bits.
    F32x16(__m512) of f32, 16,
    add _mm512_add_ps, sub _mm512_sub_ps, mul _mm512_mul_ps, div _mm512_div_ps, fma _mm512_fmadd_ps,
    sqrt _mm512_sqrt_ps, xor _mm512_xor_ps, and _mm512_and_ps, or _mm512_or_ps, andnot _mm512_andnot_ps,
    max _mm512_max_ps, min _mm512_min_ps, set1 _mm512_set1_ps, loadu _mm512_loadu_ps, storeu _mm512_storeu_ps,
    choose choose16, {
        #[inline(always)]
        fn transpose(square: &mut [Self; MAX_WIDTH]) {
            transpose16(square);
        }
        #[inline(always)]
        fn load_partial(source: &[f32]) -> Self {
            assert!(source.len() <= 16);
            // The elements that the mask leaves out are not read.
            Self(intrinsic!(_mm512_maskz_loadu_ps(first(source.len()), source.as_ptr())))
        }
        #[inline(always)]
        fn store_partial(self, target: &mut [f32]) {
            assert!(target.len() <= 16);
            // The elements that the mask leaves out are not written.
            intrinsic!(_mm512_mask_storeu_ps(target.as_mut_ptr(), first(target.len()), self.0))
        }
    }
}

register! {
    /// Eight `f64` in 512 bits.
    F64x8(__m512d) of f64, 8,
    add _mm512_add_pd, sub _mm512_sub_pd, mul _mm512_mul_pd, div _mm512_div_pd, fma _mm512_fmadd_pd,
    sqrt _mm512_sqrt_pd, xor _mm512_xor_pd, and _mm512_and_pd, or _mm512_or_pd, andnot _mm512_andnot_pd,
    max _mm512_max_pd, min _mm512_min_pd, set1 _mm512_set1_pd, loadu _mm512_loadu_pd, storeu _mm512_storeu_pd,
    choose choose8_f64, {}
}

mod parts;
