//! The operations of [`Parts`] on registers of AVX2 and AVX-512.

use std::arch::x86_64::*;

use super::super::parts::{Parts, ROOT_HALF};
use super::super::real::Real;
use super::{F32x8, F32x16};

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
    #[inline(always)]
    fn mantissa(self) -> (Self, Self) {
        intrinsic!({
            let bits = _mm256_castps_si256(self.0);
            let k = _mm256_srai_epi32::<23>(_mm256_sub_epi32(bits, _mm256_set1_epi32(ROOT_HALF)));
            let mantissa = _mm256_sub_epi32(bits, _mm256_slli_epi32::<23>(k));
            let n = _mm256_sub_epi32(_mm256_setzero_si256(), k);
            (Self(_mm256_castsi256_ps(mantissa)), Self(_mm256_cvtepi32_ps(n)))
        })
    }
    #[inline(always)]
    fn with_sign_of(self, sign: Self) -> Self {
        let mask = Self::of(-0.0).0;
        Self(intrinsic!(_mm256_or_ps(_mm256_andnot_ps(mask, self.0), _mm256_and_ps(mask, sign.0))))
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
    #[inline(always)]
    fn mantissa(self) -> (Self, Self) {
        intrinsic!({
            let bits = _mm512_castps_si512(self.0);
            let k = _mm512_srai_epi32::<23>(_mm512_sub_epi32(bits, _mm512_set1_epi32(ROOT_HALF)));
            let mantissa = _mm512_sub_epi32(bits, _mm512_slli_epi32::<23>(k));
            let n = _mm512_sub_epi32(_mm512_setzero_si512(), k);
            (Self(_mm512_castsi512_ps(mantissa)), Self(_mm512_cvtepi32_ps(n)))
        })
    }
    #[inline(always)]
    fn with_sign_of(self, sign: Self) -> Self {
        let mask = Self::of(-0.0).0;
        Self(intrinsic!(_mm512_or_ps(_mm512_andnot_ps(mask, self.0), _mm512_and_ps(mask, sign.0))))
    }
}
