//! Bytes a second of the kernels that are bound by memory, next to a plain copy on the same threads.
//!
//! Counted is what a kernel must read and write once: an accumulated output counts twice, the second reading of an
//! input that does not stay in the cache is the kernel's own loss.

use divan::Bencher;
use divan::counter::BytesCount;
use pvlu::kernel::cpu::batch_norm::{Gradients, Scaling, backward, backward_running, batch_statistics, normalize};
use pvlu::kernel::cpu::optimizer::{Adam, Sgd};
use pvlu::kernel::cpu::{cross_entropy, dropout, elementwise, optimizer, pool2d};
use pvlu::kernel::layout::ChannelsLayout;
use pvlu::kernel::shape::{MaxPadding, PoolShape};
use pvlu::kernel::write::{InputGradient, Write};
use rayon::prelude::*;

fn main() {
    divan::main();
}

/// Elements of the large tensors.
const N: usize = 10_000_000;

fn data(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * 0.618).fract() - 0.5).collect()
}

fn bytes(floats: usize) -> BytesCount {
    BytesCount::new(4 * floats)
}

/// The yardstick: a copy of as many elements.
#[divan::bench(args = [2_097_152, N])]
fn copy(bencher: Bencher, n: usize) {
    let (x, mut y) = (data(n), vec![0.0_f32; n]);
    bencher.counter(bytes(2 * n)).bench_local(|| {
        y.par_chunks_mut(32 * 1024).zip(x.par_chunks(32 * 1024)).for_each(|(y, x)| y.copy_from_slice(x));
    });
}

/// 32x64x32x32 by planes; the others by rows.
const LAYOUTS: [ChannelsLayout; 3] = [
    ChannelsLayout { outer: 32, channels: 64, inner: 1024 },
    ChannelsLayout { outer: 128, channels: 334, inner: 49 },
    ChannelsLayout { outer: 16384, channels: 128, inner: 1 },
];

#[divan::bench(args = LAYOUTS)]
fn batch_norm_statistics(bencher: Bencher, layout: ChannelsLayout) {
    let x = data(layout.len());
    bencher.counter(bytes(x.len())).bench_local(|| batch_statistics(layout, &x));
}

/// Statistics and normalization: two readings, one writing.
#[divan::bench(args = LAYOUTS)]
fn batch_norm_forward(bencher: Bencher, layout: ChannelsLayout) {
    let x = data(layout.len());
    let (gamma, beta) = (data(layout.channels), data(layout.channels));
    let mut y = vec![0.0; x.len()];
    bencher.counter(bytes(3 * x.len())).bench_local(|| {
        let statistics = batch_statistics(layout, &x);
        let inv_std = statistics.inv_std(1e-5);
        let scaling = Scaling { mean: &statistics.mean, inv_std: &inv_std, gamma: &gamma };
        normalize(layout, &x, scaling, &beta, &mut y);
    });
}

/// Two readings of input and gradient of the output, one writing of the gradient.
#[divan::bench(args = LAYOUTS)]
fn batch_norm_backward(bencher: Bencher, layout: ChannelsLayout) {
    let (x, grad_output) = (data(layout.len()), data(layout.len()));
    let gamma = data(layout.channels);
    let statistics = batch_statistics(layout, &x);
    let inv_std = statistics.inv_std(1e-5);
    let scaling = Scaling { mean: &statistics.mean, inv_std: &inv_std, gamma: &gamma };
    let mut grad_x = vec![0.0; x.len()];
    let (mut grad_gamma, mut grad_beta) = (vec![0.0; layout.channels], vec![0.0; layout.channels]);
    bencher.counter(bytes(5 * x.len())).bench_local(|| {
        let gradients = Gradients {
            x: InputGradient::Overwrite(&mut grad_x[..]),
            gamma: Some(&mut grad_gamma),
            beta: Some(&mut grad_beta),
        };
        backward(layout, &x, scaling, &grad_output, gradients);
    });
}

/// The input's gradient alone: one reading of the gradient of the output and one writing.
#[divan::bench(args = LAYOUTS)]
fn batch_norm_backward_running(bencher: Bencher, layout: ChannelsLayout) {
    let (x, grad_output) = (data(layout.len()), data(layout.len()));
    let gamma = data(layout.channels);
    let statistics = batch_statistics(layout, &x);
    let inv_std = statistics.inv_std(1e-5);
    let scaling = Scaling { mean: &statistics.mean, inv_std: &inv_std, gamma: &gamma };
    let mut grad_x = vec![0.0; x.len()];
    bencher.counter(bytes(2 * x.len())).bench_local(|| {
        let gradients = Gradients { x: InputGradient::Overwrite(&mut grad_x[..]), gamma: None, beta: None };
        backward_running(layout, &x, scaling, &grad_output, gradients);
    });
}

/// 32x64x32x32, kernel, stride and padding.
fn pool(kernel: usize, stride: usize, padding: usize) -> PoolShape {
    PoolShape { batch: 32, channels: 64, in_height: 32, in_width: 32, kernel, stride, padding }
}

