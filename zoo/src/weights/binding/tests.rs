//! The names of every model against lists that the original frameworks printed.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use pvlu::layer::Visit;

use super::*;
use crate::registry::{self, Options, Start};

/// The lists under `tests/fixtures/names`: a line a tensor, its name (for Keras also the counter) and its shape.
fn list(file: &str, column: usize) -> BTreeMap<String, Vec<usize>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/names").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let shape = fields.last().unwrap().split(',').map(|side| side.parse().unwrap()).collect();
        (fields[column].to_owned(), shape)
    };
    text.lines().filter(|line| !line.starts_with('#') && !line.contains("num_batches_tracked")).map(line).collect()
}

fn names_of(model: &str, source: Source, format: Format) -> BTreeMap<String, Vec<usize>> {
    let entry = registry::find(model).unwrap();
    let options = Options { activation: "relu", classes: 1000, image: None, weights: Start::Unfilled };
    let built = entry.build(&options).unwrap();
    let net: &dyn Visit<f32, Cpu> = built.net();
    let tensors = expected(net, &entry.names(entry.image()), source, ("x".as_ref(), format)).unwrap();
    tensors.into_iter().map(|tensor| (tensor.key, tensor.shape)).collect()
}

#[test]
fn torchvision_names_and_shapes_are_those_of_torchvision() {
    for (model, file) in [
        ("vgg11", "torchvision_vgg11.txt"),
        ("vgg13", "torchvision_vgg13.txt"),
        ("vgg16", "torchvision_vgg16.txt"),
        ("vgg19", "torchvision_vgg19.txt"),
        ("vgg11_bn", "torchvision_vgg11_bn.txt"),
        ("vgg13_bn", "torchvision_vgg13_bn.txt"),
        ("vgg16_bn", "torchvision_vgg16_bn.txt"),
        ("vgg19_bn", "torchvision_vgg19_bn.txt"),
        ("resnet18", "torchvision_resnet18.txt"),
        ("resnet34", "torchvision_resnet34.txt"),
        ("resnet50_v1_5", "torchvision_resnet50.txt"),
        ("resnet101_v1_5", "torchvision_resnet101.txt"),
        ("resnet152_v1_5", "torchvision_resnet152.txt"),
    ] {
        assert_eq!(names_of(model, Source::Torchvision, Format::Safetensors), list(file, 0), "{model}");
    }
}

#[test]
fn timm_names_and_shapes_are_those_of_timm() {
    for (model, file) in [
        ("vgg11", "timm_vgg11.txt"),
        ("vgg13", "timm_vgg13.txt"),
        ("vgg16", "timm_vgg16.txt"),
        ("vgg19", "timm_vgg19.txt"),
        ("vgg11_bn", "timm_vgg11_bn.txt"),
        ("vgg13_bn", "timm_vgg13_bn.txt"),
        ("resnet18", "timm_resnet18.txt"),
        ("resnet34", "timm_resnet34.txt"),
        ("resnet50_v1_5", "timm_resnet50.txt"),
        ("resnet152_v1_5", "timm_resnet152.txt"),
    ] {
        assert_eq!(names_of(model, Source::Timm, Format::Safetensors), list(file, 0), "{model}");
    }
}

#[test]
fn keras_names_counters_and_shapes_are_those_of_keras() {
    let resnets = ["resnet50", "resnet101", "resnet152", "resnet50v2", "resnet101v2", "resnet152v2"];
    for model in ["vgg16", "vgg19"].into_iter().chain(resnets) {
        let file = format!("keras_{model}.txt");
        assert_eq!(names_of(model, Source::Keras, Format::KerasLegacy), list(&file, 0), "{model}");
        assert_eq!(names_of(model, Source::Keras, Format::Keras3), list(&file, 1), "{model}");
    }
}

#[test]
fn activation_parameters_are_numbered_by_site() {
    let entry = registry::find("cifar_resnet20").unwrap();
    let options = Options { activation: "pvlu", classes: 10, image: None, weights: Start::Unfilled };
    let built = entry.build(&options).unwrap();
    let tensors =
        expected(built.net(), &entry.names((32, 32)), Source::Native, ("x".as_ref(), Format::Safetensors)).unwrap();
    let sites: Vec<_> = tensors.iter().filter(|tensor| tensor.key.starts_with("act")).collect();
    assert_eq!(sites.len(), 2 * 19);
    assert_eq!((sites[0].key.as_str(), sites[1].key.as_str()), ("act0.alpha", "act0.beta"));
    assert_eq!((sites[37].key.as_str(), sites[37].shape.as_slice()), ("act18.beta", &[64][..]));
    let head = tensors.iter().find(|tensor| tensor.key == "linear.weight").unwrap();
    assert_eq!(head.aliases, ["fc.weight"]);
}

#[test]
fn a_source_without_names_for_the_model_is_an_error() {
    let says = |model: &str, source, format| {
        let entry = registry::find(model).unwrap();
        let options = Options { activation: "relu", classes: 10, image: Some((32, 32)), weights: Start::Unfilled };
        let built = entry.build(&options).unwrap();
        expected(built.net(), &entry.names((32, 32)), source, ("x".as_ref(), format)).unwrap_err().to_string()
    };
    for (model, has) in [
        ("cifar_resnet20", "torchvision"),
        ("vgg11", "torchvision, timm"),
        ("vgg13_bn", "torchvision, timm"),
        ("resnet18", "torchvision, timm"),
        ("resnet152_v1_5", "torchvision, timm"),
    ] {
        let error = says(model, Source::Keras, Format::KerasLegacy);
        assert_eq!(error, format!("x: the model has no keras names; it has those of {has}"), "{model}");
    }
    let error = says("resnet152", Source::Timm, Format::Safetensors);
    assert_eq!(error, "x: the model has no timm names; it has those of keras");
}
