//! Two-dimensional convolution on the CPU: forward and its three gradients.
//!
//! With `x` of shape `[N, C, H, W]`, `w` of shape `[O, C, K, K]`, stride `S`, padding
//! `P` and zeros outside `x`:
//!
//! ```text
//! y[n, o, i, j] = b[o] + sum_{c, u, v} w[o, c, u, v] x[n, c, i S - P + u, j S - P + v]
//! ```
//!
//! that is, a cross-correlation, as in every deep-learning library. The gradients are
//! its adjoints:
//!
//! ```text
//! dx[n, c, i S - P + u, j S - P + v] += w[o, c, u, v] dy[n, o, i, j]
//! dw[o, c, u, v] += dy[n, o, i, j] x[n, c, i S - P + u, j S - P + v]
//! db[o]          += dy[n, o, i, j]
//! ```
//!
//! # Method
//!
//! The part of a kernel that never meets the image is left out (`crop.rs`). A 1x1 kernel is a
//! product over channels (`pointwise/`), and so is one as large as the image.
//! A 3x3 kernel with stride one is computed by
//! minimal filtering where that is less work (`winograd/`), or, with few channels,
//! straight from padded planes (`direct/`). The forward pass of any other kernel is a
//! product over channels too, each tap being one, unless the output rows are short
//! (`pointwise/`). These run on the register products of `registers.rs`.
//! Everything else runs on matrix products over tiles of output pixels. The input of
//! a tile is unfolded along the width only (see `unfold.rs`): one matrix row for each
//! pair of channel and kernel column `(c, v)`, one column for each pixel. A step down
//! the kernel is then a shift of the columns, so one unfolded tile serves all `K`
//! kernel rows. That is `K` times less copying than a full im2col.
//!
//! Pixels are ordered `(row, image, column)`. The shift stays uniform when a tile
//! holds several small images, and no halo is computed in vain.
//!
//! # Guarantees
//!
//! Method and order of each sum follow from the sizes alone, however the work is split into
//! tasks and at any register width: the results are the same bit for bit for any number of
//! threads and at every instruction set. NaN and infinities
//! propagate; under minimal filtering either makes NaN of the whole tile that sees it,
//! up to four pixels further. Padding takes part in the products as zeros, so an infinite or NaN
//! weight gives NaN where it meets padding.

mod backward_input;
mod backward_weight;
pub mod crop;
mod direct;
mod forward;
mod pointwise;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
mod unfold;
pub(in crate::kernel::cpu) mod winograd;

use self::crop::Crop;
use self::forward::{Start, Weight};
use crate::kernel::cpu::simd::Level;
use crate::kernel::cpu::tasks::each;
use crate::kernel::cpu::workspace::{Buffer, with_kept};
use crate::kernel::element::Element;
use crate::kernel::shape::ConvShape;
use crate::kernel::write::Write;

pub use backward_weight::backward_weight;

/// `y = conv(x, weight) + bias`. Overwrites `y`.
///
/// Shapes: `x` `[N, C, H, W]`, `weight` `[O, C, K, K]`, `bias` `[O]`,
/// `y` `[N, O, H', W']`.
///
/// # Panics
///
/// If a length does not fit the shape.
pub fn forward<E: Element>(shape: &ConvShape, x: &[E], weight: &[E], bias: Option<&[E]>, y: &mut [E]) {
    assert_eq!(x.len(), shape.input_len(), "length of x");
    assert_eq!(weight.len(), shape.weight_len(), "length of weight");
    assert_eq!(y.len(), shape.output_len(), "length of y");
    if y.is_empty() {
        return;
    }
    if let Some(bias) = bias {
        assert_eq!(bias.len(), shape.out_channels, "length of bias");
    }
    if x.is_empty() {
        // No channels or no pixels but padding: the sums are empty.
        for (channel, plane) in y.chunks_exact_mut(shape.out_pixels()).enumerate() {
            plane.fill(bias.map_or(E::zero(), |bias| bias[channel % shape.out_channels]));
        }
        return;
    }
    if let Some(crop) = Crop::of(shape) {
        return with_part(crop, weight, |part| forward(&crop.shape, x, part, bias, y));
    }
    if let Some(shape) = whole_image(shape) {
        return pointwise::forward(&shape, x, weight, bias, y);
    }
    if pointwise::applies(shape) {
        return pointwise::forward(shape, x, weight, bias, y);
    }
    if direct::pays_forward::<E>(shape) {
        return direct::forward(Level::current(), shape, x, weight, bias, y);
    }
    if let Some(tile) = winograd::choose(shape) {
        return winograd::forward(tile, shape, x, weight, bias, y);
    }
    let start = Start::Replace(bias);
    if pointwise::applies_to_windows(shape) {
        return pointwise::forward_windows(shape, x, weight, start, y);
    }
    if shape.kernel == 1 {
        return forward::run(shape, x, Weight::Packed(weight), start, y);
    }
    with_kept(|packed: &mut Buffer<E>| {
        let packed = packed.take(weight.len());
        forward::pack_weight(shape, weight, packed);
        forward::run(shape, x, Weight::Packed(packed), start, y);
    });
}

