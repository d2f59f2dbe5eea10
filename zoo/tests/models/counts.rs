//! Parameters, sites and channels, against numbers from elsewhere.

use pvlu::layer::{Extent, LayerKind, Path, Role};
use pvlu_zoo::registry::{MODELS, Options, Start};

/// Parameters and running statistics with ReLU, activation sites, and the sum of their channels.
///
/// Those of Keras' models with 1000 classes are what `count_params` says, statistics included; torchvision's are the
/// parameters alone; those of the CIFAR ResNets and of the six convolutions were counted by hand from their papers.
const EXPECTED: [(&str, usize, usize, usize, usize, usize); 15] = [
    ("sequential6conv", 100, 1_387_396, 0, 7, 960),
    ("vgg16", 1000, 138_357_544, 0, 15, 12_416),
    ("vgg19", 1000, 143_667_240, 0, 18, 13_696),
    ("vgg16_bn", 1000, 138_365_992, 8_448, 15, 12_416),
    ("vgg19_bn", 1000, 143_678_248, 11_008, 18, 13_696),
    ("resnet50", 1000, 25_636_712 - 53_120, 53_120, 49, 22_720),
    ("resnet50_v1_5", 1000, 25_557_032, 53_120, 49, 22_720),
    ("resnet101_v1_5", 1000, 44_549_160, 105_344, 100, 48_832),
    ("resnet50v2", 1000, 25_613_800 - 45_440, 45_440, 49, 22_720),
    ("resnet101v2", 1000, 44_675_560 - 97_664, 97_664, 100, 48_832),
    ("resnet152v2", 1000, 60_380_648 - 143_744, 143_744, 151, 71_872),
    ("cifar_resnet20", 10, 269_722, 1_376, 19, 688),
    ("cifar_resnet56", 10, 853_018, 4_064, 55, 2_032),
    ("cifar_resnet20_b", 10, 269_722 + 16 * 32 + 32 * 64 + 2 * (32 + 64), 1_376 + 2 * (32 + 64), 19, 688),
    ("cifar_resnet56_b", 100, 861_620, 4_064 + 2 * (32 + 64), 55, 2_032),
];

#[test]
fn parameters_and_sites_are_those_of_the_originals() {
    for (name, classes, parameters, statistics, sites, channels) in EXPECTED {
        let entry = pvlu_zoo::registry::find(name).unwrap();
        for activation in ["relu", "pvlu"] {
            let options = Options { activation, classes, image: None, weights: Start::Unfilled };
            let model = entry.build(&options).unwrap();
            let mut found = (0, 0);
            let mut count = |tensor: pvlu_zoo::model::TensorView<'_>| match tensor.slot.role {
                Role::RunningMean | Role::RunningVariance => found.1 += tensor.values.len(),
                _ => found.0 += tensor.values.len(),
            };
            model.tensors(&mut count).unwrap();
            let of_activations = if activation == "pvlu" { 2 * channels } else { 0 };
            assert_eq!(found, (parameters + of_activations, statistics), "{name} {activation}");

            let (height, width) = entry.image();
            let mut outlined = (0, 0, 0);
            let mut show = |layer: pvlu::layer::LayerOutline<'_>| {
                outlined.2 += layer.tensor_elements();
                if let LayerKind::Activation { name, .. } = layer.kind {
                    assert_eq!(name, activation, "no activation is another one");
                    outlined = (outlined.0 + 1, outlined.1 + layer.output.channels(), outlined.2);
                }
            };
            let input = Extent::image(3, height, width);
            let output = model.net().outline(&mut Path::root(), input, &mut show).unwrap();
            assert_eq!(output, Extent::features(classes), "{name}");
            assert_eq!(outlined, (sites, channels, found.0 + found.1), "{name} {activation}");
            assert_eq!(model.activation(), Some(activation));
        }
    }
}

#[test]
fn every_model_has_a_description_and_names_for_every_layer() {
    for entry in &MODELS {
        assert!(pvlu_zoo::metadata::find(entry.name).is_some(), "{} has no metadata", entry.name);
        assert!(!entry.names(entry.image()).is_empty());
    }
}

#[test]
fn images_that_a_model_does_not_take_are_errors_that_say_which_it_takes() {
    let error = |model: &str, image| {
        let options = Options { activation: "relu", classes: 10, image: Some(image), weights: Start::Unfilled };
        pvlu_zoo::registry::find(model).unwrap().build(&options).err().unwrap().to_string()
    };
    assert_eq!(error("vgg16", (64, 64)), "vgg16 does not take images of 64x64; it takes 224x224 and 32x32");
    assert_eq!(error("vgg16", (32, 224)), "vgg16 does not take images of 32x224; it takes 224x224 and 32x32");
    assert_eq!(error("resnet50", (31, 64)), "resnet50 does not take images of 31x64; it takes any size from 32x32");
}
