//! Numbers of classes and activations that are chosen when the program runs.

use pvlu::Precision;
use pvlu::layer::{Extent, Graph, LayerKind, Mode, Switches};
use pvlu_zoo::checkpoint::{Notes, Wanted, open, save_model};
use pvlu_zoo::device::Device;
use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{ModelEntry, Options, Start, activation, activation_names, find, models};
use pvlu_zoo::train::{Optimizer, OptimizerConfig};
use pvlu_zoo::transfer::FreezePolicy;
use pvlu_zoo::weights::Source;

use crate::{bits, images, small};

/// A network of each family.
const FAMILIES: [&str; 6] = ["sequential6conv", "vgg11", "resnet18", "resnet50_v1_5", "resnet50v2", "cifar_resnet20"];

/// A formula with a trained and a fixed parameter.
const MINE: &str = "mine = max(x, 0) + a*tanh(c*x); a = 0.5 swap 0; fixed c = 2";

/// Texts of activations: the names of the built-in ones, a formula, and other start values.
fn all() -> Vec<&'static str> {
    let mut all = activation_names();
    all.extend([MINE, "leaky_relu; slope = 0.3", "pvlu; alpha = 0.1; fixed beta = 2"]);
    all
}

fn built(entry: &'static ModelEntry, classes: usize) -> Box<dyn Model> {
    let options = Options { activation: "pvlu", classes, image: Some((32, 32)), weights: Start::Seed(3) };
    entry.build(&options).unwrap()
}

/// Makes one step of Adam with these labels, and returns the loss.
fn step(model: &mut dyn Model, labels: &[usize]) -> f64 {
    model.set_mode(Mode::Train);
    let mut step = model.step(images(labels.len()), labels).unwrap();
    Optimizer::new(OptimizerConfig::adam()).update(model, &mut step.gradients, 1e-3).unwrap();
    model.set_mode(Mode::Eval);
    step.loss
}

#[test]
fn a_head_has_as_many_outputs_as_are_asked_for() {
    for name in FAMILIES {
        let entry = find(name).unwrap();
        for classes in [2, 7, 365] {
            let mut model = built(entry, classes);
            assert_eq!(model.classes(), classes);
            let before = model.logits(images(2)).unwrap();
            assert_eq!(before.len(), 2 * classes, "{name}");
            let loss = step(model.as_mut(), &[classes - 1, 0]);
            assert!(loss.is_finite() && loss > 0.0, "{name} {classes}: {loss}");
            assert_ne!(model.logits(images(2)).unwrap(), before, "{name} {classes}");
            assert!(model.step(images(1), &[classes]).is_err(), "a label beyond the classes");
        }
    }
    let mut wide = built(find("cifar_resnet20").unwrap(), 21_843);
    assert!((step(wide.as_mut(), &[21_842, 0]) - 21_843_f64.ln()).abs() < 3.0);
    for classes in [0, 1, 65_537] {
        let options = Options { activation: "relu", classes, image: None, weights: Start::Unfilled };
        let error = find("vgg16").unwrap().build(&options).err().unwrap().to_string();
        assert_eq!(error, format!("vgg16 does not take {classes} classes; it takes 2 to 65536"));
    }
}

#[test]
fn the_trunk_is_drawn_alike_whatever_the_classes() {
    let [few, many] = [2, 100].map(|classes| bits(built(find("cifar_resnet20").unwrap(), classes).as_ref()));
    let trunk = |bits: &[(String, Vec<u32>)]| -> Vec<_> {
        bits.iter().filter(|(path, _)| path.starts_with("trunk")).cloned().collect()
    };
    assert_eq!(trunk(&few), trunk(&many));
}

#[test]
fn every_family_takes_every_activation_and_comes_back_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for name in FAMILIES {
        let entry = find(name).unwrap();
        for text in all() {
            let mut model = small(entry, text, Start::Seed(5));
            assert_eq!(model.activation(), Some(text));
            let loss = step(model.as_mut(), &[3, 8]);
            assert!(loss.is_finite(), "{name} {text}: {loss}");
            save_model(model.as_ref(), entry, &path, Source::Native, &Notes::default()).unwrap();
            let opened = open(&path, &Wanted::default()).unwrap().model;
            assert_eq!(opened.activation(), Some(text), "{name}");
            assert!(bits(opened.as_ref()) == bits(model.as_ref()), "{name} {text}");
            let relu = small(entry, "relu", Start::Seed(5));
            let weights = bits(relu.as_ref());
            let swapped = relu.swap_activation(activation(text).unwrap()).unwrap();
            let after = bits(swapped.as_ref());
            assert!(weights.iter().all(|tensor| after.contains(tensor)), "{name} {text}: a weight is another");
            assert!(swapped.logits(images(1)).unwrap().iter().all(|logit| logit.is_finite()), "{name} {text}");
        }
    }
}