const WINDOWS: [(usize, usize, usize); 3] = [(2, 2, 0), (3, 2, 1), (3, 1, 1)];

#[divan::bench(args = WINDOWS)]
fn max_pool_forward(bencher: Bencher, (kernel, stride, padding): (usize, usize, usize)) {
    let shape = pool(kernel, stride, padding);
    let x = data(shape.input_len());
    let mut y = vec![0.0; shape.output_len()];
    bencher
        .counter(BytesCount::new(4 * x.len() + 5 * y.len()))
        .bench_local(|| pool2d::max_pool(shape, MaxPadding::NegativeInfinity, &x, &mut y, true));
}

#[divan::bench(args = WINDOWS)]
fn max_pool_forward_without_marks(bencher: Bencher, (kernel, stride, padding): (usize, usize, usize)) {
    let shape = pool(kernel, stride, padding);
    let x = data(shape.input_len());
    let mut y = vec![0.0; shape.output_len()];
    bencher.counter(bytes(x.len() + y.len())).bench_local(|| {
        pool2d::max_pool(shape, MaxPadding::NegativeInfinity, &x, &mut y, false);
    });
}

#[divan::bench(args = WINDOWS)]
fn max_pool_backward(bencher: Bencher, (kernel, stride, padding): (usize, usize, usize)) {
    let shape = pool(kernel, stride, padding);
    let x = data(shape.input_len());
    let mut y = vec![0.0; shape.output_len()];
    let argmax =
        pool2d::max_pool(shape, MaxPadding::NegativeInfinity, &x, &mut y, true).expect("positions were asked for");
    let mut grad_x = vec![0.0; x.len()];
    bencher.counter(BytesCount::new(4 * x.len() + 5 * y.len())).bench_local(|| {
        pool2d::max_pool_backward(shape, &argmax, &y, &mut grad_x, Write::Replace);
    });
}

#[divan::bench(args = WINDOWS)]
fn average_pool_forward(bencher: Bencher, (kernel, stride, padding): (usize, usize, usize)) {
    let shape = pool(kernel, stride, padding);
    let x = data(shape.input_len());
    let mut y = vec![0.0; shape.output_len()];
    bencher.counter(bytes(x.len() + y.len())).bench_local(|| pool2d::average_pool(shape, true, &x, &mut y));
}

#[divan::bench(args = WINDOWS)]
fn average_pool_backward(bencher: Bencher, (kernel, stride, padding): (usize, usize, usize)) {
    let shape = pool(kernel, stride, padding);
    let mut grad_x = data(shape.input_len());
    let y = data(shape.output_len());
    bencher.counter(bytes(grad_x.len() + y.len())).bench_local(|| {
        pool2d::average_pool_backward(shape, true, &y, &mut grad_x, Write::Replace);
    });
}

#[divan::bench]
fn dropout_forward(bencher: Bencher) {
    let (x, mut y) = (data(N), vec![0.0; N]);
    bencher.counter(bytes(2 * N)).bench_local(|| dropout::apply(7, 0.5, &x, &mut y, Write::Replace));
}

#[divan::bench]
fn dropout_backward(bencher: Bencher) {
    let (x, mut y) = (data(N), vec![0.0; N]);
    bencher.counter(bytes(3 * N)).bench_local(|| dropout::apply(7, 0.5, &x, &mut y, Write::Add));
}

#[divan::bench]
fn adam(bencher: Bencher) {
    let config =
        Adam { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 1e-2, decoupled: true };
    let (mut param, grad, mut m, mut v) = (data(N), data(N), vec![0.0; N], vec![0.0; N]);
    let mut step = 0;
    bencher.counter(bytes(7 * N)).bench_local(|| {
        step += 1;
        optimizer::adam(&mut param, &grad, &mut m, &mut v, step, config);
    });
}

#[divan::bench]
fn sgd(bencher: Bencher) {
    let config = Sgd { learning_rate: 1e-3, momentum: 0.9, nesterov: true, weight_decay: 1e-4 };
    let (mut param, grad, mut velocity) = (data(N), data(N), vec![0.0; N]);
    bencher.counter(bytes(5 * N)).bench_local(|| optimizer::sgd(&mut param, &grad, &mut velocity, config));
}

#[divan::bench]
fn add_assign(bencher: Bencher) {
    let (x, mut y) = (data(N), data(N));
    bencher.counter(bytes(3 * N)).bench_local(|| elementwise::add_assign(&mut y, &x));
}

#[divan::bench(args = [(256, 1000), (1024, 10)])]
fn cross_entropy_and_gradient(bencher: Bencher, (n, classes): (usize, usize)) {
    let logits = data(n * classes);
    let labels: Vec<usize> = (0..n).map(|i| i % classes).collect();
    let mut grad = vec![0.0; n * classes];
    bencher
        .counter(bytes(2 * n * classes))
        .bench_local(|| cross_entropy::cross_entropy(&logits, classes, &labels, &mut grad));
}
