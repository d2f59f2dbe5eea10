//! Kernels of which a part never meets the image: on a small image and with padding, some rows and columns of the
//! kernel see nothing but zeros. The rest is a smaller kernel with less padding. Of 3x3 with padding 1 on a single
//! pixel the center is left, a ninth of the work.

use crate::kernel::cpu::tasks::each;
use crate::kernel::element::Element;
use crate::kernel::shape::ConvShape;

/// Kernels of a task.
const KERNELS: usize = 1024;

/// The part of a kernel that meets the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// The convolution with that part alone.
    pub shape: ConvShape,
    /// Side of the whole kernel.
    whole: usize,
    /// Its first row and column that meet the image.
    first: usize,
}

impl Crop {
    /// The part that is needed, if it is not all; for square images, which take the same of rows and columns.
    pub fn of(shape: &ConvShape) -> Option<Self> {
        let ConvShape { in_height, in_width, kernel, stride, padding, .. } = *shape;
        if in_height != in_width || shape.output_len() == 0 || shape.input_len() == 0 {
            return None;
        }
        // Output row i meets kernel row u at input row i S - P + u.
        let first = padding.saturating_sub((shape.out_height() - 1) * stride);
        let end = kernel.min(in_height + padding);
        if first >= end || end - first == kernel {
            return None;
        }
        let cropped = ConvShape { kernel: end - first, padding: padding - first, ..*shape };
        let same = cropped.out_height() == shape.out_height() && cropped.out_width() == shape.out_width();
        same.then_some(Self { shape: cropped, whole: kernel, first })
    }

    /// Positions in a whole kernel at which the rows of the part start.
    fn rows(self) -> impl Iterator<Item = usize> {
        (0..self.shape.kernel).map(move |row| (self.first + row) * self.whole + self.first)
    }

    /// Copies the part of every kernel.
    pub fn take<E: Element>(self, weight: &[E], part: &mut [E]) {
        let (kernel, whole) = (self.shape.kernel, self.whole * self.whole);
        let tasks = part.chunks_mut(KERNELS * kernel * kernel).zip(weight.chunks(KERNELS * whole));
        each(tasks, |(part, weight)| {
            for (part, weight) in part.chunks_exact_mut(kernel * kernel).zip(weight.chunks_exact(whole)) {
                for (part, row) in part.chunks_exact_mut(kernel).zip(self.rows()) {
                    part.copy_from_slice(&weight[row..][..kernel]);
                }
            }
        });
    }

    /// Adds a gradient of the part to that of the whole.
    pub fn add<E: Element>(self, part: &[E], grad_weight: &mut [E]) {
        let (kernel, whole) = (self.shape.kernel, self.whole * self.whole);
        let tasks = part.chunks(KERNELS * kernel * kernel).zip(grad_weight.chunks_mut(KERNELS * whole));
        each(tasks, |(part, grad)| {
            for (part, grad) in part.chunks_exact(kernel * kernel).zip(grad.chunks_exact_mut(whole)) {
                for (part, row) in part.chunks_exact(kernel).zip(self.rows()) {
                    for (grad, &part) in grad[row..].iter_mut().zip(part) {
                        *grad = *grad + part;
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crop(side: usize, kernel: usize, stride: usize, padding: usize) -> Option<(usize, usize, usize)> {
        let shape = ConvShape {
            batch: 1,
            in_channels: 1,
            in_height: side,
            in_width: side,
            out_channels: 1,
            kernel,
            stride,
            padding,
        };
        Crop::of(&shape).map(|crop| (crop.shape.kernel, crop.shape.padding, crop.first))
    }

    #[test]
    fn what_sees_padding_alone_is_cut_off() {
        assert_eq!(crop(1, 3, 1, 1), Some((1, 0, 1)));
        assert_eq!(crop(2, 3, 2, 1), Some((2, 0, 1)));
        assert_eq!(crop(2, 7, 1, 3), Some((3, 1, 2)));
        assert_eq!(crop(2, 3, 1, 1), None);
        assert_eq!(crop(4, 3, 2, 1), None);
        assert_eq!(crop(1, 1, 1, 0), None);
        // Nothing but padding is seen: no smaller kernel says that.
        assert_eq!(crop(1, 1, 4, 2), None);
    }
}
