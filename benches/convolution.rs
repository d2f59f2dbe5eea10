//! Throughput of the convolution and linear kernels, beside that of a large square
//! matrix product on the same threads: two, unless `RAYON_NUM_THREADS` says otherwise.
//!
//! `cargo bench -p pvlu --bench convolution [-- PART]` runs the cases whose name contains `PART`; those in a reduced
//! precision end in its name.
//! Each line is the median of interleaved repetitions, in GFLOP/s (two for each
//! multiply-add), and its share of the square product's rate in the same rounds.

use std::time::{Duration, Instant};

use pvlu::Precision;
use pvlu::kernel::cpu::gemm::{Factor, MatrixLayout, Sizes, product};
use pvlu::kernel::cpu::{conv2d, linear, reduced};
use pvlu::kernel::shape::ConvShape;
use pvlu::kernel::write::Write;
use rayon::prelude::*;

const SIDE: usize = 2048;

struct Case {
    name: String,
    operations: f64,
    work: Box<dyn FnMut()>,
    times: Vec<Duration>,
}

impl Case {
    fn new(name: String, multiply_adds: usize, work: impl FnMut() + 'static) -> Self {
        let operations = 2.0 * multiply_adds as f64;
        Self { name, operations, work: Box::new(work), times: Vec::new() }
    }

    fn median(&self) -> f64 {
        let mut times = self.times.clone();
        times.sort();
        times[times.len() / 2].as_secs_f64()
    }
}

fn data(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 7919 % 1024) as f32 / 512.0 - 1.0).collect()
}

/// The square product, one band of rows a thread.
fn square() -> Case {
    let (a, b, mut c) = (data(SIDE * SIDE), data(SIDE * SIDE), data(SIDE * SIDE));
    let rows = SIDE / rayon::current_num_threads();
    Case::new(format!("square product {SIDE}"), SIDE.pow(3), move || {
        c.par_chunks_mut(rows * SIDE).enumerate().for_each(|(band, c)| {
            product(
                Sizes { rows: c.len() / SIDE, cols: SIDE, depth: SIDE },
                Write::Replace,
                Factor::new(&a, MatrixLayout::rows(band * rows * SIDE, SIDE)),
                Factor::new(&b, MatrixLayout::rows(0, SIDE)),
                c,
                MatrixLayout::rows(0, SIDE),
            );
        });
    })
}

fn convolution(name: &str, shape: ConvShape) -> Vec<Case> {
    let (x, weight) = (data(shape.input_len()), data(shape.weight_len()));
    let (bias, grad_output) = (data(shape.out_channels), data(shape.output_len()));
    let mut cases = Vec::new();
    let macs = shape.multiply_adds();
    for part in ["forward", "input", "weight", "forward+backward"] {
        let (x, weight, bias) = (x.clone(), weight.clone(), bias.clone());
        let grad_output = grad_output.clone();
        let mut y = vec![0.0; shape.output_len()];
        let mut grad_x = vec![0.0; x.len()];
        let mut grad_weight = vec![0.0; weight.len()];
        let all = part == "forward+backward";
        let count = if all { 3 } else { 1 };
        cases.push(Case::new(format!("{name} {part}"), count * macs, move || {
            if all || part == "forward" {
                conv2d::forward(&shape, &x, &weight, Some(&bias), &mut y);
            }
            if all || part == "input" {
                conv2d::backward_input(&shape, &weight, &grad_output, &mut grad_x, Write::Replace);
            }
            if all || part == "weight" {
                conv2d::backward_weight(&shape, &x, &grad_output, &mut grad_weight);
            }
        }));
    }
    cases
}

