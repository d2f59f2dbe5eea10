//! The mean of each plane.

use crate::kernel::Element;
use crate::kernel::cpu::simd::{Kernel, Level, Simd};
use crate::kernel::cpu::sums::sum;
use crate::kernel::cpu::tasks::{self, TASK};
use crate::kernel::write::Write;

/// `y[i] = mean x[i, ..]`, with `x` of `[y.len(), inner]`; NaN for planes without elements.
pub fn global_average_pool<E: Element>(inner: usize, x: &[E], y: &mut [E]) {
    global_average_pool_at(Level::current(), inner, x, y);
}

pub(crate) fn global_average_pool_at<E: Element>(level: Level, inner: usize, x: &[E], y: &mut [E]) {
    assert_eq!(x.len(), y.len() * inner);
    if inner == 0 {
        return y.fill(E::nan());
    }
    let planes = (TASK / inner).max(1);
    tasks::for_each(level, x.chunks(planes * inner).zip(y.chunks_mut(planes)).map(|(x, y)| Forward { inner, x, y }));
}

/// `grad_x[i, ..] = grad_output[i] / inner`, or adds it.
pub fn global_average_pool_backward<E: Element>(inner: usize, grad_output: &[E], grad_x: &mut [E], write: Write) {
    global_average_pool_backward_at(Level::current(), inner, grad_output, grad_x, write);
}

pub(crate) fn global_average_pool_backward_at<E: Element>(
    level: Level,
    inner: usize,
    grad_output: &[E],
    grad_x: &mut [E],
    write: Write,
) {
    assert_eq!(grad_x.len(), grad_output.len() * inner);
    if inner == 0 {
        return;
    }
    let planes = (TASK / inner).max(1);
    let parts = grad_output.chunks(planes).zip(grad_x.chunks_mut(planes * inner));
    tasks::for_each(level, parts.map(|(grad_output, grad_x)| Backward { inner, grad_output, grad_x, write }));
}

struct Forward<'a, E> {
    inner: usize,
    x: &'a [E],
    y: &'a mut [E],
}

impl<E: Element> Kernel for Forward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for (y, x) in self.y.iter_mut().zip(self.x.chunks_exact(self.inner)) {
            *y = E::of(sum::<S, E>(x) / self.inner as f64);
        }
    }
}

struct Backward<'a, E> {
    inner: usize,
    grad_output: &'a [E],
    grad_x: &'a mut [E],
    write: Write,
}

impl<E: Element> Kernel for Backward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let count = E::of(self.inner as f64);
        for (&g, grad_x) in self.grad_output.iter().zip(self.grad_x.chunks_exact_mut(self.inner)) {
            let share = g / count;
            match self.write {
                Write::Replace => grad_x.fill(share),
                Write::Add => grad_x.iter_mut().for_each(|grad_x| *grad_x = *grad_x + share),
            }
        }
    }
}
