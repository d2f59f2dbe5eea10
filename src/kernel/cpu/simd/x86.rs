//! AVX2 and AVX-512 registers.
//!
//! The register types stay inside the kernels: a value of one exists only within [`Kernel::run`] for its level, and
//! only [`dispatch_at`] enters that, after it has seen that the machine has the level. Every `unsafe` block below rests
//! on this.

use std::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::real::{Lane, MAX_WIDTH, Real};
use super::sine::{self, Parts};
use super::{Kernel, Level, Portable, Simd};
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
        Level::Avx512 if Level::Avx512.is_available() => unsafe { run_avx512(kernel) },
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
        // SAFETY: a register value exists only below `dispatch_at`, which has checked the instruction set (module docs);
        // pointers come from slices whose length is checked first.
        unsafe { $call }
    };
}

/// Asks for each cache line of a slice.
#[inline(always)]
fn prefetch<E: Element>(elements: &[E]) {
    const LINE: usize = 64;
    for line in elements.chunks(LINE / size_of::<E>()) {
        // SAFETY: a prefetch is a hint that reads nothing and cannot fault, whatever the address. SSE, which it belongs to,
        // is part of every x86-64.
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

macro_rules! register {
    (
        $(#[$doc:meta])* $name:ident($repr:ty) of $elem:ty, $width:literal,
        add $add:ident, sub $sub:ident, mul $mul:ident, div $div:ident, xor $xor:ident, fma $fma:ident, max $max:ident,
        set1 $set1:ident, loadu $loadu:ident, storeu $storeu:ident,
        if_positive |$x:ident, $positive:ident, $other:ident| $choose:expr,
        { $($functions:item)* }, { $($lane_functions:item)* }
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
                let ($x, $positive, $other) = (self.0, positive.0, other.0);
                Self(intrinsic!($choose))
            }
            #[inline(always)]
            fn relu(self) -> Self {
                // The instruction returns its second operand where either is NaN or both are zeros.
                Self(intrinsic!($add($set1(0.0), $max($set1(0.0), self.0))))
            }
            $($functions)*
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

/// `f32` functions come from polynomials, `f64` ones element by element from `libm`.
macro_rules! transcendental {
    (f32) => {
        #[inline(always)]
        fn sin_cos(self) -> (Self, Self) {
            sine::sin_cos(self)
        }
        #[inline(always)]
        fn exp(self) -> Self {
            sine::exp(self)
        }
        #[inline(always)]
        fn exp_m1(self) -> Self {
            sine::exp_m1(self)
        }
    };
    (f64) => {
        #[inline(always)]
        fn sin_cos(self) -> (Self, Self) {
            sine::sin_cos_f64(self)
        }
        #[inline(always)]
        fn exp(self) -> Self {
            sine::each_f64(self, libm::exp)
        }
        #[inline(always)]
        fn exp_m1(self) -> Self {
            sine::each_f64(self, libm::expm1)
        }
    };
}

register! {
    /// Eight `f32`.
    F32x8(__m256) of f32, 8,
    add _mm256_add_ps, sub _mm256_sub_ps, mul _mm256_mul_ps, div _mm256_div_ps, xor _mm256_xor_ps,
    fma _mm256_fmadd_ps, max _mm256_max_ps, set1 _mm256_set1_ps, loadu _mm256_loadu_ps, storeu _mm256_storeu_ps,
    if_positive |x, positive, other| _mm256_blendv_ps(other, positive, _mm256_cmp_ps::<_CMP_GT_OQ>(x, _mm256_setzero_ps())),
    { transcendental!(f32); },
    {
        #[inline(always)]
        fn transpose(square: &mut [Self; MAX_WIDTH]) {
            transpose8(square);
        }
    }
}

register! {
    /// Four `f64`.
    F64x4(__m256d) of f64, 4,
    add _mm256_add_pd, sub _mm256_sub_pd, mul _mm256_mul_pd, div _mm256_div_pd, xor _mm256_xor_pd,
    fma _mm256_fmadd_pd, max _mm256_max_pd, set1 _mm256_set1_pd, loadu _mm256_loadu_pd, storeu _mm256_storeu_pd,
    if_positive |x, positive, other| _mm256_blendv_pd(other, positive, _mm256_cmp_pd::<_CMP_GT_OQ>(x, _mm256_setzero_pd())),
    { transcendental!(f64); }, {}
}

register! {
    /// Sixteen `f32`.
    F32x16(__m512) of f32, 16,
    add _mm512_add_ps, sub _mm512_sub_ps, mul _mm512_mul_ps, div _mm512_div_ps, xor _mm512_xor_ps,
    fma _mm512_fmadd_ps, max _mm512_max_ps, set1 _mm512_set1_ps, loadu _mm512_loadu_ps, storeu _mm512_storeu_ps,
    if_positive |x, positive, other|
        _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps()), other, positive),
    { transcendental!(f32); },
    {
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
    /// Eight `f64`.
    F64x8(__m512d) of f64, 8,
    add _mm512_add_pd, sub _mm512_sub_pd, mul _mm512_mul_pd, div _mm512_div_pd, xor _mm512_xor_pd,
    fma _mm512_fmadd_pd, max _mm512_max_pd, set1 _mm512_set1_pd, loadu _mm512_loadu_pd, storeu _mm512_storeu_pd,
    if_positive |x, positive, other|
        _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_GT_OQ>(x, _mm512_setzero_pd()), other, positive),
    { transcendental!(f64); }, {}
}

impl Parts for F32x8 {
    #[inline(always)]
    fn round(self) -> Self {
        Self(intrinsic!(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)))
    }
    #[inline(always)]
    fn clamp(self, low: f32, high: f32) -> Self {
        // The second operand wins where either is NaN, and the second is x.
        let raised = intrinsic!(_mm256_max_ps(_mm256_set1_ps(low), self.0));
        Self(intrinsic!(_mm256_min_ps(_mm256_set1_ps(high), raised)))
    }
    #[inline(always)]
    fn all_within(self, bound: f32) -> bool {
        let mask = intrinsic!({
            let magnitude = _mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0);
            _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LE_OQ>(magnitude, _mm256_set1_ps(bound)))
        });
        mask == 0xff
    }
    #[inline(always)]
    fn rotate(quadrant: Self, sin: Self, cos: Self) -> (Self, Self) {
        intrinsic!({
            let k = _mm256_cvtps_epi32(quadrant.0);
            let odd = _mm256_castsi256_ps(_mm256_slli_epi32::<31>(k));
            let two = _mm256_set1_epi32(2);
            let next = _mm256_add_epi32(k, _mm256_set1_epi32(1));
            let sin_sign = _mm256_castsi256_ps(_mm256_slli_epi32::<30>(_mm256_and_si256(k, two)));
            let cos_sign = _mm256_castsi256_ps(_mm256_slli_epi32::<30>(_mm256_and_si256(next, two)));
            let s = _mm256_blendv_ps(sin.0, cos.0, odd);
            let c = _mm256_blendv_ps(cos.0, sin.0, odd);
            (Self(_mm256_xor_ps(s, sin_sign)), Self(_mm256_xor_ps(c, cos_sign)))
        })
    }
    #[inline(always)]
    fn exp2_integer(self) -> Self {
        Self(intrinsic!({
            let k = _mm256_add_epi32(_mm256_cvtps_epi32(self.0), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(k))
        }))
    }
}