#[test]
fn what_is_saved_comes_back_with_its_activation_and_classes() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["sequential6conv", "cifar_resnet20"] {
        let entry = find(name).unwrap();
        for text in all() {
            let options = Options { activation: text, classes: 7, image: Some((32, 32)), weights: Start::Seed(5) };
            let mut model = entry.build(&options).unwrap();
            step(model.as_mut(), &[3, 6]);
            let path = folder.path().join("model.safetensors");
            save_model(model.as_ref(), entry, &path, Source::Native, &Notes::default()).unwrap();
            let opened = open(&path, &Wanted::default()).unwrap().model;
            assert_eq!((opened.activation(), opened.classes()), (Some(text), 7), "{name}");
            assert!(bits(opened.as_ref()) == bits(model.as_ref()), "{name} {text}");
            assert_eq!(opened.logits(images(2)).unwrap(), model.logits(images(2)).unwrap(), "{name} {text}");
        }
    }
}

/// For one network of each family, `cargo test` does this above.
#[test]
#[ignore = "takes most of an hour: cargo test -p pvlu_zoo --test models -- --ignored --nocapture"]
fn every_model_takes_every_activation_and_comes_back_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut count = 0;
    for entry in models() {
        for text in all() {
            let relu = small(entry, "relu", Start::Seed(5));
            let swapped = relu.swap_activation(activation(text).unwrap()).unwrap();
            assert!(swapped.logits(images(1)).unwrap().iter().all(|logit| logit.is_finite()), "{} {text}", entry.name);
            drop(swapped);
            let mut model = small(entry, text, Start::Seed(5));
            let loss = step(model.as_mut(), &[3, 8]);
            assert!(loss.is_finite(), "{} {text}: {loss}", entry.name);
            save_model(model.as_ref(), entry, &path, Source::Native, &Notes::default()).unwrap();
            let opened = open(&path, &Wanted::default()).unwrap().model;
            assert_eq!((opened.activation(), opened.classes()), (Some(text), model.classes()), "{}", entry.name);
            assert!(bits(opened.as_ref()) == bits(model.as_ref()), "{} {text}", entry.name);
            count += 1;
        }
        println!("{}: {count} pairs so far", entry.name);
    }
    assert_eq!(count, models().len() * all().len());
}

/// A text is compared by what it asks for, not letter by letter.
#[test]
fn an_activation_is_the_same_however_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let entry = find("cifar_resnet20").unwrap();
    let path = folder.path().join("model.safetensors");
    for (text, otherwise) in [
        (MINE, "mine=max(x,0)+a*tanh(c*x);a=0.5 swap 0;fixed c=2"),
        ("leaky_relu; slope = 0.3", "leaky_relu;slope=0.3"),
    ] {
        save_model(small(entry, otherwise, Start::Seed(1)).as_ref(), entry, &path, Source::Native, &Notes::default())
            .unwrap();
        let opened = open(&path, &Wanted { activation: Some(otherwise), ..Wanted::default() }).unwrap();
        assert_eq!(opened.model.activation(), Some(text));
    }
}

/// Several activations have no parameters: their tensors would fit.
#[test]
fn a_file_of_another_activation_is_refused_though_its_tensors_fit() {
    use pvlu_zoo::weights::{LoadOptions, TensorFile, load};
    let folder = tempfile::tempdir().unwrap();
    let entry = find("cifar_resnet20").unwrap();
    let path = folder.path().join("model.safetensors");
    save_model(small(entry, "gelu", Start::Seed(1)).as_ref(), entry, &path, Source::Native, &Notes::default()).unwrap();
    let file = TensorFile::open(&path).unwrap();
    for other in ["relu", "tanh", "mish"] {
        let mut model = small(entry, other, Start::Seed(2));
        let before = bits(model.as_ref());
        let error = load(model.net_mut(), &entry.names((32, 32)), &file, &LoadOptions::default()).unwrap_err();
        let says = format!("expected {other}, which the network has, found gelu");
        assert!(error.to_string().contains(&says), "{error}");
        assert!(bits(model.as_ref()) == before);
    }
    let mut gelu = small(entry, "gelu", Start::Seed(2));
    load(gelu.net_mut(), &entry.names((32, 32)), &file, &LoadOptions::default()).unwrap();
}

