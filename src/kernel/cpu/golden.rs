//! The bits of every kernel on fixed data, so that a change of them does not pass unnoticed.

use super::conv2d::{self, ConvShape};
use super::optimizer::{self, Adam, Sgd};
use super::pool2d::{self, MaxPadding, PoolShape};
use super::testing::{bits, random, same_everywhere};
use super::{InputGradient, Layout, Write, activation, add, batch_norm, cross_entropy, dropout, linear, subsample};
use crate::activation::{Activation, Elu, LeakyRelu, PRelu, ParamArray, Pvlu, Relu, SineRelu, Swish, Vlu};
use crate::kernel::{Element, NUMERICS_VERSION};

/// The version, then for each kernel the digests of its results in `f32` and in `f64`.
const DIGESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kernel/cpu/golden.txt");

/// FNV-1a of the results.
fn digest(results: &[u64]) -> u64 {
    results
        .iter()
        .flat_map(|bits| bits.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Forward, and the gradients of the input and of the parameters, of planes and of rows.
fn activation<A: Activation, E: Element>() -> Vec<u64> {
    let mut all = Vec::new();
    for (outer, channels, inner) in [(3, 2, 1100), (5, 7, 3)] {
        let layout = Layout { outer, channels, inner };
        // Some angles beyond what the fast reduction of the sine takes.
        let mut x: Vec<E> = random::<E>(1, layout.len()).into_iter().map(|x| x * E::of(6.0)).collect();
        x.iter_mut().step_by(97).for_each(|x| *x = *x * E::of(5000.0));
        let spread = random::<E>(2, channels);
        let starts = A::PARAMS.as_slice().to_vec();
        let params: Vec<Vec<E>> = starts
            .iter()
            .map(|param| spread.iter().map(|&s| E::of(param.start * (1.0 + s.wide() / 4.0))).collect())
            .collect();
        let params: Vec<&[E]> = params.iter().map(Vec::as_slice).collect();
        let mut y = vec![E::zero(); x.len()];
        activation::forward::<A, E>(layout, &x, &params, &mut y);
        let (mut grad_x, mut grads) = (vec![E::zero(); x.len()], vec![vec![E::zero(); channels]; params.len()]);
        let mut wanted: Vec<_> = grads.iter_mut().map(|grad| Some(&mut grad[..])).collect();
        let target = InputGradient::Overwrite(&mut grad_x[..]);
        activation::backward::<A, E>(layout, &x, &params, &random(3, x.len()), target, &mut wanted);
        all.extend([bits(&y), bits(&grad_x), bits(&grads.concat())].concat());
    }
    all
}

/// Output, and the gradients of input, weight and bias, those of the input once written and once added.
fn convolution<E: Element>(sizes: [usize; 5], [kernel, stride, padding]: [usize; 3]) -> Vec<u64> {
    let [batch, in_channels, side, width, out_channels] = sizes;
    let shape =
        ConvShape { batch, in_channels, in_height: side, in_width: width, out_channels, kernel, stride, padding };
    let (x, weight) = (random::<E>(1, shape.input_len()), random::<E>(2, shape.weight_len()));
    let (bias, cotangent) = (random::<E>(3, out_channels), random::<E>(4, shape.output_len()));
    let (mut y, mut grad_x) = (vec![E::zero(); cotangent.len()], vec![E::zero(); x.len()]);
    let (mut grad_weight, mut grad_bias) = (weight.clone(), bias.clone());
    conv2d::forward(&shape, &x, &weight, Some(&bias), &mut y);
    conv2d::backward_input(&shape, &weight, &cotangent, &mut grad_x, Write::Replace);
    let mut all = [bits(&y), bits(&grad_x)].concat();
    conv2d::backward_input(&shape, &weight, &cotangent, &mut grad_x, Write::Add);
    conv2d::backward_weight(&shape, &x, &cotangent, &mut grad_weight);
    conv2d::backward_bias(&shape, &cotangent, &mut grad_bias);
    all.extend([bits(&grad_x), bits(&grad_weight), bits(&grad_bias)].concat());
    all
}

fn linear<E: Element>() -> Vec<u64> {
    let mut all = Vec::new();
    for (n, i, o) in [(3, 600, 50), (37, 65, 130)] {
        let (x, weight) = (random::<E>(1, n * i), random::<E>(2, o * i));
        let (bias, cotangent) = (random::<E>(3, o), random::<E>(4, n * o));
        let (mut y, mut grad_x) = (vec![E::zero(); n * o], vec![E::zero(); n * i]);
        let (mut grad_weight, mut grad_bias) = (weight.clone(), bias.clone());
        linear::forward(n, i, o, &x, &weight, Some(&bias), &mut y);
        linear::backward_input(n, i, o, &weight, &cotangent, &mut grad_x, Write::Replace);
        linear::backward_weight(n, i, o, &x, &cotangent, &mut grad_weight);
        linear::backward_bias(n, o, &cotangent, &mut grad_bias);
        all.extend([bits(&y), bits(&grad_x), bits(&grad_weight), bits(&grad_bias)].concat());
    }
    all
}

fn batch_norm<E: Element>() -> Vec<u64> {
    let mut all = Vec::new();
    for (outer, channels, inner) in [(5, 3, 1500), (40, 5, 49), (30, 70, 1)] {
        let layout = Layout { outer, channels, inner };
        let (x, cotangent) = (random::<E>(1, layout.len()), random::<E>(2, layout.len()));
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
            backward(layout, &x, scaling, &cotangent, gradients);
            all.extend([bits(&grad_x), bits(&grad_gamma), bits(&grad_beta)].concat());
        }
    }
    all
}

fn pools<E: Element>() -> Vec<u64> {
    let mut all = Vec::new();
    for (kernel, stride, padding) in [(2, 2, 0), (3, 2, 1), (3, 1, 1)] {
        let shape = PoolShape { batch: 2, channels: 3, in_height: 21, in_width: 34, kernel, stride, padding };
        let (x, cotangent) = (random::<E>(1, shape.input_len()), random::<E>(2, shape.output_len()));
        let (mut y, mut argmax) = (vec![E::zero(); cotangent.len()], vec![0; cotangent.len()]);
        let mut grad_x = vec![E::zero(); x.len()];
        pool2d::max_pool(shape, MaxPadding::NegativeInfinity, &x, &mut y, Some(&mut argmax));
        pool2d::max_pool_backward(shape, &argmax, &cotangent, &mut grad_x, Write::Replace);
        all.extend([bits(&y), bits(&grad_x)].concat());
        for count_include_pad in [false, true] {
            pool2d::average_pool(shape, count_include_pad, &x, &mut y);
            pool2d::average_pool_backward(shape, count_include_pad, &cotangent, &mut grad_x, Write::Add);
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

fn optimizers<E: Element>() -> Vec<u64> {
    let sgd = Sgd { learning_rate: 0.1, momentum: 0.0, nesterov: false, weight_decay: 0.01 };
    let steps = [sgd, Sgd { momentum: 0.9, ..sgd }, Sgd { momentum: 0.9, nesterov: true, ..sgd }];
    let adam =
        Adam { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1, decoupled: false };
    let (start, mut all) = (random::<E>(1, 1000), Vec::new());
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
    add::add(&a, &b, &mut y);
    add::add_assign(&mut y, &b);
    dropout::apply_accumulate(5, 0.3, &a, &mut y);
    let mut all = bits(&y);
    dropout::apply(77, 0.25, &a, &mut y);
    all.extend(bits(&y));
    let shape = subsample::Subsample { batch: 2, in_channels: 2, out_channels: 4, height: 25, width: 10, stride: 2 };
    let mut y = vec![E::zero(); shape.output_len()];
    subsample::forward(shape, &a, &mut y);
    let mut grad = b;
    subsample::backward(shape, &y, &mut grad, Write::Add);
    all.extend([bits(&y), bits(&grad)].concat());
    all
}

type Run = fn() -> Vec<u64>;

/// Every kernel; the convolutions are one for each method.
fn kernels<E: Element>() -> Vec<(&'static str, Run)> {
    vec![
        ("relu", activation::<Relu, E>),
        ("leaky relu", activation::<LeakyRelu, E>),
        ("elu", activation::<Elu, E>),
        ("prelu", activation::<PRelu, E>),
        ("sine relu", activation::<SineRelu, E>),
        ("swish", activation::<Swish, E>),
        ("vlu", activation::<Vlu, E>),
        ("pvlu", activation::<Pvlu, E>),
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
        ("7x7, stride 2", || convolution::<E>([2, 3, 40, 40, 20], [7, 2, 3])),
        ("linear", linear::<E>),
        ("batch norm", batch_norm::<E>),
        ("pools", pools::<E>),
        ("cross-entropy", cross_entropy::<E>),
        ("optimizers", optimizers::<E>),
        ("elementwise", elementwise::<E>),
    ]
}

#[test]
fn every_kernel_gives_the_bits_of_its_version() {
    let mut found = format!("version {NUMERICS_VERSION}\n");
    for ((name, single), (_, double)) in kernels::<f32>().into_iter().zip(kernels::<f64>()) {
        let [single, double] = [single, double].map(|run| digest(&same_everywhere(name, run)));
        found += &format!("{single:016x} {double:016x} {name}\n");
    }
    let committed = std::fs::read_to_string(DIGESTS).unwrap();
    let changed: Vec<_> = found.lines().filter(|line| !committed.lines().any(|old| old == *line)).collect();
    assert!(
        found == committed,
        "The kernels give other bits than those that were committed: {changed:?}. If that is meant, raise NUMERICS_VERSION \
         (src/kernel/numerics.rs) unless it has been since the last release, and write the new digests to {DIGESTS}:\n{found}"
    );
}
