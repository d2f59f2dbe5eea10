//! Models that `zoo export` writes.

use std::fs;

use crate::support::Place;
use crate::zoo::{weights, zoo};

/// True if a file holds these bytes somewhere.
fn holds(file: &[u8], text: &str) -> bool {
    file.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn an_exported_file_says_what_the_file_of_weights_says_and_how_images_are_prepared() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "pvlu", 10);
    let ran = zoo(&place, "export --format onnx --weights w.safetensors --out new/m.onnx").succeeded();
    assert!(ran.stdout.contains("cifar_resnet20: ") && ran.stdout.contains("written to new/m.onnx"), "{ran:?}");
    let file = fs::read(place.path("new/m.onnx")).unwrap();
    let texts = [
        "pvlu_zoo.model",
        "cifar_resnet20",
        "pvlu_zoo.activation",
        "pvlu_zoo.preprocessing",
        "[\"airplane\",",
        "logits",
    ];
    for text in texts {
        assert!(holds(&file, text), "no {text}");
    }
    assert!(holds(&file, "BatchNormalization") && holds(&file, "32x32"));

    let folded =
        "export --format onnx --weights w.safetensors --out f.onnx --fold-batch-norm --image 48 --activation pvlu";
    zoo(&place, folded).succeeded();
    let file = fs::read(place.path("f.onnx")).unwrap();
    assert!(!holds(&file, "BatchNormalization") && holds(&file, "48x48"));
}

#[test]
fn a_file_that_is_there_is_exported_over_by_force_alone() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    fs::write(place.path("m.onnx"), "mine").unwrap();
    let line = "export --format onnx --weights w.safetensors --out m.onnx";
    zoo(&place, line).failed_in_one_line(2, &["m.onnx", "--force"]);
    zoo(&place, "export --format onnx --weights w.safetensors --out w.safetensors --force")
        .failed_in_one_line(2, &["w.safetensors", "which is read"]);
    assert_eq!(fs::read(place.path("m.onnx")).unwrap(), b"mine");
    zoo(&place, &format!("{line} --force")).succeeded();
    assert!(holds(&fs::read(place.path("m.onnx")).unwrap(), "pvlu_zoo"));
    assert_eq!(fs::read_dir(place.path("")).unwrap().count(), 2);
}
