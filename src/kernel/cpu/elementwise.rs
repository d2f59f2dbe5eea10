//! Sums, copies and multiples of tensors.

use super::simd::{Kernel, Level, Simd};
use super::tasks::{self, TASK};
use crate::kernel::Element;

/// Adds `x` to `y` elementwise: `y += x`.
pub fn add_assign<E: Element>(y: &mut [E], x: &[E]) {
    assert_eq!(y.len(), x.len());
    tasks::for_each(Level::current(), y.chunks_mut(TASK).zip(x.chunks(TASK)).map(|(y, x)| AddAssign { y, x }));
}

/// Writes the elementwise sum: `y = a + b`.
pub fn add<E: Element>(a: &[E], b: &[E], y: &mut [E]) {
    assert!(a.len() == y.len() && b.len() == y.len());
    let inputs = a.chunks(TASK).zip(b.chunks(TASK));
    tasks::for_each(Level::current(), y.chunks_mut(TASK).zip(inputs).map(|(y, (a, b))| Add { a, b, y }));
}

/// Copies the elements of `x` to `y`.
pub fn copy<E: Element>(x: &[E], y: &mut [E]) {
    assert_eq!(y.len(), x.len());
    tasks::for_each(Level::current(), y.chunks_mut(TASK).zip(x.chunks(TASK)).map(|(y, x)| Copy { x, y }));
}

/// Multiplies every element in place: `x *= factor`.
pub fn scale<E: Element>(x: &mut [E], factor: E) {
    tasks::for_each(Level::current(), x.chunks_mut(TASK).map(|x| Scale { x, factor }));
}

struct Scale<'a, E> {
    x: &'a mut [E],
    factor: E,
}

impl<E: Element> Kernel for Scale<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for x in self.x {
            *x = *x * self.factor;
        }
    }
}

struct Copy<'a, E> {
    x: &'a [E],
    y: &'a mut [E],
}

impl<E: Element> Kernel for Copy<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        self.y.copy_from_slice(self.x);
    }
}

struct Add<'a, E> {
    a: &'a [E],
    b: &'a [E],
    y: &'a mut [E],
}

impl<E: Element> Kernel for Add<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for ((y, &a), &b) in self.y.iter_mut().zip(self.a).zip(self.b) {
            *y = a + b;
        }
    }
}

struct AddAssign<'a, E> {
    y: &'a mut [E],
    x: &'a [E],
}

impl<E: Element> Kernel for AddAssign<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            *y = *y + x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_exact_on_integers() {
        for n in [0, 1, 17, TASK, 2 * TASK + 3] {
            let x: Vec<f32> = (0..n).map(|i| (i % 1000) as f32).collect();
            let mut y: Vec<f32> = (0..n).map(|i| (i % 7) as f32).collect();
            let mut sum = vec![0.0; n];
            add(&y, &x, &mut sum);
            add_assign(&mut y, &x);
            assert_eq!(sum, y);
            copy(&y, &mut sum[..]);
            assert_eq!(sum, y);
            scale(&mut sum, 0.5);
            assert!(sum.iter().zip(&y).all(|(half, y)| 2.0 * half == *y));
            for (i, y) in y.iter().enumerate() {
                assert_eq!(*y, (i % 7) as f32 + (i % 1000) as f32);
            }
        }
    }
}
