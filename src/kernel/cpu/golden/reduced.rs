//! The products with factors of a reduced precision, of `f32` alone.

use super::activations::Run;
use crate::kernel::Precision::{self, Bf16, Bf16x3};
use crate::kernel::cpu::blocked::conv2d::{BlockedConv, Epilogue};
use crate::kernel::cpu::blocked::{BlockedMap, reduced as blocked};
use crate::kernel::cpu::reduced;
use crate::kernel::cpu::testing::{bits, random};
use crate::kernel::shape::ConvShape;
use crate::kernel::write::Write;

/// Both precisions, of all products and of the convolution of a compiled network.
pub fn kernels() -> Vec<(&'static str, Run)> {
    vec![("bf16", || products(Bf16)), ("bf16x3", || products(Bf16x3))]
}

fn products(precision: Precision) -> Vec<u64> {
    let mut all = Vec::new();
    for ([batch, in_channels, in_height, in_width, out_channels], [kernel, stride, padding]) in [
        ([3, 70, 7, 5, 37], [1, 1, 0]),
        ([2, 40, 9, 11, 50], [3, 1, 1]),
        ([2, 20, 17, 15, 30], [3, 2, 1]),
        ([2, 3, 30, 28, 20], [7, 2, 3]),
        ([19, 130, 1, 1, 20], [1, 1, 0]),
    ] {
        let shape = ConvShape { batch, in_channels, in_height, in_width, out_channels, kernel, stride, padding };
        let (x, weight): (Vec<f32>, Vec<f32>) = (random(1, shape.input_len()), random(2, shape.weight_len()));
        let (bias, grad_output) = (random(3, out_channels), random(4, shape.output_len()));
        let (mut y, mut grad_x, mut grad_weight) = (grad_output.clone(), x.clone(), weight.clone());
        reduced::forward(precision, &shape, &x, &weight, Some(&bias), &mut y);
        reduced::backward_input(precision, &shape, &weight, &grad_output, &mut grad_x, Write::Add);
        reduced::backward_weight(precision, &shape, &x, &grad_output, &mut grad_weight);
        all.extend([bits(&y), bits(&grad_x), bits(&grad_weight)].concat());
    }
    let input = BlockedMap { batch: 2, channels: 40, height: 9, width: 7, halo: 1 };
    let output = BlockedMap { channels: 20, ..input };
    let conv = BlockedConv { input, output, kernel: [3; 2], stride: [1; 2], padding: [1; 2], tile: None };
    let weight = blocked::pack_weight(precision, &conv, &random::<f32>(2, 20 * 40 * 9));
    let (x, bias, mut y) = (random::<f32>(1, input.len()), random::<f32>(3, 32), vec![0.0; output.len()]);
    blocked::run(precision, &conv, &x, &weight, Epilogue { bias: &bias, residual: None, finish: None }, &mut y);
    all.extend(bits(&y));
    all
}
