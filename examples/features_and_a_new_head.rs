//! Features of a frozen trunk, and a new head on them: `cargo run --release --example features_and_a_new_head`.
//!
//! The features are computed once, and the head, a linear layer, is trained on them by dfdx's own optimizer: a step
//! costs next to nothing. The trunk here has random weights; `ResNet20::<Pvlu>::load(file)?.trunk` is one of a file.

use std::error::Error;
use std::sync::Arc;

use dfdx::optim::{Adam, AdamConfig};
use dfdx::prelude::*;
use pvlu::activation::Pvlu;
use pvlu::layer::builder::{GlobalAvgPool2D, Linear};
use pvlu::loss::cross_entropy;
use pvlu_zoo::data::{Dataset, Loader, LoaderConfig, Normalization};
use pvlu_zoo::resnet::cifar::ResNet20;

/// A row for each image, a column for each feature.
type Features = Tensor<(usize, Const<64>), f32, Cpu>;

/// Features and labels of some built-in images.
fn features(dev: &Cpu, count: usize) -> Result<(Features, Vec<usize>), Box<dyn Error>> {
    let trunk = dev.build_module::<ResNet20<Pvlu>, f32>().trunk;
    let pool = dev.build_module::<GlobalAvgPool2D, f32>();
    let images = Arc::new(Dataset::procedural(10, count, 10, 0)?.train);
    let loader = Loader::new(images, LoaderConfig::evaluation(count, Normalization::CIFAR10))?;
    let batch = loader.epoch(0).next().ok_or("no images")?;
    let images = dev.tensor_from_vec(batch.images, (count, Const::<3>, Const::<32>, Const::<32>));
    // Without a tape: nothing is recorded, and batch norms use their running statistics.
    Ok((pool.try_forward(trunk.try_forward(images)?)?, batch.labels))
}

/// Losses of the head, step by step.
fn train(count: usize, steps: usize) -> Result<Vec<f32>, Box<dyn Error>> {
    let dev = Cpu::seed_from_u64(0);
    let (features, labels) = features(&dev, count)?;
    let mut head = dev.build_module::<Linear<64, 10>, f32>();
    let mut adam = Adam::new(&head, AdamConfig { lr: 1e-3, ..AdamConfig::default() });
    let mut losses = Vec::new();
    for _ in 0..steps {
        let loss = cross_entropy(head.try_forward_mut(features.leaky_trace())?, &labels);
        losses.push(loss.array());
        adam.update(&mut head, &loss.backward())?;
    }
    Ok(losses)
}

fn main() -> Result<(), Box<dyn Error>> {
    let losses = train(500, 100)?;
    println!("loss at first {:.3}, in the end {:.3}", losses[0], losses[99]);
    Ok(())
}

#[test]
fn the_loss_of_the_new_head_falls() {
    let losses = train(40, 30).unwrap();
    assert!(losses[29] < losses[0], "{losses:?}");
}
