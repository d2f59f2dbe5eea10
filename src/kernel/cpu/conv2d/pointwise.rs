//! Convolutions as products over channels, pixel by pixel: of 1x1 with any stride and no padding, and of any window,
//! whose taps are so many channels.
//!
//! A band of pixels is packed once, `[channel, lane]`, and every output channel multiplies it by its weights. Pixels
//! are counted through the images, so that small ones share bands. The gradient of the input is the same product with
//! the axes of the weight swapped; that of the weight sums over pixels, for which input and gradient of the output are
//! turned to channels-last.

mod multiply;
mod pixels;
mod weight;
mod windows;

use self::multiply::{Factor, Input, Problem};
use self::pixels::{Channels, PixelMap, Source};
use self::weight::Planes;
use self::windows::Windows;
use super::forward::Start;
use crate::kernel::element::Element;
use crate::kernel::shape::ConvShape;

/// Returns whether [`forward`] and the gradients here compute the convolution: 1x1 without padding.
pub fn applies(shape: &ConvShape) -> bool {
    shape.kernel == 1 && shape.padding == 0
}

/// The pixels of the input that take part, and those of the output.
fn maps(shape: &ConvShape) -> (PixelMap, PixelMap) {
    let (cols, pixels, stride) = (shape.out_width(), shape.out_pixels(), shape.stride);
    let from = PixelMap { row: shape.in_width * stride, step: stride, pixels, cols };
    (from, PixelMap { row: cols, step: 1, pixels, cols })
}

/// [`conv2d::forward`](super::forward()) of a 1x1 kernel without padding.
pub fn forward<E: Element>(shape: &ConvShape, x: &[E], weight: &[E], bias: Option<&[E]>, y: &mut [E]) {
    let (from, to) = maps(shape);
    let (inputs, outputs, plane) = (shape.in_channels, shape.out_channels, shape.in_pixels());
    let x = Source { data: x, image: inputs * plane, channels: Channels::Planes(plane), map: from };
    let weight = Factor::Rows(weight);
    let (x, plane) = (Input::Planes(x), shape.out_pixels());
    multiply::run(&Problem { batch: shape.batch, inputs, outputs, weight, x, to, plane }, Start::Replace(bias), y);
}

/// [`conv2d::backward_input`](super::backward_input()) of a 1x1 kernel without padding.
pub fn backward_input<E: Element>(
    shape: &ConvShape,
    weight: &[E],
    grad_output: &[E],
    start: Start<'_, E>,
    grad_x: &mut [E],
) {
    let (to, from) = maps(shape);
    let (inputs, outputs, plane) = (shape.out_channels, shape.in_channels, shape.out_pixels());
    let x = Source { data: grad_output, image: inputs * plane, channels: Channels::Planes(plane), map: from };
    let weight = Factor::Columns(weight);
    let (x, plane) = (Input::Planes(x), shape.in_pixels());
    multiply::run(&Problem { batch: shape.batch, inputs, outputs, weight, x, to, plane }, start, grad_x);
}

/// [`conv2d::backward_weight`](super::backward_weight()) of a 1x1 kernel without padding.
pub fn backward_weight<E: Element>(shape: &ConvShape, x: &[E], grad_output: &[E], grad_weight: &mut [E]) {
    let (from, to) = maps(shape);
    let input = Planes { data: x, channels: shape.in_channels, plane: shape.in_pixels(), map: from };
    let grad_output = Planes { data: grad_output, channels: shape.out_channels, plane: shape.out_pixels(), map: to };
    weight::run(shape.batch * to.pixels, input, grad_output, grad_weight);
}

/// Returns whether [`forward_windows`] computes a convolution: its rows have to be long enough to be packed faster than
/// unfolded.
pub fn applies_to_windows(shape: &ConvShape) -> bool {
    const SHORTEST: usize = 6;
    shape.out_width() >= SHORTEST
}

/// A convolution of any window and stride; see [`conv2d::forward`](super::forward()). Its `weight` is
/// `[outputs, inputs, K, K]`.
pub fn forward_windows<E: Element>(shape: &ConvShape, x: &[E], weight: &[E], start: Start<'_, E>, y: &mut [E]) {
    let windows = Windows { x, shape: *shape };
    let taps = windows.taps();
    let (pixels, cols, batch) = (shape.out_pixels(), shape.out_width(), shape.batch);
    let to = PixelMap { row: cols, step: 1, pixels, cols };
    let (inputs, outputs, weight) = (shape.fan_in(), shape.out_channels, Factor::Rows(weight));
    let x = Input::Windows(windows, &taps);
    multiply::run(&Problem { batch, inputs, outputs, weight, x, to, plane: pixels }, start, y);
}