impl Parts for F32x16 {
    #[inline(always)]
    fn round(self) -> Self {
        Self(intrinsic!(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)))
    }
    #[inline(always)]
    fn clamp(self, low: f32, high: f32) -> Self {
        // The second operand wins where either is NaN, and the second is x.
        let raised = intrinsic!(_mm512_max_ps(_mm512_set1_ps(low), self.0));
        Self(intrinsic!(_mm512_min_ps(_mm512_set1_ps(high), raised)))
    }
    #[inline(always)]
    fn all_within(self, bound: f32) -> bool {
        let mask = intrinsic!(_mm512_cmp_ps_mask::<_CMP_LE_OQ>(_mm512_abs_ps(self.0), _mm512_set1_ps(bound)));
        mask == 0xffff
    }
    #[inline(always)]
    fn rotate(quadrant: Self, sin: Self, cos: Self) -> (Self, Self) {
        intrinsic!({
            let k = _mm512_cvtps_epi32(quadrant.0);
            let one = _mm512_set1_epi32(1);
            let odd = _mm512_test_epi32_mask(k, one);
            let s = _mm512_castps_si512(_mm512_mask_blend_ps(odd, sin.0, cos.0));
            let c = _mm512_castps_si512(_mm512_mask_blend_ps(odd, cos.0, sin.0));
            // Flips the sign where the second bit of the quadrant is set: a ^ (b & c) in one instruction.
            let sign = _mm512_set1_epi32(i32::MIN);
            let flip = |a, k| _mm512_ternarylogic_epi32::<0x78>(a, _mm512_slli_epi32::<30>(k), sign);
            let (s, c) = (flip(s, k), flip(c, _mm512_add_epi32(k, one)));
            (Self(_mm512_castsi512_ps(s)), Self(_mm512_castsi512_ps(c)))
        })
    }
    #[inline(always)]
    fn exp2_integer(self) -> Self {
        Self(intrinsic!({
            let k = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(k))
        }))
    }
}
