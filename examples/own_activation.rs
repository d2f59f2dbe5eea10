//! An activation of your own: `cargo run --release --example own_activation`.
//!
//! A type with one `impl` gets the same fused kernels as the built-in ones, forward and backward. This is ISRU (Carlile
//! 2017), `x / sqrt(1 + a x^2)`, with a trained `a` for each channel.

use std::error::Error;

use dfdx::prelude::{Cpu, DeviceBuildExt, Rank4, SampleTensor, Tensor};
use pvlu::activation::{Activation, Param, Real};
use pvlu::check::GradientCheck;
use pvlu::gradient_check;
use pvlu::layer::Mode;
use pvlu::layer::builder::{Act, Conv2D};
use pvlu_zoo::init;
use pvlu_zoo::model::{Classifier, Model};
use pvlu_zoo::sequential::Sequential6Conv;
use pvlu_zoo::train::{Optimizer, OptimizerConfig};

#[derive(Clone, Copy, Debug, Default)]
struct Isru;

impl Activation for Isru {
    const NAME: &'static str = "isru";
    type Params<T: Copy> = [T; 1];
    const PARAMS: [Param; 1] = [Param::trained("a", 1.0)];

    #[inline(always)]
    fn value<R: Real>(x: R, [a]: [R; 1]) -> R {
        x / (a * x).mul_add(x, R::of(1.0)).sqrt()
    }

    /// By `x`, and by `a`.
    #[inline(always)]
    fn derivatives<R: Real>(x: R, [a]: [R; 1]) -> (R, [R; 1]) {
        let reciprocal = R::of(1.0) / (a * x).mul_add(x, R::of(1.0)).sqrt();
        let cube = reciprocal * reciprocal * reciprocal;
        (cube, [R::of(-0.5) * x * x * x * cube])
    }
}

/// The derivatives above, held against finite differences.
fn check() -> Result<GradientCheck, Box<dyn Error>> {
    let dev = Cpu::seed_from_u64(0);
    let mut net = dev.build_module::<(Conv2D<1, 2, 3, 1, 1>, Act<Isru, 2>), f64>();
    let images: Tensor<Rank4<2, 1, 4, 4>, f64, _> = dev.sample_normal();
    Ok(gradient_check(&mut net, &images)?)
}

/// The losses of some steps on one batch, in the network of the paper.
fn train(steps: usize) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut net = Cpu::seed_from_u64(0).build_module::<Sequential6Conv<Isru, 10>, f32>();
    // Start weights are scaled for this activation, as for the built-in ones.
    init::he::<Isru>(&mut net, 0)?;
    let mut model = Classifier::cifar(net);
    let mut optimizer = Optimizer::new(OptimizerConfig::adam());
    let images: Vec<f32> = (0..2 * 3 * 32 * 32).map(|index| (index % 17) as f32 / 8.0 - 1.0).collect();
    model.set_mode(Mode::Train);
    let mut losses = Vec::new();
    for _ in 0..steps {
        let mut step = model.step(images.clone(), &[3, 7])?;
        optimizer.update(&mut model, &mut step.gradients, 1e-3)?;
        losses.push(step.loss);
    }
    Ok(losses)
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("worst difference to finite differences: {}", check()?);
    println!("losses: {:.3?}", train(10)?);
    Ok(())
}

#[test]
fn its_gradients_are_right_and_it_trains() {
    let worst = check().unwrap();
    assert!(worst.error < 1e-6, "{worst}");
    let losses = train(10).unwrap();
    assert!(losses[9] < losses[0], "{losses:?}");
}
