//! PVLU on a batch of 64x64x32x32 `f32`: the fused kernels and layers against a plain copy and against the same formula
//! composed of dfdx's operations; and what reading tensors by copy costs.
//!
//! `cargo bench -p pvlu --bench layers`. Rounds are interleaved, so that a disturbance hits all lines alike; each line
//! is the median, in bytes that must be read and written once, as a share of the copy's bandwidth. Two threads unless
//! `RAYON_NUM_THREADS` says otherwise.

use std::hint::black_box;
use std::time::{Duration, Instant};

use dfdx::prelude::*;
use pvlu::activation::{FusedElement, Pvlu};
use pvlu::kernel::layout::ChannelsLayout;
use pvlu::kernel::view;
use pvlu::kernel::write::InputGradient;
use pvlu::layer::builder;
use pvlu::tape::{LeafGradients, Place, Track, TrackExt, id, try_backward};
use rayon::prelude::*;

type Images = Rank4<64, 64, 32, 32>;
type Act = <builder::Act<Pvlu, 64> as BuildOnDevice<Cpu, f32>>::Built;

const ELEMENTS: usize = 64 * 64 * 32 * 32;
const LAYOUT: ChannelsLayout = ChannelsLayout { outer: 64, channels: 64, inner: 32 * 32 };
const ROUNDS: usize = 31;

/// One line of the report.
struct Case {
    name: &'static str,
    /// Tensors that must be read or written once.
    tensors: usize,
    /// Run in every n-th round: the slow ones less often.
    every: usize,
    /// Returns how long it took.
    work: Box<dyn FnMut() -> Duration>,
    times: Vec<Duration>,
}

impl Case {
    fn new(name: &'static str, tensors: usize, every: usize, mut work: impl FnMut() + 'static) -> Self {
        Self::timed(name, tensors, every, move || {
            let start = Instant::now();
            work();
            start.elapsed()
        })
    }

    /// Work that takes the time itself.
    fn timed(name: &'static str, tensors: usize, every: usize, work: impl FnMut() -> Duration + 'static) -> Self {
        Self { name, tensors, every, work: Box::new(work), times: Vec::new() }
    }

    fn run(&mut self) {
        let time = (self.work)();
        self.times.push(time);
    }

    fn median(&self) -> f64 {
        let mut times = self.times.clone();
        times.sort();
        times[times.len() / 2].as_secs_f64()
    }

    fn bandwidth(&self) -> f64 {
        (self.tensors * ELEMENTS * size_of::<f32>()) as f64 / self.median()
    }
}

/// max(0, x) + alpha sin(beta x), of dfdx's operations.
fn composed<T: Tape<f32, Cpu> + Merge<T>>(layer: &Act, x: &Tensor<Images, f32, Cpu>) -> Tensor<Images, f32, Cpu, T> {
    let alpha = layer.alpha().retaped::<T>().broadcast::<Images, Axes3<0, 2, 3>>();
    let beta = layer.beta().retaped::<T>().broadcast::<Images, Axes3<0, 2, 3>>();
    x.retaped::<T>().relu() + alpha * (beta * x.retaped::<T>()).sin()
}

/// Forward and backward between a layer below, which takes the gradient of x, and one above, which hands in the
/// gradient of the output.
fn both_passes(layer: &Act, x: &Tensor<Images, f32, Cpu>, grad_output: Vec<f32>) -> LeafGradients<f32, Cpu> {
    let (x, mut tape) = x.clone().track().split_tape();
    let below = Place::of(&x);
    tape.record(&[id(layer.alpha())], move |flow| below.take(flow).map(drop));
    let (y, mut tape) = layer.forward(x.put_tape(tape)).split_tape();
    let loss: Tensor<Rank0, f32, Cpu> = Cpu::default().zeros();
    let above = Place::of(&y);
    tape.record(&[], move |flow| above.hand_over(flow, grad_output));
    try_backward(loss.put_tape(tape)).expect("a backward pass")
}

