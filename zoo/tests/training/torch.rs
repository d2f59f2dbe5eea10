//! Training beside PyTorch's own loop: the same initial weights, batches, optimizer and schedule. It runs where
//! `PVLU_PYTHON_TORCH` names an interpreter that has torch.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use pvlu_zoo::checkpoint::Notes;
use pvlu_zoo::data::{Batches, Loader, LoaderConfig, Normalization};
use pvlu_zoo::export::torch;
use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{build, find};
use pvlu_zoo::train::{Event, FitConfig, OptimizerConfig, Outcome, Schedule, Splits, fit};
use pvlu_zoo::weights::{Declared, Dtype, Source, Writer};
use serde_json::Value;

use crate::support::{images, in_order};

const STEPS: usize = 50;
const BATCH: usize = 64;

/// Training amplifies rounding: PyTorch itself, on two threads, is soon far from itself on one, at rates as they are in
/// use by a tenth of the loss within ten steps. So both are compared with PyTorch in double precision: ours may be so
/// many times as far from it as PyTorch's in single precision.
const FARTHEST: f64 = 10.0;

/// Rates so small that rounding is not amplified, at which the losses of ten steps agree.
const CALM: [(&str, f64); 2] = [("sgd", 1e-4), ("adam", 1e-5)];
const AGREE: f64 = 1e-5;

#[test]
fn training_goes_as_in_pytorch() {
    let Ok(python) = std::env::var("PVLU_PYTHON_TORCH") else {
        return println!("skipped: PVLU_PYTHON_TORCH names no interpreter");
    };
    let mut failed = Vec::new();
    for (name, rate) in [("sgd", 0.1), ("sgd", 0.01), ("adam", 0.1), ("adam", 0.01)].into_iter().chain(CALM) {
        let optimizer = match name {
            "sgd" => OptimizerConfig::sgd(0.9, false, 5e-4),
            _ => {
                OptimizerConfig::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 5e-4, decoupled: false }
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let losses = train(folder.path(), optimizer, rate);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/training/run_torch.py");
        fs::copy(script, folder.path().join("run_torch.py")).unwrap();
        let arguments = ["run_torch.py", name, &rate.to_string()];
        let ran = Command::new(&python).args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let said: Value = serde_json::from_slice(&ran.stdout).unwrap();
        let number = |key: &str| said[key].as_f64().unwrap();
        let of =
            |key: &str| said[key].as_array().unwrap().iter().map(|loss| loss.as_f64().unwrap()).collect::<Vec<_>>();
        let (one, two, exact) = (of("one"), of("two"), of("exact"));
        assert_eq!([losses.len(), one.len(), exact.len()], [STEPS; 3]);
        let farthest = |left: &[f64], right: &[f64], steps: usize| {
            left.iter().zip(right).take(steps).map(|(left, right)| (left - right).abs()).fold(0.0, f64::max)
        };
        let theirs = farthest(&one, &exact, 10).max(farthest(&two, &exact, 10));
        let mut holds = farthest(&losses, &exact, 10) <= FARTHEST * theirs;
        let [first, threads] = [farthest(&losses, &one, 10), farthest(&two, &one, 10)];
        holds &= !CALM.contains(&(name, rate)) || first <= AGREE;
        let (ours, theirs) = (number("ours_exact"), number("one_exact").max(number("two_exact")));
        holds &= ours <= FARTHEST * theirs;
        println!(
            "{name} {rate:e}, torch {}: losses of 10 steps: ours from one thread's {first:.1e}, two threads' \
             {threads:.1e}, from double precision {:.1e}, {:.1e}, {:.1e}; parameters after {STEPS} steps: ours from \
             one thread's {:.1e}, two threads' {:.1e}, from double precision {ours:.1e} and {theirs:.1e}",
            said["torch"].as_str().unwrap(),
            farthest(&losses, &exact, 10),
            farthest(&one, &exact, 10),
            farthest(&two, &exact, 10),
            number("ours"),
            number("threads"),
        );
        if !holds {
            failed.push((name, rate));
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

/// Trains a network, leaves in a folder what PyTorch needs to do the same, and returns the losses of the steps.
fn train(folder: &Path, optimizer: OptimizerConfig, rate: f64) -> Vec<f64> {
    let entry = find("cifar_resnet20").unwrap();
    let mut model = build("cifar_resnet20", "relu", 10, 1).unwrap();
    // A program that defines the network, and its weights beside it.
    let save = |model: &dyn Model, name: &str| {
        torch::save(model, entry, Source::Native, &folder.join(name), &Notes::default()).unwrap();
    };
    let split = images(STEPS * BATCH);
    let loader = in_order(&split, BATCH);
    save(model.as_ref(), "model.py");
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for batch in Batches::epoch(&loader, 1) {
        let batch = batch.unwrap();
        pixels.extend(batch.images);
        labels.extend(batch.labels.iter().map(|&label| label as f32));
    }
    write(
        &folder.join("batches.safetensors"),
        &[
            ("images", &[STEPS * BATCH, 3, 32, 32], &pixels),
            ("labels", &[STEPS * BATCH], &labels),
            ("steps", &[1], &[STEPS as f32]),
        ],
    );
    let preprocessing = LoaderConfig::evaluation(BATCH, Normalization::NONE);
    let nothing = Loader::new(Arc::new(split.limit(0)), preprocessing).unwrap();
    let splits = Splits { train: loader, validation: nothing.clone(), test: nothing };
    let config = FitConfig::new(1, optimizer, rate, Schedule::Cosine);
    let mut losses = Vec::new();
    let mut observe = |event: Event<'_>| {
        if let Event::Step { loss, .. } = event {
            losses.push(loss);
        }
        ControlFlow::Continue(())
    };
    assert_eq!(fit(model.as_mut(), &splits, &config, &mut observe).unwrap().outcome, Outcome::Finished);
    save(model.as_ref(), "ours.py");
    losses
}

fn write(path: &Path, tensors: &[(&str, &[usize], &[f32])]) {
    let declare = |(name, shape, _): &(&str, &[usize], &[f32])| Declared {
        name: (*name).to_owned(),
        dtype: Dtype::F32,
        shape: shape.to_vec(),
    };
    let mut writer = Writer::create(path, tensors.iter().map(declare).collect(), &BTreeMap::new()).unwrap();
    tensors.iter().for_each(|(name, _, values)| writer.write(name, values).unwrap());
    writer.finish().unwrap();
}
