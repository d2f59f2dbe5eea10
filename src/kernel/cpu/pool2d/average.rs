//! Average pooling over windows, forward and backward.

use super::phases::{Phases, band_rows, bands};
use crate::kernel::Element;
use crate::kernel::cpu::simd::{Kernel, Level, Simd};
use crate::kernel::cpu::tasks::{self, TASK};
use crate::kernel::shape::{PoolShape, TapColumns};
use crate::kernel::write::Write;

/// `y[n, c, i, j] = sum x[n, c, stride i + k - padding, stride j + l - padding] / divisor` over `0 <= k, l < kernel`.
///
/// The padding is zeros; the divisor is `kernel^2` (`count_include_pad`, PyTorch's default), or the number of elements
/// of the window that lie on the image.
pub fn average_pool<E: Element>(shape: PoolShape, count_include_pad: bool, x: &[E], y: &mut [E]) {
    average_pool_at(Level::current(), shape, count_include_pad, x, y);
}

pub(crate) fn average_pool_at<E: Element>(
    level: Level,
    shape: PoolShape,
    count_include_pad: bool,
    x: &[E],
    y: &mut [E],
) {
    shape.check(x.len(), y.len());
    if y.is_empty() {
        return;
    }
    let width = shape.out_width();
    // In elements read, so that a task's work does not depend on the window.
    let rows = (TASK / (width * shape.kernel * shape.kernel)).max(1);
    let divisors = &Divisors::new(shape, count_include_pad);
    tasks::for_each(
        level,
        y.chunks_mut(rows * width).enumerate().map(|(i, y)| Forward { shape, divisors, x, first: i * rows, y }),
    );
}

/// The gradient of each element, written or added: `grad_output / divisor` of each window that it lies in.
pub fn average_pool_backward<E: Element>(
    shape: PoolShape,
    count_include_pad: bool,
    grad_output: &[E],
    grad_x: &mut [E],
    write: Write,
) {
    average_pool_backward_at(Level::current(), shape, count_include_pad, grad_output, grad_x, write);
}

pub(crate) fn average_pool_backward_at<E: Element>(
    level: Level,
    shape: PoolShape,
    count_include_pad: bool,
    grad_output: &[E],
    grad_x: &mut [E],
    write: Write,
) {
    shape.check(grad_x.len(), grad_output.len());
    if grad_output.is_empty() {
        return write.prepare(grad_x);
    }
    // Windows of a plane may overlap, planes do not.
    let planes = (TASK / shape.in_plane()).max(1);
    let (columns, divisors) = (&shape.columns()[..], &Divisors::new(shape, count_include_pad));
    let parts = grad_output.chunks(planes * shape.out_plane()).zip(grad_x.chunks_mut(planes * shape.in_plane()));
    let parts = parts.map(|(grad_output, grad_x)| Backward { shape, columns, divisors, grad_output, grad_x, write });
    tasks::for_each(level, parts);
}

/// The number of elements counted in a window, as the product of one count a row and one a column of the output.
struct Divisors<E> {
    rows: Vec<E>,
    columns: Vec<E>,
}

impl<E: Element> Divisors<E> {
    fn new(shape: PoolShape, count_include_pad: bool) -> Self {
        let counts = |size: usize, windows: usize| -> Vec<E> {
            (0..windows)
                .map(|out| {
                    let start = (out * shape.stride).max(shape.padding);
                    let end = (out * shape.stride + shape.kernel).min(size + shape.padding);
                    E::of(if count_include_pad { shape.kernel } else { end - start } as f64)
                })
                .collect()
        };
        Divisors {
            rows: counts(shape.in_height, shape.out_height()),
            columns: counts(shape.in_width, shape.out_width()),
        }
    }
}

struct Forward<'a, E> {
    shape: PoolShape,
    divisors: &'a Divisors<E>,
    x: &'a [E],
    /// The first output row, counted over all planes.
    first: usize,
    y: &'a mut [E],
}

impl<E: Element> Kernel for Forward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Forward { shape, divisors, x, first, y } = self;
        let width = shape.out_width();
        let mut phases = Phases::new(shape, E::zero());
        let line = phases.line;
        let mut sums = vec![E::zero(); band_rows(shape) * line];
        let mut y = y.chunks_mut(width);
        for (plane, rows) in bands(shape, first..first + y.len()) {
            phases.load(&x[plane * shape.in_plane()..][..shape.in_plane()], rows.clone());
            let sums = &mut sums[..(rows.len() - 1) * line + width];
            sums.fill(E::zero());
            for k in 0..shape.kernel {
                for l in 0..shape.kernel {
                    for (sum, &x) in sums.iter_mut().zip(phases.under(k, l)) {
                        *sum = *sum + x;
                    }
                }
            }
            for ((sums, &count), y) in sums.chunks(line).zip(&divisors.rows[rows]).zip(&mut y) {
                for ((y, &sum), &columns) in y.iter_mut().zip(sums).zip(&divisors.columns) {
                    *y = sum / (count * columns);
                }
            }
        }
    }
}

struct Backward<'a, E> {
    shape: PoolShape,
    columns: &'a [TapColumns],
    divisors: &'a Divisors<E>,
    grad_output: &'a [E],
    grad_x: &'a mut [E],
    write: Write,
}

impl<E: Element> Kernel for Backward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let shape = self.shape;
        let width = shape.out_width();
        let mut shares = vec![E::zero(); width];
        let planes = self.grad_output.chunks(shape.out_plane()).zip(self.grad_x.chunks_mut(shape.in_plane()));
        for (grad_output, grad_x) in planes {
            self.write.prepare(grad_x);
            for (row, (grad_output, &count)) in grad_output.chunks(width).zip(&self.divisors.rows).enumerate() {
                for ((share, &g), &columns) in shares.iter_mut().zip(grad_output).zip(&self.divisors.columns) {
                    *share = g / (count * columns);
                }
                for k in 0..shape.kernel {
                    let Some(under) = shape.row_under(row, k) else { continue };
                    let grad_x = &mut grad_x[under * shape.in_width..][..shape.in_width];
                    for TapColumns { out, first } in self.columns {
                        if !out.is_empty() {
                            spread(&mut grad_x[*first..], shape.stride, &shares[out.clone()]);
                        }
                    }
                }
            }
        }
    }
}

/// `x[stride j] += y[j]`.
#[inline(always)]
fn spread<E: Element>(x: &mut [E], stride: usize, y: &[E]) {
    if stride == 1 {
        for (x, &y) in x.iter_mut().zip(y) {
            *x = *x + y;
        }
    } else {
        for (x, &y) in x.iter_mut().step_by(stride).zip(y) {
            *x = *x + y;
        }
    }
}