fn cases() -> Vec<Case> {
    let kernels = f32::kernels::<Pvlu>();
    let x: Tensor<Images, f32, Cpu> = Cpu::seed_from_u64(0).sample_normal();
    let layer = Cpu::default().build_module::<builder::Act<Pvlu, 64>, f32>();
    let values = x.as_vec();
    let (alpha, beta) = (vec![0.5_f32; 64], vec![1.0_f32; 64]);

    // Destinations whose pages were touched before.
    let (from, mut to) = (values.clone(), vec![0.5_f32; ELEMENTS]);
    let copy = Case::new("copy, two threads", 2, 1, move || {
        to.par_chunks_mut(32 * 1024)
            .zip(black_box(&from).par_chunks(32 * 1024))
            .for_each(|(y, x)| y.copy_from_slice(x));
    });
    let (from, mut to, params) = (values.clone(), vec![0.5_f32; ELEMENTS], [alpha.clone(), beta.clone()]);
    let forward = Case::new("kernel forward", 2, 1, move || {
        (kernels.forward)(LAYOUT, black_box(&from), &[&params[0], &params[1]], &mut to);
    });
    let (from, mut to, mut sums) = (values.clone(), vec![0.5_f32; ELEMENTS], [vec![0.0_f32; 64], vec![0.0_f32; 64]]);
    let backward = Case::new("kernel backward: x, alpha, beta", 3, 1, move || {
        let [grad_alpha, grad_beta] = &mut sums;
        let sums = &mut [Some(&mut grad_alpha[..]), Some(&mut grad_beta[..])];
        let target = InputGradient::Overwrite(&mut to[..]);
        (kernels.backward)(LAYOUT, black_box(&from[..]).into(), &[&alpha, &beta], black_box(&values), target, sums);
    });

    let (l, y) = (layer.clone(), x.clone());
    let layer_forward = Case::new("layer forward", 2, 1, move || drop(l.forward(black_box(y.clone()))));
    let (l, y) = (layer.clone(), x.clone());
    let composed_forward =
        Case::new("dfdx composed forward", 2, 4, move || drop(composed::<NoneTape>(&l, black_box(&y))));
    let (l, y) = (layer.clone(), x.clone());
    let layer_both = Case::new("layer forward + backward", 5, 1, move || {
        drop(try_backward(l.forward(black_box(y.clone()).track_input()).sum()));
    });
    let (l, y) = (layer.clone(), x.clone());
    let between = Case::timed("layer in a network, both passes", 5, 1, move || {
        // Made before: in a network the layer above has it.
        let grad_output = y.as_vec();
        let start = Instant::now();
        black_box(both_passes(&l, &y, grad_output));
        start.elapsed()
    });
    let (l, y) = (layer, x.clone());
    let composed_both = Case::new("dfdx composed forward + backward", 5, 8, move || {
        drop(composed::<OwnedTape<f32, Cpu>>(&l, black_box(&y)).sum::<Rank0, _>().backward());
    });
    let y = x.clone();
    let loss = Case::new("the loss of the two above alone", 2, 1, move || {
        drop(try_backward(black_box(y.clone()).track_input().sum()));
    });
    let y = x.clone();
    let viewed = Case::new("view of a tensor", 0, 1, move || assert_eq!(view::read(black_box(&y)).len(), ELEMENTS));
    let copied = Case::new("copy of a tensor (safe-views)", 2, 1, move || assert_eq!(x.as_vec().len(), ELEMENTS));
    let layers = [layer_forward, composed_forward, layer_both, composed_both, loss, between];
    [copy, forward, backward].into_iter().chain(layers).chain([viewed, copied]).collect()
}

fn main() {
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        rayon::ThreadPoolBuilder::new()
            .num_threads(2)
            .use_current_thread()
            .build_global()
            .expect("the pool is built once");
    }
    // As the programs do: without it page faults take most of the time of a layer.
    pvlu::kernel::memory::keep_freed_memory();
    let mut cases = cases();
    for round in 0..=ROUNDS {
        for case in &mut cases {
            if round % case.every == 0 {
                case.run();
            }
        }
        if round == 0 {
            // The first round warms up.
            cases.iter_mut().for_each(|case| case.times.clear());
        }
    }
    let copy = cases[0].bandwidth();
    println!("{:<34} {:>12} {:>9} {:>14}", "", "median", "GB/s", "share of copy");
    for case in &cases {
        let (milliseconds, bandwidth) = (1e3 * case.median(), case.bandwidth());
        println!(
            "{:<34} {milliseconds:>9.4} ms {:>9.1} {:>13.0} %",
            case.name,
            bandwidth / 1e9,
            100.0 * bandwidth / copy
        );
    }
    let ratio = |fused: usize, composed: usize| cases[composed].median() / cases[fused].median();
    println!("\nforward: the layer is {:.1} times as fast as dfdx's operations", ratio(3, 4));
    println!("forward + backward: {:.1} times", ratio(5, 6));
}
