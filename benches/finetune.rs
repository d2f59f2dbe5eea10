//! A fine-tuning step of VGG-16 at 32x32, batch 32, with PVLU: everything but alpha and beta frozen, against the same
//! step with the weights trained as well.
//!
//! `cargo bench -p pvlu_zoo --bench finetune`. The two take turns, so that a disturbance hits both alike; each line is
//! a median, and the last one the median of the ratios turn by turn. Two threads unless `RAYON_NUM_THREADS` says
//! otherwise.

use std::time::Instant;

use pvlu::layer::Mode;
use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{Options, Start, find};
use pvlu_zoo::train::{Optimizer, OptimizerConfig};
use pvlu_zoo::transfer::{self, FreezePolicy};

const BATCH: usize = 32;
const SIDE: usize = 32;
const ROUNDS: usize = 15;

/// The network under one policy, with its optimizer.
struct Case {
    name: &'static str,
    model: Box<dyn Model>,
    optimizer: Optimizer,
    milliseconds: Vec<f64>,
}

impl Case {
    fn new(name: &'static str, policy: FreezePolicy) -> Self {
        let options = Options { activation: "pvlu", classes: 10, image: Some((SIDE, SIDE)), weights: Start::Seed(0) };
        let mut model = find("vgg16").expect("a model of the zoo").build(&options).expect("an instance");
        policy.apply(model.net_mut());
        model.set_mode(Mode::Train);
        Self { name, model, optimizer: Optimizer::new(OptimizerConfig::sgd(0.9, false, 0.0)), milliseconds: Vec::new() }
    }

    fn step(&mut self, images: &[f32], labels: &[usize]) {
        let images = images.to_vec();
        let start = Instant::now();
        let mut step = self.model.step(images, labels).expect("a step");
        self.optimizer.update(self.model.as_mut(), &mut step.gradients, 1e-4).expect("an update");
        self.milliseconds.push(1e3 * start.elapsed().as_secs_f64());
    }

    fn trained(&self) -> usize {
        let groups = transfer::groups(self.model.net()).expect("the tensors");
        groups.iter().filter(|group| group.trained).map(|group| group.elements).sum()
    }
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        rayon::ThreadPoolBuilder::new()
            .num_threads(2)
            .use_current_thread()
            .build_global()
            .expect("the pool is built once");
    }
    // As the programs do: without it page faults take a good part of a step.
    pvlu::kernel::memory::keep_freed_memory();
    let images: Vec<f32> = (0..BATCH * 3 * SIDE * SIDE).map(|i| (i % 23) as f32 / 11.0 - 1.0).collect();
    let labels: Vec<usize> = (0..BATCH).map(|i| i % 10).collect();
    let weights_too = FreezePolicy { weights: true, ..FreezePolicy::ACTIVATIONS };
    let mut cases = [
        Case::new("alpha and beta trained", FreezePolicy::ACTIVATIONS),
        Case::new("convolutions trained too", weights_too),
    ];
    for round in 0..=ROUNDS {
        cases.iter_mut().for_each(|case| case.step(&images, &labels));
        if round == 0 {
            // The first round warms up.
            cases.iter_mut().for_each(|case| case.milliseconds.clear());
        }
    }
    println!("vgg16 with pvlu, {SIDE}x{SIDE}, batch {BATCH}, one step with update, {ROUNDS} rounds");
    for case in &cases {
        let median = median(case.milliseconds.iter().copied());
        println!("{:<26} {median:>8.1} ms {:>12} elements trained", case.name, case.trained());
    }
    let [frozen, trained] = &cases;
    let ratios = frozen.milliseconds.iter().zip(&trained.milliseconds).map(|(frozen, trained)| frozen / trained);
    println!("ratio {:.3}", median(ratios));
}
