//! Until `Real` has them.
use crate::kernel::Element;
use crate::kernel::cpu::simd::{Lane, MAX_WIDTH};

#[inline(always)]
fn each<V: Lane>(a: V, f: impl Fn(f64) -> f64) -> V {
    let mut values = [V::Elem::default(); MAX_WIDTH];
    a.store(&mut values);
    for v in values.iter_mut().take(V::WIDTH) {
        *v = V::Elem::of(f(v.wide()));
    }
    V::load(&values)
}

pub trait Missing: Lane {
    #[inline(always)]
    fn ln(self) -> Self {
        each(self, libm::log)
    }
    #[inline(always)]
    fn ln_1p(self) -> Self {
        each(self, libm::log1p)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        each(self, libm::sqrt)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        each(self, libm::tanh)
    }
    #[inline(always)]
    fn erf(self) -> Self {
        each(self, libm::erf)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        each(self, libm::fabs)
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        (self - other).if_positive(other, self) + (self - other) * Self::of(0.0)
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        (self - other).if_positive(self, other) + (self - other) * Self::of(0.0)
    }
}
impl<V: Lane> Missing for V {}
