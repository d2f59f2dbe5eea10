//! Products of tensors, and of planes with one factor each.

use super::simd::{Kernel, Level, Simd};
use super::sums::{BLOCK, block_sums};
use super::tasks::{self, TASK};
use crate::kernel::Element;
use crate::kernel::write::Write;

/// `y[i, p] = x[i, p] gate[i]`, or adds the products to `y`, with `x` and `y` of `[gate.len(), pixels]`. With one pixel
/// this is the product of two tensors, element by element.
///
/// Given the gradient of the output instead of `x`, this computes the gradient of `x`.
pub fn multiply<E: Element>(pixels: usize, x: &[E], gate: &[E], y: &mut [E], write: Write) {
    multiply_at(Level::current(), pixels, x, gate, y, write);
}

pub(crate) fn multiply_at<E: Element>(level: Level, pixels: usize, x: &[E], gate: &[E], y: &mut [E], write: Write) {
    assert!(x.len() == gate.len() * pixels && y.len() == x.len());
    if y.is_empty() {
        return;
    }
    let planes = (TASK / pixels).max(1);
    let parts = y.chunks_mut(planes * pixels).zip(x.chunks(planes * pixels)).zip(gate.chunks(planes));
    tasks::for_each(level, parts.map(|((y, x), gate)| Multiply { pixels, x, gate, y, write }));
}

/// The gradient of the gate: `grad_gate[i] = sum_p x[i, p] grad_output[i, p]`, or adds the sums to `grad_gate`. They
/// are computed in the order of `sums`, which the number of pixels alone fixes.
pub fn multiply_backward_gate<E: Element>(
    pixels: usize,
    x: &[E],
    grad_output: &[E],
    grad_gate: &mut [E],
    write: Write,
) {
    multiply_backward_gate_at(Level::current(), pixels, x, grad_output, grad_gate, write);
}

pub(crate) fn multiply_backward_gate_at<E: Element>(
    level: Level,
    pixels: usize,
    x: &[E],
    grad_output: &[E],
    grad_gate: &mut [E],
    write: Write,
) {
    assert!(x.len() == grad_gate.len() * pixels && grad_output.len() == x.len());
    match pixels {
        0 => return write.prepare(grad_gate),
        1 => return multiply_at(level, 1, x, grad_output, grad_gate, write),
        _ => {}
    }
    let planes = (TASK / pixels).max(1);
    let inputs = x.chunks(planes * pixels).zip(grad_output.chunks(planes * pixels));
    let parts = grad_gate.chunks_mut(planes).zip(inputs);
    tasks::for_each(
        level,
        parts.map(|(grad_gate, (x, grad_output))| GateGradient { pixels, x, grad_output, grad_gate, write }),
    );
}

struct Multiply<'a, E> {
    pixels: usize,
    x: &'a [E],
    gate: &'a [E],
    y: &'a mut [E],
    write: Write,
}

impl<E: Element> Kernel for Multiply<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { pixels, x, gate, y, write } = self;
        if pixels == 1 {
            let factors = x.iter().zip(gate);
            match write {
                Write::Replace => y.iter_mut().zip(factors).for_each(|(y, (&x, &gate))| *y = x * gate),
                Write::Add => y.iter_mut().zip(factors).for_each(|(y, (&x, &gate))| *y = *y + x * gate),
            }
            return;
        }
        for ((y, x), &gate) in y.chunks_exact_mut(pixels).zip(x.chunks_exact(pixels)).zip(gate) {
            match write {
                Write::Replace => y.iter_mut().zip(x).for_each(|(y, &x)| *y = x * gate),
                Write::Add => y.iter_mut().zip(x).for_each(|(y, &x)| *y = *y + x * gate),
            }
        }
    }
}

struct GateGradient<'a, E> {
    pixels: usize,
    x: &'a [E],
    grad_output: &'a [E],
    grad_gate: &'a mut [E],
    write: Write,
}

impl<E: Element> Kernel for GateGradient<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let planes = self.x.chunks_exact(self.pixels).zip(self.grad_output.chunks_exact(self.pixels));
        for (grad_gate, (x, grad_output)) in self.grad_gate.iter_mut().zip(planes) {
            let mut total = 0.0;
            for (x, grad_output) in x.chunks(BLOCK).zip(grad_output.chunks(BLOCK)) {
                total += block_sums::<S, E, false>(x, grad_output, E::zero()).1;
            }
            let total = E::of(total);
            *grad_gate = if self.write == Write::Add { *grad_gate + total } else { total };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small integers, of which all sums and products are exact.
    fn integers(len: usize, modulus: usize) -> Vec<f32> {
        (0..len).map(|i| (i * 7 % modulus) as f32 - 3.0).collect()
    }

    #[test]
    fn products_and_their_sums_are_exact_on_integers_at_every_level() {
        for (planes, pixels) in [(0, 5), (3, 0), (1, 1), (37, 1), (5, 9), (3, 2 * BLOCK + 5), (TASK + 3, 1), (700, 64)]
        {
            let (x, g) = (integers(planes * pixels, 11), integers(planes * pixels, 5));
            let gate = integers(planes, 6);
            for level in Level::available() {
                let mut y = vec![f32::NAN; x.len()];
                multiply_at(level, pixels, &x, &gate, &mut y, Write::Replace);
                assert!(y.iter().enumerate().all(|(i, &y)| y == x[i] * gate[i / pixels]), "{level:?}");
                multiply_at(level, pixels, &x, &gate, &mut y, Write::Add);
                assert!(y.iter().enumerate().all(|(i, &y)| y == 2.0 * x[i] * gate[i / pixels]), "{level:?}");

                let sum = |i: usize| (i * pixels..(i + 1) * pixels).map(|i| x[i] * g[i]).sum::<f32>();
                let mut grad = vec![f32::NAN; planes];
                multiply_backward_gate_at(level, pixels, &x, &g, &mut grad, Write::Replace);
                assert!(grad.iter().enumerate().all(|(i, &grad)| grad == sum(i)), "{level:?}");
                multiply_backward_gate_at(level, pixels, &x, &g, &mut grad, Write::Add);
                assert!(grad.iter().enumerate().all(|(i, &grad)| grad == 2.0 * sum(i)), "{level:?}");
            }
        }
    }

    #[test]
    fn sums_have_the_same_bits_at_every_level() {
        let x: Vec<f32> = (0..3 * 1500).map(|i| (i as f32).sin()).collect();
        let g: Vec<f32> = (0..3 * 1500).map(|i| (i as f32).cos()).collect();
        let of = |level| {
            let mut grad = [0.0; 3];
            multiply_backward_gate_at(level, 1500, &x, &g, &mut grad, Write::Replace);
            grad.map(f32::to_bits)
        };
        let levels = Level::available().into_iter().map(of).collect::<Vec<_>>();
        assert!(levels.iter().all(|grad| grad == &levels[0]));
    }
}
