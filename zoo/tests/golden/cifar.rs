//! Pretrained CIFAR ResNets on real images: `cifar_resnets.json` of the shared folder, in `f32`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, PoisonError};

use pvlu::Precision;
use pvlu::kernel::cpu::cross_entropy::top_k_correct;
use pvlu_zoo::data::{Dataset, Loader, LoaderConfig, Normalization};
use pvlu_zoo::registry::{self, Options, Start};
use pvlu_zoo::weights::{LoadOptions, TensorFile, load};
use serde::Deserialize;

use crate::compare::{Comparison, LOGITS_F32};
use crate::file::{read, shared};
use crate::models::ONE_AT_A_TIME;

/// Expected results of a model.
#[derive(Deserialize)]
struct Golden {
    first8_logits: Vec<f64>,
    first8_labels: Vec<usize>,
    first1000_correct: usize,
    mean: [f32; 3],
    std: [f32; 3],
}

/// The file of weights, the model in the registry and its classes.
const MODELS: [(&str, &str, usize); 3] = [
    ("cifar10_resnet20", "cifar_resnet20", 10),
    ("cifar10_resnet56", "cifar_resnet56", 10),
    ("cifar100_resnet56", "cifar_resnet56_b", 100),
];

#[test]
fn pretrained_models_see_in_real_images_what_they_saw_in_torch() {
    let found = ["golden/cifar_resnets.json", "data/unpack.sh", "weights"].map(shared);
    let [Some(golden), Some(unpack), Some(weights)] = found else { return };
    for tool in ["cc", "xz"] {
        if Command::new(tool).arg("--version").output().is_err() {
            println!("skipped: no {tool}, which {} needs", unpack.display());
            return;
        }
    }
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let unpacked = Command::new(unpack).arg(folder.path()).output().unwrap();
    assert!(unpacked.status.success(), "{}", String::from_utf8_lossy(&unpacked.stderr));

    let golden: BTreeMap<String, Golden> = read(&golden);
    assert_eq!(golden.len(), MODELS.len());
    for (file, model, classes) in MODELS {
        check(&golden[file], (file, model, classes), &weights, folder.path());
    }
}

fn check(golden: &Golden, (file, model, classes): (&'static str, &str, usize), weights: &Path, images: &Path) {
    let entry = registry::find(model).unwrap();
    let options = Options { activation: "relu", classes, image: None, weights: Start::Unfilled };
    let mut model = entry.build(&options).unwrap();
    let weights = TensorFile::open(weights.join(format!("{file}.safetensors"))).unwrap();
    load(model.net_mut(), &entry.names(entry.image()), &weights, &LoadOptions::default()).unwrap();

    let dataset = if classes == 10 { Dataset::open_cifar10(images) } else { Dataset::open_cifar100(images) };
    let first = Arc::new(dataset.unwrap().test.limit(1000));
    let normalization = Normalization { mean: golden.mean, std: golden.std };
    let loader = Loader::new(first, LoaderConfig::evaluation(100, normalization)).unwrap();
    let mut answers = |precision| {
        model.set_precision(precision);
        let (mut logits, mut labels) = (Vec::new(), Vec::new());
        for batch in loader.epoch(0) {
            labels.extend(&batch.labels);
            logits.extend(model.logits(batch.images).unwrap());
        }
        (logits, labels)
    };
    let (logits, labels) = answers(Precision::F32);

    assert_eq!(labels[..8], golden.first8_labels);
    let mut comparison = Comparison::new(file);
    let expected = &golden.first8_logits[..];
    comparison.logits("f32 logits", (&logits[..8 * classes], expected), (classes, None), LOGITS_F32);
    comparison.finish();
    let correct = |logits: &[f32]| top_k_correct(logits, classes, &labels, 1);
    assert_eq!(correct(&logits), golden.first1000_correct, "{file}");
    // Of images whose two largest logits are nearly the same the answer may change: of one in a thousand by the error
    // of bf16x3, and of some by that of bf16.
    for (precision, images) in [(Precision::Bf16x3, 1), (Precision::Bf16, 4)] {
        let (rounded, _) = answers(precision);
        assert!(rounded != logits, "{file}: {precision} changed nothing");
        let correct = correct(&rounded);
        assert!(correct.abs_diff(golden.first1000_correct) <= images, "{file}: {correct} in {precision}");
    }
}
