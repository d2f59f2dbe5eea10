//! The convolution and its gradients straight from the formulas, in `f64`.

use crate::kernel::shape::ConvShape;

/// Calls `visit(y index, weight index, x index)` for each term of the sum.
fn terms(shape: &ConvShape, mut visit: impl FnMut(usize, usize, usize)) {
    let ConvShape { batch, in_channels, out_channels, kernel, stride, padding, .. } = *shape;
    let (height, width) = (shape.in_height, shape.in_width);
    let mut y = 0;
    for n in 0..batch {
        for o in 0..out_channels {
            for i in 0..shape.out_height() {
                for j in 0..shape.out_width() {
                    for c in 0..in_channels {
                        for u in 0..kernel {
                            for v in 0..kernel {
                                let (row, col) = (i * stride + u, j * stride + v);
                                let on = |at: usize, len| at >= padding && at - padding < len;
                                if on(row, height) && on(col, width) {
                                    let weight = ((o * in_channels + c) * kernel + u) * kernel + v;
                                    let x = ((n * in_channels + c) * height + row - padding) * width;
                                    visit(y, weight, x + col - padding);
                                }
                            }
                        }
                    }
                    y += 1;
                }
            }
        }
    }
}

pub fn forward(shape: &ConvShape, x: &[f64], weight: &[f64], bias: &[f64], y: &mut [f64]) {
    let plane = shape.out_pixels();
    for (index, y) in y.iter_mut().enumerate() {
        *y = bias[index / plane % shape.out_channels];
    }
    terms(shape, |at, w, i| y[at] += weight[w] * x[i]);
}

pub fn backward_input(shape: &ConvShape, weight: &[f64], grad_output: &[f64], grad: &mut [f64]) {
    terms(shape, |at, w, i| grad[i] += weight[w] * grad_output[at]);
}

pub fn backward_weight(shape: &ConvShape, x: &[f64], grad_output: &[f64], grad: &mut [f64]) {
    terms(shape, |at, w, i| grad[w] += x[i] * grad_output[at]);
}

pub fn backward_bias(shape: &ConvShape, grad_output: &[f64], grad: &mut [f64]) {
    let plane = shape.out_pixels();
    for (index, value) in grad_output.iter().enumerate() {
        grad[index / plane % shape.out_channels] += value;
    }
}
