//! Logits of exported models in onnxruntime against those of the models.
//!
//! They run where `python3`, or the interpreter that PVLU_PYTHON names, has onnxruntime, and are skipped with a message
//! elsewhere. PVLU_RUNTIME, `openvino` or `tract`, names another package that runs the files in its place.

use std::fs;
use std::path::Path;
use std::process::Command;

use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{find, models};

use crate::{networks, sized, small, write};

/// Largest distance from a model's own logits, in terms of the largest of them.
pub const TOLERANCE: f32 = 1e-5;

/// A formula with every function of the language.
pub const FORMULA: &str = "f = max(x, 0) + a*sin(b*x) + 0.1*(min(x, 1) - abs(x) + exp(-x^2) + exp_m1(min(x, 0)) + \
                       ln(1 + x^2) + ln_1p(exp(-x^2)) + sqrt(x^2 + c) + tanh(x) + erf(x/2) + cos(x) + sigmoid(x) + \
                       relu(-x) + softplus(x))/(1 + abs(x)^1.5); a = 0.1; b = 1; fixed c = 0.5";

/// The interpreter that has onnxruntime, or the runtime in its place.
fn python() -> Option<String> {
    let python = std::env::var("PVLU_PYTHON").unwrap_or("python3".to_owned());
    let runtime = std::env::var("PVLU_RUNTIME").unwrap_or("onnxruntime".to_owned());
    let has_it = Command::new(&python).args(["-c", &format!("import {runtime}")]).output();
    let has_it = has_it.is_ok_and(|ran| ran.status.success());
    assert!(has_it || std::env::var_os("PVLU_PYTHON").is_none(), "PVLU_PYTHON: {python} has no {runtime}");
    if !has_it {
        println!("skipped: {python} has no {runtime}; PVLU_PYTHON names another interpreter");
    }
    has_it.then_some(python)
}

/// Runs a model in onnxruntime on batches of one image and of three. Returns the largest distance from its own logits,
/// in terms of the largest of them.
fn distance(python: &str, model: &dyn Model, name: &str, fold: bool) -> f32 {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write(model, name, &path("model.onnx"), fold).unwrap();
    let ((height, width), channels) = (model.image(), model.channels());
    let mut worst = 0.0_f32;
    for batch in [1, 3] {
        let images: Vec<f32> =
            (0..batch * model.image_len()).map(|i| ((i * 7919 % 2003) as f32 / 1001.0 - 1.0).sin()).collect();
        let bytes: Vec<u8> = images.iter().flat_map(|value| value.to_ne_bytes()).collect();
        fs::write(path("input"), bytes).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export/run.py");
        let mut command = Command::new(python);
        command.arg(script).args(["model.onnx", "input", "output"].map(&path));
        command.args([batch, channels, height, width].map(|size| size.to_string()));
        let ran = command.output().unwrap();
        assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
        let found = fs::read(path("output")).unwrap();
        let found = found.chunks(4).map(|bytes| f32::from_ne_bytes(bytes.try_into().unwrap()));
        let expected = model.logits(images).unwrap();
        assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
        assert!(largest > 0.01 && expected[0] != expected[1], "{name}: {expected:?}");
        for (found, expected) in found.zip(&expected) {
            assert!(found.is_finite() && expected.is_finite(), "{name}");
            worst = worst.max((found - expected).abs() / largest);
        }
    }
    let activation = model.activation().unwrap_or("none");
    println!("{name} at {height}x{width}, {activation:.40}{}: {worst:.1e}", if fold { ", folded" } else { "" });
    worst
}

/// The distance of a model of the registry, for the smallest images that it takes.
fn distance_of(python: &str, name: &str, activation: &str, fold: bool) -> f32 {
    distance(python, small(find(name).unwrap(), activation).as_ref(), name, fold)
}

#[test]
fn three_models_give_their_logits_in_onnxruntime() {
    let Some(python) = python() else { return };
    for name in ["cifar_resnet20", "vgg16", "resnet50v2"] {
        for (activation, fold) in [("pvlu", false), ("pvlu", true), (FORMULA, false)] {
            let model = sized(find(name).unwrap(), activation, 32);
            let worst = distance(&python, model.as_ref(), name, fold);
            assert!(worst < TOLERANCE, "{name} with {activation}: {worst:e}");
        }
    }
}

#[test]
fn every_activation_gives_its_logits_in_onnxruntime() {
    let Some(python) = python() else { return };
    for activation in pvlu::activation::BUILT_IN {
        let worst = distance_of(&python, "cifar_resnet20", activation.name(), false);
        assert!(worst < TOLERANCE, "{}: {worst:e}", activation.name());
    }
    let constant = "f = a*x^0; a = 0.5";
    assert!(distance_of(&python, "cifar_resnet20", constant, false) < TOLERANCE);
}

#[test]
fn networks_with_every_other_layer_give_their_logits_in_onnxruntime() {
    let Some(python) = python() else { return };
    for (name, model) in networks::all() {
        for fold in [false, true] {
            let worst = distance(&python, model.as_ref(), name, fold);
            assert!(worst < TOLERANCE, "{name}: {worst:e}");
        }
    }
}

#[test]
#[ignore = "takes minutes: cargo test -p pvlu_zoo --test export -- --ignored --nocapture"]
fn every_model_gives_its_logits_in_onnxruntime() {
    let python = python().expect("an interpreter with onnxruntime");
    let mut beyond = Vec::new();
    for entry in models() {
        for fold in [false, true] {
            let worst = distance_of(&python, entry.name, "pvlu", fold);
            if worst >= TOLERANCE {
                beyond.push((entry.name, fold, worst));
            }
        }
    }
    assert!(beyond.is_empty(), "{beyond:?}");
}
