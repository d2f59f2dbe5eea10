//! A pretrained network, tuned on a folder of images:
//! `cargo run --release --example tune_a_folder -- cifar10_resnet20.safetensors FOLDER tuned.safetensors`.
//!
//! FOLDER has two folders of images, one for each class. ReLU becomes PVLU, which at alpha = 0 is ReLU; first a new
//! head is trained, then alpha and beta alone, as in the paper's table 3. `zoo finetune` does the same for any number
//! of classes, which in a type has to be known.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use pvlu::activation::Pvlu;
use pvlu_zoo::data::{Augmentation, FolderParts, ImageFolder, Loader, LoaderConfig};
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::model::Classifier;
use pvlu_zoo::resnet::cifar::ResNet20;
use pvlu_zoo::train::{FitConfig, OptimizerConfig, Schedule, Splits, fit};
use pvlu_zoo::transfer::FreezePolicy;
use pvlu_zoo::weights::{Architecture, Source};

const CLASSES: usize = 2;
type Net = ResNet20<Pvlu, CLASSES>;

fn loader(images: &Arc<ImageFolder>, training: bool) -> Result<Loader<ImageFolder>, Box<dyn Error>> {
    // Images of any size become inputs of 32x32 with the statistics that the weights were trained with.
    let preprocessing = Preprocessing::CIFAR10.whole((32, 32))?;
    let config = match training {
        true => LoaderConfig::training(16, 0, preprocessing, Augmentation::NONE),
        false => LoaderConfig::evaluation(16, preprocessing),
    };
    Ok(Loader::new(Arc::clone(images), config)?)
}

/// Tunes and saves; returns the accuracy on the held-out images.
fn tune(pretrained: &Path, folder: &Path, tuned: &Path) -> Result<f64, Box<dyn Error>> {
    // A folder that is not divided into `train` and `test` is: the last part of each class is held out.
    let (train, held_out, warnings) = FolderParts::open(folder)?.to_train(0.2)?;
    warnings.iter().for_each(|warning| eprintln!("{warning}"));
    if train.classes().len() != CLASSES {
        return Err(format!("expected {CLASSES} classes, found {:?}", train.classes()).into());
    }
    let (train, held_out) = (Arc::new(train), Arc::new(held_out));
    let splits =
        Splits { train: loader(&train, true)?, validation: loader(&held_out, false)?, test: loader(&held_out, false)? };

    // The trunk of the file, which is for ten classes, and a head of two that is drawn from seed 0.
    let mut net = Net::load_with_new_head(pretrained, 0)?;
    let mut accuracy = f64::NAN;
    for (what, learning_rate) in [(FreezePolicy::HEAD, 1e-2), (FreezePolicy::ACTIVATIONS, 1e-3)] {
        what.try_apply(&mut net)?;
        let mut model = Classifier::cifar(net);
        let (optimizer, schedule) = (OptimizerConfig::adam(), Schedule::Cosine);
        let config = FitConfig::new(2, optimizer, learning_rate, schedule);
        let history = fit(&mut model, &splits, &config, &mut |_| ControlFlow::Continue(()))?;
        accuracy = history.final_top1().ok_or("no epoch was trained")?;
        net = model.net;
    }
    Net::save(&net, tuned, Source::Native)?;
    Ok(accuracy)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [pretrained, folder, tuned] = &arguments[..] else {
        return Err("expected three arguments: WEIGHTS FOLDER OUT".into());
    };
    println!("accuracy on held-out images: {}", tune(pretrained.as_ref(), folder.as_ref(), tuned.as_ref())?);
    Ok(())
}

#[test]
fn alpha_is_trained_and_the_convolutions_stay() {
    use dfdx::prelude::{AsArray, Cpu, DeviceBuildExt};
    use pvlu::activation::Relu;
    use pvlu_zoo::weights::TensorFile;

    let place = tempfile::tempdir().unwrap();
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/images");
    for (class, names) in [("cat", ["wide.png", "tall.png"]), ("dog", ["square32.png", "rgb16.png"])] {
        let folder = place.path().join("images").join(class);
        std::fs::create_dir_all(&folder).unwrap();
        for name in names {
            std::fs::copy(images.join(name), folder.join(name)).unwrap();
        }
    }
    let [pretrained, tuned] = ["relu.safetensors", "pvlu.safetensors"].map(|name| place.path().join(name));
    let net = Cpu::seed_from_u64(0).build_module::<ResNet20<Relu>, f32>();
    ResNet20::<Relu>::save(&net, &pretrained, Source::Native).unwrap();

    let accuracy = tune(&pretrained, &place.path().join("images"), &tuned).unwrap();
    assert!((0.0..=1.0).contains(&accuracy), "{accuracy}");
    let weights = |file: &Path| {
        let mut values = vec![0.0_f32; 16 * 3 * 3 * 3];
        TensorFile::open(file).unwrap().read_into("conv1.weight", &mut values).unwrap();
        values
    };
    assert_eq!(weights(&tuned), weights(&pretrained));
    let net = Net::load(&tuned).unwrap();
    assert!(net.trunk.0.1.alpha().array().iter().all(|&alpha| alpha != 0.0));
}
