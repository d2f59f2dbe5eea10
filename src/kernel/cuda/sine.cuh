// Sine and cosine in full precision, without the arrays in local memory with which CUDA's own ones reduce large
// arguments.
//
// Polynomials: Cephes `sinf` and `cosf` (S. L. Moshier, Methods and Programs for Mathematical Functions). Argument
// reduction: Cody and Waite up to 1e4, as on the CPU; beyond that Payne and Hanek, for which a `float` needs 96 bits of
// 2 / pi.
#pragma once

#include <cstring>

#include "common.cuh"

namespace math {

// The bits of 2 / pi, 32 a word; word 1 begins behind the binary point.
DEVICE unsigned two_over_pi(int word) {
    switch (word) {
        case 0: return 0;
        case 1: return 0xA2F9836E;
        case 2: return 0x4E441529;
        case 3: return 0xFC2757D1;
        case 4: return 0xF534DDC0;
        case 5: return 0xDB629599;
        case 6: return 0x3C439041;
        default: return 0xFE5163AB;
    }
}

// `x - quadrant pi / 2`, at most about pi / 4, for an x above 1e4 in magnitude. NaN where x is infinite or NaN.
DEVICE float reduce_large(float x, int& quadrant) {
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    const int exponent = bits >> 23 & 0xFF;
    quadrant = 0;
    if (exponent == 0xFF) return x - x;
    // |x| = mantissa 2^(exponent - 150). In quarter turns, modulo four: the mantissa times the bits of 2 / pi from that of
    // weight 2 after the shift on. The first 96 of them, two before the binary point, leave an error below 2^-60.
    const unsigned mantissa = (bits & 0x7FFFFF) | 0x800000;
    const int first = exponent - 120;
    unsigned window[4];
    for (int i = 0; i < 4; i++) window[i] = two_over_pi(first / 32 + i);
    const int shift = first % 32;
    if (shift > 0) {
        for (int i = 0; i < 3; i++) window[i] = window[i] << shift | window[i + 1] >> (32 - shift);
    }
    const uint64_t low = uint64_t(mantissa) * window[2];
    const uint64_t middle = uint64_t(mantissa) * window[1] + (low >> 32);
    const uint64_t turns = (uint64_t(mantissa) * window[0] << 32) + middle;
    // To the nearest quarter; what remains, in units of 2^-62, has a sign.
    const unsigned nearest = unsigned((turns + (uint64_t(1) << 61)) >> 62);
    const int64_t rest = int64_t(turns - (uint64_t(nearest) << 62));
    const float r = float(double(rest) * (1.5707963267948966 / 4611686018427387904.0));
    quadrant = bits >> 31 ? -int(nearest) : int(nearest);
    return bits >> 31 ? -r : r;
}

// At most 2 ulp off the true values; NaN where x is infinite.
DEVICE void sin_cos(float x, float& sine, float& cosine) {
    float r;
    int quadrant;
    if (fabsf(x) <= 1.0e4f) {
        const float n = -rintf(x * 0.63661977236758134f);
        // pi / 2 in three parts, each the rest rounded to 24 bits. The first difference is exact; the third matters
        // only where the result is small.
        r = fmaf(n, -1.7151245100058819e-15f, fmaf(n, 7.549790126404332e-8f, fmaf(n, 1.570796251296997f, x)));
        quadrant = -int(n);
    } else {
        r = reduce_large(x, quadrant);
    }
    const float z = r * r;
    const float p = fmaf(fmaf(-1.9515295891e-4f, z, 8.3321608736e-3f), z, -1.6666654611e-1f);
    const float q = fmaf(fmaf(2.443315711809948e-5f, z, -1.388731625493765e-3f), z, 4.166664568298827e-2f);
    const float s = fmaf(p * z, r, r), c = fmaf(q * z, z, fmaf(-0.5f, z, 1.0f));
    const float turned_s = quadrant & 1 ? c : s, turned_c = quadrant & 1 ? s : c;
    sine = quadrant & 2 ? -turned_s : turned_s;
    cosine = (quadrant + 1) & 2 ? -turned_c : turned_c;
}

DEVICE void sin_cos(double x, double& sine, double& cosine) { sincos(x, &sine, &cosine); }

// The sine alone.
template <typename T>
DEVICE T sine(T x) {
    T s, c;
    sin_cos(x, s, c);
    return s;
}

}  // namespace math
