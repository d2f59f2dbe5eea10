//! Convolutions of 1x1, with any stride and no padding: products over channels, pixel by pixel.
//!
//! A band of pixels is packed once, `[channel, lane]`, and every output channel multiplies it by its weights, which are read
//! where they lie. Pixels are counted through the images, so that small ones share bands. The gradient of the input is the
//! same product with the axes of the weight swapped; that of the weight sums over pixels, for which input and cotangent are
//! turned to channels-last.

mod multiply;
mod pixels;
mod weight;

use self::multiply::{Factor, Problem};
use self::pixels::{PixelMap, Source};
use super::ConvShape;
use super::forward::Start;
use crate::kernel::cpu::simd::Level;
use crate::kernel::element::Element;

/// Whether the convolution is computed here. Without vector instructions the general product is faster.
pub fn applies(shape: &ConvShape) -> bool {
    shape.kernel == 1 && shape.padding == 0 && Level::current() != Level::Portable
}

/// The pixels of the input that take part, and those of the output.
fn maps(shape: &ConvShape) -> (PixelMap, PixelMap) {
    let (cols, pixels) = (shape.out_width(), shape.out_pixels());
    let from = PixelMap { plane: shape.in_pixels(), width: shape.in_width, step: shape.stride, pixels, cols };
    (from, PixelMap { plane: pixels, width: cols, step: 1, pixels, cols })
}

/// See [`conv2d::forward`](super::forward()).
pub fn forward<E: Element>(shape: &ConvShape, x: &[E], weight: &[E], bias: Option<&[E]>, y: &mut [E]) {
    let (from, to) = maps(shape);
    let (inputs, outputs) = (shape.in_channels, shape.out_channels);
    let weight = Factor::Rows(weight);
    multiply::run(&Problem { batch: shape.batch, inputs, outputs, weight, x, from, to }, Start::Replace(bias), y);
}

/// See [`conv2d::backward_input`](super::backward_input()).
pub fn backward_input<E: Element>(
    shape: &ConvShape,
    weight: &[E],
    cotangent: &[E],
    start: Start<'_, E>,
    grad_x: &mut [E],
) {
    let (to, from) = maps(shape);
    let (inputs, outputs) = (shape.out_channels, shape.in_channels);
    let weight = Factor::Columns(weight);
    multiply::run(&Problem { batch: shape.batch, inputs, outputs, weight, x: cotangent, from, to }, start, grad_x);
}

/// See [`conv2d::backward_weight`](super::backward_weight()).
pub fn backward_weight<E: Element>(shape: &ConvShape, x: &[E], cotangent: &[E], grad_weight: &mut [E]) {
    let (from, to) = maps(shape);
    let input = Source { data: x, channels: shape.in_channels, map: from };
    let cotangent = Source { data: cotangent, channels: shape.out_channels, map: to };
    weight::run(shape.batch * to.pixels, input, cotangent, grad_weight);
}
