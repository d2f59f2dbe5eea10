//! The bits of every kernel on fixed data, so that a change of them does not pass unnoticed.

use std::path::Path;

use self::activations::Run;
use super::optimizer::{self, Adam, Sgd};
use super::tasks::TASK;
use super::testing::{bits, random, same_everywhere, without_fma};
use super::{
    batch_norm, columns, conv2d, cross_entropy, dropout, elementwise, linear, multiply, pool2d, subsample, upsample,
};
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::shape::{Columns, ConvShape, MaxPadding, PoolShape, Subsample, Upsample};
use crate::kernel::write::{InputGradient, Write};
use crate::kernel::{Element, NUMERICS_VERSION};

mod activations;
mod blocked;
mod reduced;
mod table;

/// FNV-1a of the results.
fn digest(results: &[u64]) -> u64 {
    results
        .iter()
        .flat_map(|bits| bits.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Output, and the gradients of input, weight and bias, those of the input once written and once added.
fn convolution<E: Element>(sizes: [usize; 5], [kernel, stride, padding]: [usize; 3]) -> Vec<u64> {
    let [batch, in_channels, side, width, out_channels] = sizes;
    let shape =
        ConvShape { batch, in_channels, in_height: side, in_width: width, out_channels, kernel, stride, padding };
    let (x, weight) = (random::<E>(1, shape.input_len()), random::<E>(2, shape.weight_len()));
    let (bias, grad_output) = (random::<E>(3, out_channels), random::<E>(4, shape.output_len()));
    let (mut y, mut grad_x) = (vec![E::zero(); grad_output.len()], vec![E::zero(); x.len()]);
    let (mut grad_weight, mut grad_bias) = (weight.clone(), bias.clone());
    conv2d::forward(&shape, &x, &weight, Some(&bias), &mut y);
    conv2d::backward_input(&shape, &weight, &grad_output, &mut grad_x, Write::Replace);
    let mut all = [bits(&y), bits(&grad_x)].concat();
    conv2d::backward_input(&shape, &weight, &grad_output, &mut grad_x, Write::Add);
    conv2d::backward_weight(&shape, &x, &grad_output, &mut grad_weight);
    conv2d::backward_bias(&shape, &grad_output, &mut grad_bias);
    all.extend([bits(&grad_x), bits(&grad_weight), bits(&grad_bias)].concat());
    all
}

fn linear<E: Element>() -> Vec<u64> {
    let mut all = Vec::new();
    for (n, i, o) in [(3, 600, 50), (37, 65, 130)] {
        let (x, weight) = (random::<E>(1, n * i), random::<E>(2, o * i));
        let (bias, grad_output) = (random::<E>(3, o), random::<E>(4, n * o));
        let (mut y, mut grad_x) = (vec![E::zero(); n * o], vec![E::zero(); n * i]);
        let (mut grad_weight, mut grad_bias) = (weight.clone(), bias.clone());
        linear::forward([n, i, o], &x, &weight, Some(&bias), &mut y);
        linear::backward_input([n, i, o], &weight, &grad_output, &mut grad_x, Write::Replace);
        linear::backward_weight([n, i, o], &x, &grad_output, &mut grad_weight);
        linear::backward_bias([n, i, o], &grad_output, &mut grad_bias);
        all.extend([bits(&y), bits(&grad_x), bits(&grad_weight), bits(&grad_bias)].concat());
    }
    all
}

/// The gradient of the input, added to what is there.
fn linear_added<E: Element>() -> Vec<u64> {
    let mut all = Vec::new();
    for (n, i, o) in [(3, 50, 600), (37, 130, 65)] {
        let mut grad_x = random::<E>(1, n * i);
        linear::backward_input([n, i, o], &random::<E>(2, o * i), &random(3, n * o), &mut grad_x, Write::Add);
        all.extend(bits(&grad_x));
    }
    all
}

fn batch_norm<E: Element>() -> Vec<u64> {
    let mut all = Vec::new();
    for (outer, channels, inner) in [(5, 3, 1500), (40, 5, 49), (30, 70, 1)] {
        let layout = ChannelsLayout { outer, channels, inner };
        let (x, grad_output) = (random::<E>(1, layout.len()), random::<E>(2, layout.len()));
        let (gamma, beta) = (random::<E>(3, channels), random::<E>(4, channels));
        let statistics = batch_norm::batch_statistics(layout, &x);
        let inv_std = statistics.inv_std(1e-3);
        let scaling = batch_norm::Scaling { mean: &statistics.mean, inv_std: &inv_std, gamma: &gamma };
        let mut y = vec![E::zero(); x.len()];
        batch_norm::normalize(layout, &x, scaling, &beta, &mut y);
        all.extend([bits(&statistics.mean), bits(&statistics.variance), bits(&y)].concat());
        for backward in [batch_norm::backward::<E>, batch_norm::backward_running::<E>] {
            let (mut grad_x, mut grad_gamma, mut grad_beta) = (vec![E::zero(); x.len()], gamma.clone(), beta.clone());
            let gradients = batch_norm::Gradients {
                x: InputGradient::Overwrite(&mut grad_x[..]),
                gamma: Some(&mut grad_gamma),
                beta: Some(&mut grad_beta),
            };
            backward(layout, &x, scaling, &grad_output, gradients);
            all.extend([bits(&grad_x), bits(&grad_gamma), bits(&grad_beta)].concat());
        }
    }
    all
}

/// The other destinations: an output that replaces the input, and a `grad_x` that replaces `grad_output`, is added, or
/// is left out.
fn batch_norm_elsewhere<E: Element>() -> Vec<u64> {
    let mut all = Vec::new();
    for (outer, channels, inner) in [(5, 3, 1500), (40, 5, 49), (30, 70, 1)] {
        let layout = ChannelsLayout { outer, channels, inner };
        let [x, grad_output, start] = [1, 2, 5].map(|seed| random::<E>(seed, layout.len()));
        let (gamma, beta) = (random::<E>(3, channels), random::<E>(4, channels));
        let (mean, inv_std) = (vec![0.1; channels], vec![1.7; channels]);
        let scaling = batch_norm::Scaling { mean: &mean, inv_std: &inv_std, gamma: &gamma };
        let mut y = x.clone();
        batch_norm::normalize_in_place(layout, scaling, &beta, &mut y);
        all.extend(bits(&y));
        for backward in [batch_norm::backward::<E>, batch_norm::backward_running::<E>] {
            let (mut replaced, mut added) = (grad_output.clone(), start.clone());
            for target in [
                InputGradient::InPlace(&mut replaced[..]),
                InputGradient::Accumulate(&mut added[..]),
                InputGradient::Skip,
            ] {
                let (mut grad_gamma, mut grad_beta) = (gamma.clone(), beta.clone());
                let gradients =
                    batch_norm::Gradients { x: target, gamma: Some(&mut grad_gamma), beta: Some(&mut grad_beta) };
                backward(layout, &x, scaling, &grad_output, gradients);
                all.extend([bits(&grad_gamma), bits(&grad_beta)].concat());
            }
            all.extend([bits(&replaced), bits(&added)].concat());
        }
    }
    all
}

fn pools<E: Element>() -> Vec<u64> {
    let mut all = Vec::new();
    for (kernel, stride, padding) in [(2, 2, 0), (3, 2, 1), (3, 1, 1)] {
        let shape = PoolShape { batch: 2, channels: 3, in_height: 21, in_width: 34, kernel, stride, padding };
        let (x, grad_output) = (random::<E>(1, shape.input_len()), random::<E>(2, shape.output_len()));
        let mut y = vec![E::zero(); grad_output.len()];
        let mut grad_x = vec![E::zero(); x.len()];
        let argmax = pool2d::max_pool(shape, MaxPadding::NegativeInfinity, &x, &mut y, true).unwrap();
        pool2d::max_pool_backward(shape, &argmax, &grad_output, &mut grad_x, Write::Replace);
        all.extend([bits(&y), bits(&grad_x)].concat());
        for count_include_pad in [false, true] {
            pool2d::average_pool(shape, count_include_pad, &x, &mut y);
            pool2d::average_pool_backward(shape, count_include_pad, &grad_output, &mut grad_x, Write::Add);
            all.extend([bits(&y), bits(&grad_x)].concat());
        }
        let (inner, mut means) = (21 * 34, vec![E::zero(); 6]);
        pool2d::global_average_pool(inner, &x, &mut means);
        pool2d::global_average_pool_backward(inner, &means, &mut grad_x, Write::Add);
        all.extend([bits(&means), bits(&grad_x)].concat());
    }
    all
}

fn cross_entropy<E: Element>() -> Vec<u64> {
    let mut all = Vec::new();
    for (n, classes) in [(7, 10), (3, 1000), (2, 3000)] {
        let logits: Vec<E> = random::<E>(1, n * classes).into_iter().map(|x| x * E::of(9.0)).collect();
        let labels: Vec<usize> = (0..n).map(|row| row * 31 % classes).collect();
        let mut grad = vec![E::zero(); logits.len()];
        let loss = cross_entropy::cross_entropy(&logits, classes, &labels, &mut grad);
        let correct = cross_entropy::top_k_correct(&logits, classes, &labels, 5);
        all.extend([vec![loss.to_bits(), correct as u64], bits(&grad)].concat());
    }
    all
}

fn cross_entropy_smoothed<E: Element>() -> Vec<u64> {
    let mut all = Vec::new();
    for (n, classes) in [(7, 10), (2, 3000)] {
        let logits: Vec<E> = random::<E>(1, n * classes).into_iter().map(|x| x * E::of(9.0)).collect();
        let labels: Vec<usize> = (0..n).map(|row| row * 31 % classes).collect();
        let mut grad = vec![E::zero(); logits.len()];
        let loss = cross_entropy::cross_entropy_smoothed(&logits, classes, &labels, 0.1, &mut grad);
        all.extend([vec![loss.to_bits()], bits(&grad)].concat());
    }
    all
}

fn optimizers<E: Element>(len: usize) -> Vec<u64> {
    let sgd = Sgd { learning_rate: 0.1, momentum: 0.0, nesterov: false, weight_decay: 0.01 };
    let steps = [sgd, Sgd { momentum: 0.9, ..sgd }, Sgd { momentum: 0.9, nesterov: true, ..sgd }];
    let adam =
        Adam { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1, decoupled: false };
    let (start, mut all) = (random::<E>(1, len), Vec::new());
    for config in steps {
        let (mut param, mut velocity) = (start.clone(), vec![E::zero(); start.len()]);
        for seed in 2..6 {
            optimizer::sgd(&mut param, &random(seed, start.len()), &mut velocity, config);
        }
        all.extend(bits(&param));
    }
    for config in [adam, Adam { decoupled: true, ..adam }] {
        let (mut param, mut m, mut v) = (start.clone(), vec![E::zero(); start.len()], vec![E::zero(); start.len()]);
        for step in 1..20 {
            optimizer::adam(&mut param, &random(step, start.len()), &mut m, &mut v, step, config);
        }
        all.extend(bits(&param));
    }
    all
}

fn elementwise<E: Element>() -> Vec<u64> {
    let (a, b) = (random::<E>(1, 1000), random::<E>(2, 1000));
    let mut y = vec![E::zero(); a.len()];
    elementwise::add(&a, &b, &mut y);
    elementwise::add_assign(&mut y, &b);
    dropout::apply(5, 0.3, &a, &mut y, Write::Add);
    let mut all = bits(&y);
    dropout::apply(77, 0.25, &a, &mut y, Write::Replace);
    all.extend(bits(&y));
    let shape = Subsample { batch: 2, in_channels: 2, out_channels: 4, height: 25, width: 10, stride: 2 };
    let mut y = vec![E::zero(); shape.output_len()];
    subsample::forward(shape, &a, &mut y);
    let mut grad = b;
    subsample::backward(shape, &y, &mut grad, Write::Add);
    all.extend([bits(&y), bits(&grad)].concat());
    all
}

/// Gates of planes and of single elements, over several tasks, with sums longer than a block.
fn products<E: Element>() -> Vec<u64> {
    let mut all = Vec::new();
    for (gates, pixels) in [(50, 1200), (3, 7), (TASK + 5, 1)] {
        let [x, g] = [1, 2].map(|seed| random::<E>(seed, gates * pixels));
        let gate = random::<E>(3, gates);
        let (mut y, mut grad_gate) = (g.clone(), gate.clone());
        for write in [Write::Replace, Write::Add] {
            multiply::multiply(pixels, &x, &gate, &mut y, write);
            multiply::multiply_backward_gate(pixels, &x, &g, &mut grad_gate, write);
            all.extend([bits(&y), bits(&grad_gate)].concat());
        }
    }
    all
}

/// Two tensors joined by channels and taken apart, and an image enlarged.
fn joined_and_enlarged<E: Element>() -> Vec<u64> {
    let mut all = Vec::new();
    let mut joined = random::<E>(1, 300 * 250);
    for (first, count) in [(0, 100), (100, 150)] {
        let columns = Columns { rows: 300, width: 250, first, count };
        columns::write_columns(columns, &random::<E>(2, 300 * count), &mut joined);
        let mut part = random::<E>(3, 300 * count);
        columns::read_columns(columns, &joined, &mut part, Write::Add);
        all.extend(bits(&part));
    }
    for factor in [2, 3] {
        let shape = Upsample { planes: 40, height: 9, width: 31, factor };
        let mut y = vec![E::zero(); shape.output_len()];
        upsample::forward(shape, &random::<E>(4, shape.input_len()), &mut y);
        let mut grad_x = random::<E>(5, shape.input_len());
        upsample::backward(shape, &random::<E>(6, shape.output_len()), &mut grad_x, Write::Add);
        all.extend([bits(&y), bits(&grad_x)].concat());
    }
    all.extend(bits(&joined));
    all
}

/// Every kernel; the convolutions are one for each method. A name, once it has digests, keeps its data.
fn kernels<E: Element>() -> Vec<(&'static str, Run)> {
    let others: [(&'static str, Run); 25] = [
        ("1x1", || convolution::<E>([3, 300, 7, 5, 37], [1, 1, 0])),
        ("1x1, stride 2", || convolution::<E>([2, 40, 9, 11, 50], [1, 2, 0])),
        ("1x1, many pixels", || convolution::<E>([9, 37, 23, 23, 53], [1, 1, 0])),
        ("3x3, F(4x4)", || convolution::<E>([9, 48, 12, 12, 40], [3, 1, 1])),
        ("3x3, F(2x2)", || convolution::<E>([2, 128, 6, 6, 128], [3, 1, 1])),
        ("3x3, direct", || convolution::<E>([9, 12, 9, 32, 16], [3, 1, 1])),
        ("3x3, windows", || convolution::<E>([3, 9, 17, 15, 30], [3, 1, 1])),
        ("3x3, stride 2", || convolution::<E>([3, 60, 17, 15, 30], [3, 2, 1])),
        ("3x3, unfolded", || convolution::<E>([9, 31, 4, 4, 20], [3, 1, 1])),
        ("3x3, stride 2, unfolded", || convolution::<E>([5, 70, 8, 8, 140], [3, 2, 1])),
        ("3x3, cropped", || convolution::<E>([33, 40, 1, 1, 20], [3, 1, 1])),
        ("3x3, whole image", || convolution::<E>([9, 67, 3, 3, 66], [3, 1, 0])),
        ("7x7, stride 2", || convolution::<E>([2, 3, 40, 40, 20], [7, 2, 3])),
        ("linear", linear::<E>),
        ("linear, added", linear_added::<E>),
        ("batch norm", batch_norm::<E>),
        ("batch norm, elsewhere", batch_norm_elsewhere::<E>),
        ("pools", pools::<E>),
        ("cross-entropy", cross_entropy::<E>),
        ("cross-entropy, smoothed", cross_entropy_smoothed::<E>),
        ("optimizers", || optimizers::<E>(1000)),
        ("optimizers, two tasks", || optimizers::<E>(TASK + 1000)),
        ("elementwise", elementwise::<E>),
        ("products", products::<E>),
        ("joined and enlarged", joined_and_enlarged::<E>),
    ];
    activations::kernels::<E>().into_iter().chain(others).collect()
}

#[test]
fn every_kernel_gives_the_bits_of_its_version() {
    let mut found = Vec::new();
    let of_networks =
        [("f32", blocked::kernels::<f32>()), ("f64", blocked::kernels::<f64>()), ("f32", reduced::kernels())];
    for (kind, kernels) in [("f32", kernels::<f32>()), ("f64", kernels::<f64>())].into_iter().chain(of_networks) {
        for (name, run) in kernels {
            let results = same_everywhere(name, run);
            assert!(without_fma(run) == results, "other bits without FMA: {name}, {kind}");
            found.push((format!("{name}, {kind}"), format!("{:016x}", digest(&results))));
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kernel/cpu/golden.txt");
    table::check(&file, NUMERICS_VERSION, &found);
}