#[test]
fn names_of_more_than_a_thousand_classes_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let entry = find("cifar_resnet20").unwrap();
    let path = folder.path().join("model.safetensors");
    let labels: Vec<String> = (0..1001).map(|class| format!("class {class}")).collect();
    let notes = Notes { labels: Some(&labels), ..Notes::default() };
    save_model(built(entry, 1001).as_ref(), entry, &path, Source::Native, &notes).unwrap();
    let opened = open(&path, &Wanted::default()).unwrap();
    assert_eq!((opened.model.classes(), opened.description.labels), (1001, Some(labels)));
}

/// Outside of the smallest networks too, at the types that the registry instantiates.
#[test]
fn every_model_takes_an_activation_that_is_chosen() {
    for entry in models() {
        let model = small(entry, MINE, Start::Unfilled);
        assert_eq!((model.activation(), model.classes()), (Some(MINE), 10), "{}", entry.name);
    }
}

#[test]
fn a_typed_classifier_has_parameters_of_its_images_size_built_and_swapped() {
    use dfdx::nn::DeviceBuildExt;
    use dfdx::shapes::Const;
    use dfdx::tensor::Cpu;
    use pvlu::activation::{PReluElement, Relu};
    use pvlu::layer::builder::{Act, Conv2D, GlobalAvgPool2D, Linear, LinearTo, TrunkAndHead};
    use pvlu_zoo::model::Classifier;

    type Trunk<A> = (Conv2D<3, 4, 3, 2, 1>, Act<A, 4>);
    type Net<A> = TrunkAndHead<Trunk<A>, (GlobalAvgPool2D, LinearTo<4>)>;
    let dev = Cpu::default();
    let mut relu = Classifier::try_with_classes(dev.build_module::<Net<Relu>, f32>(), 7, 5, 3).unwrap();
    pvlu_zoo::init::he::<Relu>(&mut relu.net, 1).unwrap();
    let pixels = images(1)[..2 * relu.image_len()].to_vec();
    let (before, trained) = (relu.logits(pixels.clone()).unwrap(), relu.trained_parameters().unwrap());
    let mut slopes = relu.try_swap_activation::<PReluElement>().unwrap();
    assert_eq!(slopes.logits(pixels.clone()).unwrap(), before);
    assert_eq!(slopes.trained_parameters().unwrap(), trained + 4 * 4 * 3);
    let mut step = slopes.step(pixels.clone(), &[2, 0]).unwrap();
    Optimizer::new(OptimizerConfig::adam()).update(&mut slopes, &mut step.gradients, 0.1).unwrap();
    assert_ne!(slopes.logits(pixels).unwrap(), before);
    let alpha = slopes.net.trunk.1.element_param("alpha").unwrap().as_vec();
    assert!(alpha.iter().any(|alpha| *alpha != 0.0), "{alpha:?}");

    // A network that has them already keeps what it learned.
    let again = Classifier::try_with_classes(slopes.net, 7, 5, 3).unwrap();
    assert_eq!(again.net.trunk.1.element_param("alpha").unwrap().as_vec(), alpha);
    let open = Classifier::try_with_classes(dev.build_module::<Net<PReluElement>, f32>(), 7, 5, 3).unwrap();
    assert_eq!(open.net.trunk.1.element_param("alpha").unwrap().as_vec(), [0.0; 4 * 4 * 3]);
    type Typed = (Trunk<PReluElement>, GlobalAvgPool2D, Linear<4, 3>);
    let typed = Classifier::new(dev.build_module::<Typed, f32>(), Const::<7>, Const::<5>);
    assert_eq!(typed.net.0.1.element_param("alpha").unwrap().as_vec(), [0.0; 4 * 4 * 3]);
}

