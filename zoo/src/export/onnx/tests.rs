//! Files that are refused, and how much is written at once.

use std::collections::BTreeMap;
use std::fs;

use dfdx::prelude::{Const, Cpu, DeviceBuildExt};
use pvlu::layer::builder::{Flatten2D, Linear};

use super::builder::Elements;
use super::*;
use crate::model::Classifier;
#[cfg(feature = "registry")]
use crate::registry::{Options as Wanted, Sides, Start, models};

type Net = (Flatten2D<3, 2, 2, 12>, Linear<12, 2>);

fn model() -> impl Model {
    Classifier::new(Cpu::seed_from_u64(0).build_module::<Net, f32>(), Const::<2>, Const::<2>)
}

#[test]
fn a_file_of_more_than_two_gibibytes_is_refused_before_it_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.onnx");
    let mut builder = Builder::new(model().net());
    let extent = Extent::features(1);
    let (input, output) = ((builder.named("input"), extent), (builder.named("logits"), extent));
    let signature = Signature { name: "large", input, output, metadata: &BTreeMap::new() };
    builder.add(vec![1 << 29], Elements::Network("large".to_owned(), None));
    let error = Parts::of(&builder, &signature).write(&model(), &path).unwrap_err();
    assert!(matches!(error, ExportError::TooLarge { bytes: 2_147_483_648.., .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("large.onnx") && text.contains("at most 2147483647"), "{text}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_tensor_that_the_network_does_not_show_is_an_error_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lacking.onnx");
    let mut builder = Builder::new(model().net());
    let error = builder.tensor("1.other").unwrap_err();
    assert_eq!(error.to_string(), "the network shows no tensor \"1.other\"");
    let extent = Extent::features(1);
    let (input, output) = ((builder.named("input"), extent), (builder.named("logits"), extent));
    let signature = Signature { name: "lacking", input, output, metadata: &BTreeMap::new() };
    builder.add(vec![1], Elements::Network("1.other".to_owned(), None));
    let error = Parts::of(&builder, &signature).write(&model(), &path).unwrap_err();
    assert!(matches!(error, ExportError::NoTensor { path } if path == "1.other"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_network_of_nothing_hands_its_input_on_under_the_name_of_the_output() {
    let mut builder = Builder::new(model().net());
    let graph = Graph { input: Extent::features(3), nodes: Vec::new(), outputs: vec![pvlu::layer::Wire::INPUT] };
    let (input, output) = layers::network(&mut builder, &graph, &Folded::default()).unwrap();
    assert_eq!((builder.name(input), builder.name(output)), ("input", "logits"));
    assert_eq!(builder.operations().iter().map(|operation| operation.name).collect::<Vec<_>>(), ["Identity"]);
    let graph = Graph { outputs: vec![pvlu::layer::Wire::INPUT; 2], ..graph };
    let error = layers::network(&mut Builder::default(), &graph, &Folded::default()).unwrap_err();
    assert_eq!(error.to_string(), "the network gives 2 tensors: expected one, the logits");
}

#[test]
fn names_that_are_taken_get_a_number() {
    let mut builder = Builder::default();
    let names = ["a", "a", "a_2", "a"].map(|name| builder.named(name));
    assert_eq!(names.map(|value| builder.name(value)), ["a", "a_2", "a_2_2", "a_3"]);
    assert_eq!(builder.scalar(0.5), builder.scalar(0.5));
    assert_ne!(builder.scalar(0.5), builder.scalar(-0.5));
}

#[test]
#[cfg(feature = "registry")]
fn every_model_has_sound_wires_and_all_its_tensors() {
    use std::collections::HashSet;
    for entry in models() {
        let side = match entry.sides() {
            Sides::Any { least, .. } => least,
            Sides::Square(sides) => sides.iter().copied().min().unwrap(),
        };
        let wanted = Wanted { activation: "pvlu", classes: 10, image: Some((side, side)), weights: Start::Unfilled };
        let model = entry.build(&wanted).unwrap();
        let graph = Graph::of(model.net(), Extent::image(3, side, side)).unwrap();
        let mut builder = Builder::new(model.net());
        let (input, output) = layers::network(&mut builder, &graph, &Folded::default()).unwrap();
        let mut given = HashSet::from([input]);
        given.extend(builder.initializers().iter().map(|tensor| tensor.value()));
        for operation in builder.operations() {
            assert!(operation.inputs().all(|input| given.contains(&input)), "{}: {operation:?}", entry.name);
            assert!(given.insert(operation.output()), "{}: {operation:?}", entry.name);
        }
        assert!(given.contains(&output) && builder.name(output) == "logits");
        let held = |path: &str| {
            let of = |elements: &Elements| matches!(elements, Elements::Network(found, None) if found == path);
            builder.initializers().iter().filter(|tensor| of(&tensor.elements)).count()
        };
        for tensor in pvlu::layer::named_parameters(model.net()) {
            assert_eq!(held(&tensor.path), 1, "{}: {}", entry.name, tensor.path);
        }
    }
}