/// The same in a reduced precision.
fn in_precision(precision: Precision, name: &str, shape: ConvShape) -> Vec<Case> {
    let (x, weight) = (data(shape.input_len()), data(shape.weight_len()));
    let (bias, grad_output) = (data(shape.out_channels), data(shape.output_len()));
    let (x2, weight2, grad_output2) = (x.clone(), weight.clone(), grad_output.clone());
    let mut y = vec![0.0; shape.output_len()];
    let mut grad_x = vec![0.0; x.len()];
    let mut grad_weight = vec![0.0; weight.len()];
    let case = |part: &str, work: Box<dyn FnMut()>| {
        Case::new(format!("{name} {part} {precision}"), shape.multiply_adds(), work)
    };
    vec![
        case("forward", Box::new(move || reduced::forward(precision, &shape, &x, &weight, Some(&bias), &mut y))),
        case(
            "input",
            Box::new(move || {
                reduced::backward_input(precision, &shape, &weight2, &grad_output, &mut grad_x, Write::Replace);
            }),
        ),
        case(
            "weight",
            Box::new(move || reduced::backward_weight(precision, &shape, &x2, &grad_output2, &mut grad_weight)),
        ),
    ]
}

fn linear_layer(n: usize, i: usize, o: usize) -> Vec<Case> {
    let (x, weight, grad_output) = (data(n * i), data(o * i), data(n * o));
    let (mut y, mut grad_x, mut grad_weight) = (data(n * o), data(n * i), data(o * i));
    let name = format!("linear {n} x {i} -> {o}");
    let (x2, weight2, grad_output2) = (x.clone(), weight.clone(), grad_output.clone());
    vec![
        Case::new(format!("{name} forward"), n * i * o, move || {
            linear::forward([n, i, o], &x, &weight, None, &mut y);
        }),
        Case::new(format!("{name} input"), n * i * o, move || {
            linear::backward_input([n, i, o], &weight2, &grad_output, &mut grad_x, Write::Replace);
        }),
        Case::new(format!("{name} weight"), n * i * o, move || {
            linear::backward_weight([n, i, o], &x2, &grad_output2, &mut grad_weight);
        }),
    ]
}

fn main() {
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        rayon::ThreadPoolBuilder::new()
            .num_threads(2)
            .use_current_thread()
            .build_global()
            .expect("the pool is built once");
    }
    let part = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let conv = |c: usize, side: usize, o: usize, kernel: usize, stride: usize, padding: usize| {
        let shape = ConvShape {
            batch: 32,
            in_channels: c,
            in_height: side,
            in_width: side,
            out_channels: o,
            kernel,
            stride,
            padding,
        };
        let name = format!("{c:3}@{side}x{side} -> {o} k{kernel} s{stride}");
        let mut cases = convolution(&name, shape);
        cases.extend(in_precision(Precision::Bf16, &name, shape));
        cases.extend(in_precision(Precision::Bf16x3, &name, shape));
        cases
    };
    let mut cases: Vec<Case> = [
        conv(64, 32, 64, 3, 1, 1),
        conv(128, 16, 128, 3, 1, 1),
        conv(256, 8, 256, 3, 1, 1),
        conv(512, 4, 512, 3, 1, 1),
        conv(16, 32, 16, 3, 1, 1),
        conv(32, 16, 32, 3, 1, 1),
        conv(64, 8, 64, 3, 1, 1),
        conv(3, 32, 64, 3, 1, 1),
        conv(3, 64, 64, 7, 2, 3),
        conv(64, 32, 128, 3, 2, 1),
        conv(256, 8, 512, 3, 2, 1),
        conv(64, 32, 128, 1, 2, 0),
        conv(256, 16, 64, 1, 1, 0),
        linear_layer(128, 2048, 512),
        in_precision(Precision::Bf16, "linear 128 x 2048 -> 512", ConvShape::of_linear([128, 2048, 512])),
    ]
    .into_iter()
    .flatten()
    .filter(|case| part.as_ref().is_none_or(|part| case.name.contains(part)))
    .collect();
    cases.insert(0, square());

    // Round after round over all cases, so that a slow spell of the machine hits all.
    for round in 0..16 {
        for case in &mut cases {
            let start = Instant::now();
            (case.work)();
            if round > 0 {
                case.times.push(start.elapsed());
            }
        }
    }
    println!("{} threads, f32 where no other precision is named", rayon::current_num_threads());
    let rate = |case: &Case| case.operations / case.median() / 1e9;
    let peak = rate(&cases[0]);
    for case in &cases {
        let (time, rate) = (case.median() * 1e3, rate(case));
        println!("{:50} {time:9.3} ms {rate:8.1} GFLOP/s {:5.1} %", case.name, 100.0 * rate / peak);
    }
}