#[test]
fn a_typed_classifier_of_several_activations_tells_those_that_need_it_the_size_of_their_maps() {
    use dfdx::nn::DeviceBuildExt;
    use dfdx::shapes::Const;
    use dfdx::tensor::Cpu;
    use pvlu::activation::{PReluElement, Pvlu, Relu};
    use pvlu::layer::builder::{Act, Conv2D, GlobalAvgPool2D, Linear, LinearTo, TrunkAndHead};
    use pvlu_zoo::model::Classifier;

    type First = (Conv2D<3, 4, 3, 2, 1>, Act<PReluElement, 4>);
    type Second = (Conv2D<4, 2, 3, 2, 1>, Act<PReluElement, 2>, Act<Pvlu, 2>);
    type Trunk = (Act<Relu, 3>, First, Second);
    let dev = Cpu::default();
    let net = dev.build_module::<(Trunk, GlobalAvgPool2D, Linear<2, 3>), f32>();
    let mut typed = Classifier::new(net, Const::<7>, Const::<5>);
    let trunk = &typed.net.0;
    assert_eq!(trunk.1.1.element_param("alpha").unwrap().as_vec(), [0.0; 4 * 4 * 3]);
    assert_eq!(trunk.2.1.element_param("alpha").unwrap().as_vec(), [0.0; 2 * 2 * 2]);
    // The parameters of the others are those that they were built with.
    assert_eq!(trunk.2.2.param("alpha").unwrap().as_vec(), [0.5; 2]);
    let pixels = images(1)[..2 * typed.image_len()].to_vec();
    let before = typed.logits(pixels.clone()).unwrap();
    let mut step = typed.step(pixels.clone(), &[2, 0]).unwrap();
    Optimizer::new(OptimizerConfig::adam()).update(&mut typed, &mut step.gradients, 0.1).unwrap();
    assert_ne!(typed.logits(pixels.clone()).unwrap(), before);
    let learned = typed.net.0.2.1.element_param("alpha").unwrap().as_vec();
    assert!(learned.iter().any(|alpha| *alpha != 0.0), "{learned:?}");
    // What they learned stays, and a head of any number of classes is no obstacle.
    type Open = TrunkAndHead<Trunk, (GlobalAvgPool2D, LinearTo<2>)>;
    let mut open = Classifier::try_with_classes(dev.build_module::<Open, f32>(), 7, 5, 4).unwrap();
    assert_eq!(open.net.trunk.1.1.element_param("alpha").unwrap().as_vec(), [0.0; 4 * 4 * 3]);
    open.net.trunk = typed.net.0;
    let again = Classifier::try_with_classes(open.net, 7, 5, 4).unwrap();
    assert_eq!(again.net.trunk.2.1.element_param("alpha").unwrap().as_vec(), learned);
}

/// The precisions of all convolutions and linear layers, as switches and as the graph says them.
fn precisions(model: &mut dyn Model) -> [Vec<Precision>; 2] {
    let (height, width) = model.image();
    let graph = Graph::of(model.net(), Extent::image(3, height, width)).unwrap();
    let is_product = |kind: &LayerKind| matches!(kind, LayerKind::Conv2D { .. } | LayerKind::Linear);
    let of_graph = graph.nodes.iter().filter(|node| is_product(&node.kind)).map(|node| node.precision).collect();
    let mut of_switches = Vec::new();
    model.switches(&mut |switches| {
        if let Switches::Weights { precision, .. } = switches {
            of_switches.push(*precision);
        }
    });
    [of_switches, of_graph]
}

#[test]
fn a_precision_stays_with_a_network_that_is_swapped_moved_frozen_or_trained() {
    for name in FAMILIES {
        let options = Options { activation: "relu", classes: 10, image: Some((32, 32)), weights: Start::Seed(3) };
        let mut model = find(name).unwrap().build(&options).unwrap();
        let [found, _] = precisions(model.as_mut());
        assert!(found.len() > 6 && found.iter().all(|precision| *precision == Precision::F32), "{name}");
        let expected = [0; 2].map(|_| vec![Precision::Bf16; found.len()]);
        model.set_precision(Precision::Bf16);
        assert_eq!(precisions(model.as_mut()), expected, "{name}");
        let mut model = model.swap_activation(activation("pvlu").unwrap()).unwrap().to_device(Device::Cpu).unwrap();
        assert_eq!(precisions(model.as_mut()), expected, "{name}, swapped");
        FreezePolicy::ACTIVATIONS.apply(model.net_mut());
        step(model.as_mut(), &[1, 2]);
        assert_eq!(precisions(model.as_mut()), expected, "{name}, trained");
    }
}
