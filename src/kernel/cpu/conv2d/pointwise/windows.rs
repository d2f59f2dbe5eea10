//! Windows as the pixels of a product.
//!
//! An output pixel sees `C K^2` values, one for each channel and tap. Padded and split by columns modulo the stride, an
//! image has the values of a tap in rows of neighbors, so that a tap is a channel like any other, and bands of its
//! pixels are packed.

use std::ops::Range;

use super::pixels::PixelMap;
use crate::kernel::cpu::copy::take_every;
use crate::kernel::element::Element;
use crate::kernel::shape::ConvShape;

/// Images whose windows are the pixels of a product.
#[derive(Clone, Copy, Debug)]
pub struct Windows<'a, E> {
    pub x: &'a [E],
    pub shape: ConvShape,
}

impl<E: Element> Windows<'_, E> {
    /// Columns modulo the stride that a window meets.
    fn phases(&self) -> usize {
        self.shape.kernel.min(self.shape.stride)
    }

    /// Padded rows that windows meet.
    fn rows(&self) -> usize {
        (self.shape.out_height() - 1) * self.shape.stride + self.shape.kernel
    }

    /// Elements of a row of a phase.
    fn line(&self) -> usize {
        self.shape.out_width() + (self.shape.kernel - 1) / self.shape.stride
    }

    /// Elements of a channel, all phases.
    fn channel(&self) -> usize {
        self.phases() * self.rows() * self.line()
    }

    /// Elements of an image that is split.
    pub fn image(&self) -> usize {
        self.shape.in_channels * self.channel()
    }

    /// Index at which each tap of each channel begins in a split image, `[channel, row, column]`.
    pub fn taps(&self) -> Vec<usize> {
        let (k, s) = (self.shape.kernel, self.shape.stride);
        let (line, phase) = (self.line(), self.rows() * self.line());
        let tap = |c: usize, u: usize, v: usize| c * self.channel() + v % s * phase + u * line + v / s;
        (0..self.shape.in_channels).flat_map(|c| (0..k * k).map(move |t| tap(c, t / k, t % k))).collect()
    }

    /// The pixels of a tap.
    pub fn map(&self) -> PixelMap {
        let (pixels, cols) = (self.shape.out_pixels(), self.shape.out_width());
        PixelMap { row: self.shape.stride * self.line(), step: 1, pixels, cols }
    }

    /// Splits some images, `[image, channel, phase, row, column]`.
    #[inline(always)]
    pub fn split(&self, images: Range<usize>, to: &mut [E]) {
        let ConvShape { in_height: height, in_width: width, padding, stride, .. } = self.shape;
        let (rows, line) = (self.rows(), self.line());
        let plane = height * width;
        let planes = self.x[images.start * self.shape.in_channels * plane..].chunks_exact(plane);
        for (to, x) in to.chunks_exact_mut(self.channel()).zip(planes) {
            for (phase, to) in to.chunks_exact_mut(rows * line).enumerate() {
                // Columns of the phase that are not padding, and the first's in the image.
                let start = padding.saturating_sub(phase).div_ceil(stride).min(line);
                let end = (width + padding).saturating_sub(phase).div_ceil(stride).clamp(start, line);
                let first = (start * stride + phase).saturating_sub(padding);
                for (row, to) in to.chunks_exact_mut(line).enumerate() {
                    let Some(row) = row.checked_sub(padding).filter(|&row| row < height) else {
                        to.fill(E::zero());
                        continue;
                    };
                    let x = &x[row * width..][..width];
                    to[..start].fill(E::zero());
                    to[end..].fill(E::zero());
                    take_every(stride, &x[first.min(width)..], &mut to[start..end]);
                }
            }
        }
    }
}