/// `grad_x = conv^T(grad_output)` or `grad_x += conv^T(grad_output)`: the gradient of the input.
///
/// Shapes: `weight` `[O, C, K, K]`, `grad_output` `[N, O, H', W']`,
/// `grad_x` `[N, C, H, W]`.
///
/// With stride one this is itself a convolution, of the gradient of the output with the weight
/// turned by 180 degrees and its channel axes swapped, with padding `K - 1 - P`.
///
/// # Panics
///
/// If a length does not fit the shape.
pub fn backward_input<E: Element>(shape: &ConvShape, weight: &[E], grad_output: &[E], grad_x: &mut [E], write: Write) {
    assert_eq!(weight.len(), shape.weight_len(), "length of weight");
    assert_eq!(grad_output.len(), shape.output_len(), "length of gradient of the output");
    assert_eq!(grad_x.len(), shape.input_len(), "length of grad_x");
    if grad_output.is_empty() {
        return write.prepare(grad_x);
    }
    if grad_x.is_empty() {
        return;
    }
    if let Some(crop) = Crop::of(shape) {
        return with_part(crop, weight, |part| backward_input(&crop.shape, part, grad_output, grad_x, write));
    }
    let start = match write {
        Write::Replace => Start::Replace(None),
        Write::Add => Start::Add,
    };
    if let Some(shape) = whole_image(shape) {
        return pointwise::backward_input(&shape, weight, grad_output, start, grad_x);
    }
    if pointwise::applies(shape) {
        return pointwise::backward_input(shape, weight, grad_output, start, grad_x);
    }
    if direct::pays_backward_input::<E>(shape) {
        return direct::backward_input(Level::current(), shape, weight, grad_output, start, grad_x);
    }
    if let Some(tile) = winograd::choose(shape) {
        return winograd::backward_input(tile, shape, weight, grad_output, start, grad_x);
    }
    if shape.stride == 1 && shape.padding < shape.kernel {
        let adjoint = ConvShape {
            in_channels: shape.out_channels,
            in_height: shape.out_height(),
            in_width: shape.out_width(),
            out_channels: shape.in_channels,
            padding: shape.kernel - 1 - shape.padding,
            ..*shape
        };
        if shape.kernel == 1 {
            return forward::run(&adjoint, grad_output, Weight::Swapped(weight), start, grad_x);
        }
        with_kept(|packed: &mut Buffer<E>| {
            let packed = packed.take(weight.len());
            forward::pack_adjoint(shape, weight, packed);
            forward::run(&adjoint, grad_output, Weight::Packed(packed), start, grad_x);
        });
    } else {
        backward_input::run(shape, weight, grad_output, grad_x, write);
    }
}

/// A kernel as large as the image, as one of 1x1 over channels and pixels: images and kernels lie in memory in the same
/// order.
fn whole_image(shape: &ConvShape) -> Option<ConvShape> {
    let ConvShape { in_channels, in_height, in_width, kernel, padding, .. } = *shape;
    let whole = kernel > 1 && padding == 0 && [in_height, in_width] == [kernel; 2];
    let in_channels = in_channels * kernel * kernel;
    whole.then_some(ConvShape { in_channels, in_height: 1, in_width: 1, kernel: 1, stride: 1, ..*shape })
}

/// The part of a kernel in a buffer of its own.
#[derive(Debug, Default)]
struct Part<E>(Buffer<E>);

/// Runs `work` with the needed part of a weight.
fn with_part<E: Element>(crop: Crop, weight: &[E], work: impl FnOnce(&[E])) {
    with_kept(|part: &mut Part<E>| {
        let part = part.0.take(crop.shape.weight_len());
        crop.take(weight, part);
        work(part);
    });
}

/// `grad_bias += sum over images and pixels of grad_output`, summed in `f64` in a fixed
/// order and rounded once before it is added.
///
/// Shapes: `grad_output` `[N, O, H', W']`, `grad_bias` `[O]`.
///
/// # Panics
///
/// If a length does not fit the shape.
pub fn backward_bias<E: Element>(shape: &ConvShape, grad_output: &[E], grad_bias: &mut [E]) {
    /// Channels of a task.
    const CHANNELS: usize = 4;
    assert_eq!(grad_output.len(), shape.output_len(), "length of gradient of the output");
    assert_eq!(grad_bias.len(), shape.out_channels, "length of grad_bias");
    if grad_output.is_empty() {
        return;
    }
    let plane = shape.out_pixels();
    let image = shape.out_channels * plane;
    each(grad_bias.chunks_mut(CHANNELS).enumerate(), |(task, grads)| {
        for (channel, grad) in grads.iter_mut().enumerate() {
            let first = (task * CHANNELS + channel) * plane;
            let planes = grad_output.chunks_exact(image).map(|image| &image[first..][..plane]);
            *grad = *grad + E::of(planes.map(wide_sum).sum());
        }
    });
}

/// Sum of `values` in `f64`, over eight interleaved partial sums: one chain of
/// additions would wait for each of them.
fn wide_sum<E: Element>(values: &[E]) -> f64 {
    let mut lanes = [0.0; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value.wide();
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += value.wide();
    }
    lanes.iter().sum()
}
