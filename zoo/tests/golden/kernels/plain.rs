//! Convolutions and linear layers by their formulas, for some elements of each output.

use pvlu::kernel::shape::ConvShape;
use pvlu::layer::LayerKind;

use super::{Case, Output, PLAIN, run};

/// Elements compared of each output.
const SAMPLES: usize = 32;

/// Messages about the elements of these outputs in `f64` that differ from the formulas.
pub fn check(case: &Case, outputs: &[Output<f64>]) -> Vec<String> {
    let (shape, bias) = match case.kind {
        LayerKind::Conv2D { bias, .. } => (run::convolution_shape(case), bias),
        // A convolution of one pixel.
        LayerKind::Linear => (
            ConvShape {
                batch: case.batch(),
                in_channels: case.input.elements(),
                in_height: 1,
                in_width: 1,
                out_channels: case.output.elements(),
                kernel: 1,
                stride: 1,
                padding: 0,
            },
            true,
        ),
        _ => return Vec::new(),
    };
    let plain = Plain {
        shape,
        x: run::input(case),
        weight: run::weight(shape.fan_in(), shape.out_channels),
        bias: bias.then(|| run::bias(case)),
        grad_output: run::grad_output(case),
    };
    let formulas: [fn(&Plain, usize) -> f64; 4] =
        [Plain::forward, Plain::gradient_of_input, Plain::gradient_of_weight, Plain::gradient_of_bias];
    let mut failures = Vec::new();
    for (output, formula) in outputs.iter().zip(formulas) {
        let values = &output.values;
        let root_mean_square = (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt();
        for sample in 0..SAMPLES {
            // The first and the last, and others anywhere between.
            let index = (values.len() - 1) * sample / (SAMPLES - 1);
            let (found, expected) = (values[index], formula(&plain, index));
            let error = (found - expected).abs();
            if error > PLAIN * root_mean_square || error.is_nan() {
                failures.push(format!("{}, element {index}: {found:e}, expected {expected:e}", output.what));
            }
        }
    }
    failures
}

/// Shape and tensors of a convolution.
struct Plain {
    shape: ConvShape,
    x: Vec<f64>,
    weight: Vec<f64>,
    bias: Option<Vec<f64>>,
    grad_output: Vec<f64>,
}

/// The coordinates of an element of a tensor with these dimensions.
fn coordinates([_, b, c, d]: [usize; 4], index: usize) -> [usize; 4] {
    [index / d / c / b, index / d / c % b, index / d % c, index % d]
}

/// The element at these coordinates.
fn at(values: &[f64], [_, b, c, d]: [usize; 4], [i, j, k, l]: [usize; 4]) -> f64 {
    values[((i * b + j) * c + k) * d + l]
}

impl Plain {
    fn x_dims(&self) -> [usize; 4] {
        [self.shape.batch, self.shape.in_channels, self.shape.in_height, self.shape.in_width]
    }

    fn y_dims(&self) -> [usize; 4] {
        [self.shape.batch, self.shape.out_channels, self.shape.out_height(), self.shape.out_width()]
    }

    fn weight_dims(&self) -> [usize; 4] {
        [self.shape.out_channels, self.shape.in_channels, self.shape.kernel, self.shape.kernel]
    }

    /// The input's row or column under row or column `k` of the window at `i`, if it is not padding.
    fn under(&self, i: usize, k: usize, len: usize) -> Option<usize> {
        (i * self.shape.stride + k).checked_sub(self.shape.padding).filter(|&at| at < len)
    }

    /// `y[n, o, i, j] = bias[o] + sum over c, k, l of weight[o, c, k, l] x[n, c, S i + k - P, S j + l - P]`.
    fn forward(&self, index: usize) -> f64 {
        let [n, o, i, j] = coordinates(self.y_dims(), index);
        let [_, channels, height, width] = self.x_dims();
        let mut sum = self.bias.as_ref().map_or(0.0, |bias| bias[o]);
        for (k, row) in (0..self.shape.kernel).filter_map(|k| Some((k, self.under(i, k, height)?))) {
            for (l, column) in (0..self.shape.kernel).filter_map(|l| Some((l, self.under(j, l, width)?))) {
                for c in 0..channels {
                    let weight = at(&self.weight, self.weight_dims(), [o, c, k, l]);
                    sum += weight * at(&self.x, self.x_dims(), [n, c, row, column]);
                }
            }
        }
        sum
    }

    /// The sum over the outputs whose windows cover an input pixel.
    fn gradient_of_input(&self, index: usize) -> f64 {
        let [n, c, row, column] = coordinates(self.x_dims(), index);
        let [_, outputs, out_height, out_width] = self.y_dims();
        let [_, _, height, width] = self.x_dims();
        let mut sum = 0.0;
        for (k, l) in (0..self.shape.kernel).flat_map(|k| (0..self.shape.kernel).map(move |l| (k, l))) {
            // At most one window has its row k on this row.
            let i = (row + self.shape.padding).checked_sub(k).map(|up| up / self.shape.stride);
            let j = (column + self.shape.padding).checked_sub(l).map(|left| left / self.shape.stride);
            let (Some(i), Some(j)) = (i.filter(|&i| i < out_height), j.filter(|&j| j < out_width)) else { continue };
            if self.under(i, k, height) != Some(row) || self.under(j, l, width) != Some(column) {
                continue;
            }
            for o in 0..outputs {
                let weight = at(&self.weight, self.weight_dims(), [o, c, k, l]);
                sum += weight * at(&self.grad_output, self.y_dims(), [n, o, i, j]);
            }
        }
        sum
    }

    fn gradient_of_weight(&self, index: usize) -> f64 {
        let [o, c, k, l] = coordinates(self.weight_dims(), index);
        let [batch, _, height, width] = self.x_dims();
        let [_, _, out_height, out_width] = self.y_dims();
        let mut sum = 0.0;
        for (i, row) in (0..out_height).filter_map(|i| Some((i, self.under(i, k, height)?))) {
            for (j, column) in (0..out_width).filter_map(|j| Some((j, self.under(j, l, width)?))) {
                for n in 0..batch {
                    let grad_output = at(&self.grad_output, self.y_dims(), [n, o, i, j]);
                    sum += grad_output * at(&self.x, self.x_dims(), [n, c, row, column]);
                }
            }
        }
        sum
    }

    fn gradient_of_bias(&self, index: usize) -> f64 {
        let [batch, _, height, width] = self.y_dims();
        let pixels = (0..height).flat_map(|i| (0..width).map(move |j| (i, j)));
        let one = |n| pixels.clone().map(move |(i, j)| at(&self.grad_output, self.y_dims(), [n, index, i, j]));
        (0..batch).flat_map(one).sum()
    }
}
