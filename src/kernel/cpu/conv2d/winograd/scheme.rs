//! The one-dimensional transforms of minimal filtering, F(M, 3): `M` outputs of a filter of three taps with `M + 2`
//! multiplications instead of `3 M`.
//!
//! With `B`, `G` and `A` of Lavin and Gray 2016 (arXiv:1509.09308, section 4.1), for an input `d` of `M + 2` values
//! and a filter `g`:
//!
//! ```text
//! y = A^T [(G g) * (B^T d)]
//! ```
//!
//! where `*` is elementwise; in two dimensions each transform is applied to the rows and then to the columns. The
//! gradients are the adjoints: `dg = G^T [(A dy) * (B^T d)]`.

use crate::kernel::cpu::simd::Real;

/// F(M, 3), evaluated at `P = M + 2` points.
pub trait Scheme<const M: usize, const P: usize>: Copy + Send + Sync + 'static {
    /// `B^T d`, the transform of the input.
    fn input<V: Real>(d: [V; P]) -> [V; P];
    /// `G g`, the transform of the filter.
    fn filter<V: Real>(g: [V; 3]) -> [V; P];
    /// `A^T m`, the transform of products back to the output.
    fn output<V: Real>(m: [V; P]) -> [V; M];
    /// `A y`, the adjoint of [`output`](Self::output).
    fn grad_output<V: Real>(y: [V; M]) -> [V; P];
    /// `G^T u`, the adjoint of [`filter`](Self::filter).
    fn filter_gradient<V: Real>(u: [V; P]) -> [V; 3];
}

/// F(2, 3): points 0, 1, -1 and infinity.
#[derive(Clone, Copy, Debug)]
pub struct F2;

/// F(4, 3): points 0, 1, -1, 2, -2 and infinity.
#[derive(Clone, Copy, Debug)]
pub struct F4;

impl Scheme<2, 4> for F2 {
    #[inline(always)]
    fn input<V: Real>([d0, d1, d2, d3]: [V; 4]) -> [V; 4] {
        [d0 - d2, d1 + d2, d2 - d1, d1 - d3]
    }
    #[inline(always)]
    fn filter<V: Real>([g0, g1, g2]: [V; 3]) -> [V; 4] {
        let half = V::of(0.5);
        let (outer, inner) = ((g0 + g2) * half, g1 * half);
        [g0, outer + inner, outer - inner, g2]
    }
    #[inline(always)]
    fn output<V: Real>([m0, m1, m2, m3]: [V; 4]) -> [V; 2] {
        [m0 + m1 + m2, m1 - m2 - m3]
    }
    #[inline(always)]
    fn grad_output<V: Real>([y0, y1]: [V; 2]) -> [V; 4] {
        [y0, y0 + y1, y0 - y1, -y1]
    }
    #[inline(always)]
    fn filter_gradient<V: Real>([u0, u1, u2, u3]: [V; 4]) -> [V; 3] {
        let half = V::of(0.5);
        let sum = (u1 + u2) * half;
        [u0 + sum, (u1 - u2) * half, sum + u3]
    }
}

impl Scheme<4, 6> for F4 {
    #[inline(always)]
    fn input<V: Real>([d0, d1, d2, d3, d4, d5]: [V; 6]) -> [V; 6] {
        let (two, four, minus_four, minus_five) = (V::of(2.0), V::of(4.0), V::of(-4.0), V::of(-5.0));
        let (even, odd) = (d2.mul_add(minus_four, d4), d1.mul_add(minus_four, d3));
        let (even_2, odd_2) = (d4 - d2, d3 - d1);
        [
            d0.mul_add(four, d2.mul_add(minus_five, d4)),
            even + odd,
            even - odd,
            odd_2.mul_add(two, even_2),
            odd_2.mul_add(-two, even_2),
            d1.mul_add(four, d3.mul_add(minus_five, d5)),
        ]
    }
    #[inline(always)]
    fn filter<V: Real>([g0, g1, g2]: [V; 3]) -> [V; 6] {
        let (sixth, twelfth) = (V::of(1.0 / 6.0), V::of(1.0 / 12.0));
        let (outer, inner) = ((g0 + g2) * -sixth, g1 * sixth);
        let (outer_2, inner_2) = (g0.mul_add(V::of(1.0 / 24.0), g2 * sixth), g1 * twelfth);
        [g0 * V::of(0.25), outer - inner, outer + inner, outer_2 + inner_2, outer_2 - inner_2, g2]
    }
    #[inline(always)]
    fn output<V: Real>([m0, m1, m2, m3, m4, m5]: [V; 6]) -> [V; 4] {
        let (two, four, eight) = (V::of(2.0), V::of(4.0), V::of(8.0));
        let (sum, difference) = (m1 + m2, m1 - m2);
        let (sum_2, difference_2) = (m3 + m4, m3 - m4);
        [
            m0 + sum + sum_2,
            difference_2.mul_add(two, difference),
            sum_2.mul_add(four, sum),
            difference_2.mul_add(eight, difference) + m5,
        ]
    }
    #[inline(always)]
    fn grad_output<V: Real>([y0, y1, y2, y3]: [V; 4]) -> [V; 6] {
        let (two, four, eight) = (V::of(2.0), V::of(4.0), V::of(8.0));
        let (even, odd) = (y0 + y2, y1 + y3);
        let (even_2, odd_2) = (y2.mul_add(four, y0), y3.mul_add(eight, y1 * two));
        [y0, even + odd, even - odd, even_2 + odd_2, even_2 - odd_2, y3]
    }
    #[inline(always)]
    fn filter_gradient<V: Real>([u0, u1, u2, u3, u4, u5]: [V; 6]) -> [V; 3] {
        let (sixth, twelfth) = (V::of(1.0 / 6.0), V::of(1.0 / 12.0));
        let (sum, sum_2) = ((u1 + u2) * sixth, u3 + u4);
        [
            u0.mul_add(V::of(0.25), sum_2.mul_add(V::of(1.0 / 24.0), -sum)),
            (u2 - u1).mul_add(sixth, (u3 - u4) * twelfth),
            sum_2.mul_add(sixth, u5 - sum),
        ]
    }
}
