//! Weights of torchvision in a typed network:
//! `cargo run --release --example torchvision_weights -- resnet18.safetensors cat.jpg`.
//!
//! torchvision publishes Python pickles, which are not read here: docs/weights.md has a few lines of Python that
//! convert them, and timm's `resnet18.tv_in1k` is the same weights as safetensors.

use std::error::Error;
use std::path::Path;

use dfdx::shapes::Const;
use pvlu::activation::{Pvlu, Relu};
use pvlu::layer::SwapActivation;
use pvlu_zoo::image::{Image, Preprocessing};
use pvlu_zoo::labels::{self, LabelSet};
use pvlu_zoo::model::{Classifier, Model};
use pvlu_zoo::resnet::basic::ResNet18;
use pvlu_zoo::weights::Architecture;

/// The logits of an image, as published and with every ReLU replaced by PVLU at alpha = 0, which computes the same.
fn logits(weights: &Path, image: &Path) -> Result<[Vec<f32>; 2], Box<dyn Error>> {
    // Every tensor of the file has to be one of the network, and the other way round.
    let relu = ResNet18::<Relu>::load(weights)?;
    let pvlu = relu.clone().swap_activation::<Pvlu>();

    // Shorter side to 256, the middle 224x224, ImageNet's mean and deviation.
    let input = Preprocessing::TORCHVISION.apply(&[Image::open(image)?]);
    let relu = Classifier::new(relu, Const::<224>, Const::<224>).logits(input.clone())?;
    let pvlu = Classifier::new(pvlu, Const::<224>, Const::<224>).logits(input)?;
    Ok([relu, pvlu])
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, image] = &arguments[..] else {
        return Err("expected two arguments: WEIGHTS IMAGE".into());
    };
    let [logits, _] = logits(weights.as_ref(), image.as_ref())?;
    let names = labels::of(LabelSet::ImageNet);
    let mut best: Vec<usize> = (0..logits.len()).collect();
    best.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    best.iter().take(5).for_each(|&class| println!("{:8.3}  {}", logits[class], names[class]));
    Ok(())
}

#[test]
fn a_file_with_the_names_of_torchvision_is_loaded_and_swapped() {
    use dfdx::prelude::{Cpu, DeviceBuildExt};
    use pvlu_zoo::weights::{Source, TensorFile};

    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("resnet18.safetensors");
    let net = Cpu::seed_from_u64(0).build_module::<ResNet18<Relu>, f32>();
    ResNet18::<Relu>::save(&net, &file, Source::Torchvision).unwrap();
    assert!(TensorFile::open(&file).unwrap().entries().contains_key("layer1.0.conv1.weight"));

    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/images/wide.png");
    let [relu, pvlu] = logits(&file, &image).unwrap();
    assert_eq!((relu.len(), &relu), (1000, &pvlu));
    assert!(relu.iter().any(|&logit| logit != 0.0));
}
