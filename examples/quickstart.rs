//! A network of your own, trained on the built-in images: `cargo run --release --example quickstart`.
//!
//! Nothing is downloaded: the images are drawn from a seed.

use std::error::Error;
use std::ops::ControlFlow;
use std::sync::Arc;

use dfdx::prelude::{Cpu, DeviceBuildExt};
use pvlu::activation::Pvlu;
use pvlu::layer::builder::{Act, BatchNorm2D, Conv2D, Flatten2D, Linear, MaxPool2D};
use pvlu_zoo::data::{Augmentation, Dataset, Loader, LoaderConfig, Normalization};
use pvlu_zoo::init;
use pvlu_zoo::model::{Classifier, Model};
use pvlu_zoo::train::{FitConfig, History, OptimizerConfig, Schedule, Splits, fit};

/// A convolution, batch norm, PVLU, and a pool that halves the image.
type Block<const I: usize, const O: usize> = (Conv2D<I, O, 3, 1, 1>, BatchNorm2D<O>, Act<Pvlu, O>, MaxPool2D<2, 2>);
type Net = (Block<3, 16>, Block<16, 32>, Block<32, 64>, Flatten2D<64, 4, 4, 1024>, Linear<1024, 10>);

fn train(images: usize, epochs: u64) -> Result<History, Box<dyn Error>> {
    let dev = Cpu::seed_from_u64(0);
    let mut net = dev.build_module::<Net, f32>();
    init::he::<Pvlu>(&mut net, 0)?;
    let mut model = Classifier::cifar(net);
    println!("{} trained parameters", model.trained_parameters()?);

    // Ten classes of 32x32 images. A tenth of those to train on is held out and picks the epoch.
    let set = Dataset::procedural(10, images, images / 5, 0)?;
    let (train, validation) = set.train.split_validation(0.1)?;
    let normalization = Normalization::measured(&train)?;
    let evaluation = LoaderConfig::evaluation(100, normalization);
    let splits = Splits {
        train: Loader::new(Arc::new(train), LoaderConfig::training(32, 0, normalization, Augmentation::NONE))?,
        validation: Loader::new(Arc::new(validation), evaluation.clone())?,
        test: Loader::new(Arc::new(set.test), evaluation)?,
    };

    let optimizer = OptimizerConfig::adam();
    let config = FitConfig::new(epochs, optimizer, 3e-3, Schedule::Cosine);
    Ok(fit(&mut model, &splits, &config, &mut |_| ControlFlow::Continue(()))?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let history = train(2000, 5)?;
    for epoch in &history.epochs {
        println!("epoch {}: loss {:.3}, test accuracy {:.3}", epoch.epoch, epoch.train_loss, epoch.test.top1);
    }
    Ok(())
}

#[test]
fn the_loss_falls() {
    let history = train(200, 3).unwrap();
    let losses: Vec<f64> = history.epochs.iter().map(|epoch| epoch.train_loss).collect();
    assert!(losses.len() == 3 && losses[2] < losses[0], "{losses:?}");
}
