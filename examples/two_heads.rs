//! Two heads on one trunk: `cargo run --release --example two_heads`.
//!
//! The network says what is on an image, one of 10, and where, its row and column. The trunk is computed once and
//! trained by both losses.

use std::error::Error;

use dfdx::optim::{Sgd, SgdConfig};
use dfdx::prelude::*;
use pvlu::activation::Pvlu;
use pvlu::layer::builder::{Act, BatchNorm2D, Conv2D, GlobalAvgPool2D, Linear, TwoHeads};
use pvlu::loss::cross_entropy;

type Trunk = (Conv2D<1, 8, 3, 1, 1>, BatchNorm2D<8>, Act<Pvlu, 8>, GlobalAvgPool2D);
type Net = TwoHeads<Trunk, Linear<8, 10>, Linear<8, 2>>;

/// The sum of both losses, step by step, on a batch of noise.
fn train(steps: usize) -> Result<Vec<f32>, Box<dyn Error>> {
    let dev = Cpu::seed_from_u64(0);
    let mut net = dev.build_module::<Net, f32>();
    let mut sgd = Sgd::new(&net, SgdConfig { lr: 0.1, ..SgdConfig::default() });
    let images: Tensor<Rank4<3, 1, 8, 8>, f32, _> = dev.sample_normal();
    let places: Tensor<Rank2<3, 2>, f32, _> = dev.sample_uniform();
    let mut losses = Vec::new();
    for _ in 0..steps {
        let (logits, found) = net.try_forward_mut(images.leaky_trace())?;
        // The first output carries what was recorded of the trunk, so it comes first in the sum.
        let loss = cross_entropy(logits, &[3, 7, 0]) + mse_loss(found, places.clone());
        losses.push(loss.array());
        sgd.update(&mut net, &loss.backward())?;
    }
    Ok(losses)
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("losses: {:.3?}", train(20)?);
    Ok(())
}

#[test]
fn the_sum_of_both_losses_falls() {
    let losses = train(20).unwrap();
    assert!(losses[19] < 0.8 * losses[0], "{losses:?}");
}
