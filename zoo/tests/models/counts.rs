//! Parameters, sites and channels, against numbers from elsewhere.

use pvlu::layer::{Extent, LayerKind, ParamKind, Path};
use pvlu_zoo::registry::{ModelEntry, Options, Start, activation_names, models};

/// Parameters and running statistics with ReLU, activation sites, and the sum of their channels.
///
/// Those of Keras' models with 1000 classes are what `count_params` says, statistics included; torchvision's are the
/// parameters alone; those of the CIFAR ResNets and of the six convolutions were counted by hand from their papers.
const EXPECTED: [(&str, usize, usize, usize, usize, usize); 24] = [
    ("sequential6conv", 100, 1_387_396, 0, 7, 960),
    ("vgg11", 1000, 132_863_336, 0, 10, 10_944),
    ("vgg13", 1000, 133_047_848, 0, 12, 11_136),
    ("vgg16", 1000, 138_357_544, 0, 15, 12_416),
    ("vgg19", 1000, 143_667_240, 0, 18, 13_696),
    ("vgg11_bn", 1000, 132_868_840, 5_504, 10, 10_944),
    ("vgg13_bn", 1000, 133_053_736, 5_888, 12, 11_136),
    ("vgg16_bn", 1000, 138_365_992, 8_448, 15, 12_416),
    ("vgg19_bn", 1000, 143_678_248, 11_008, 18, 13_696),
    ("resnet18", 1000, 11_689_512, 9_600, 17, 3_904),
    ("resnet34", 1000, 21_797_672, 17_024, 33, 7_616),
    ("resnet50", 1000, 25_636_712 - 53_120, 53_120, 49, 22_720),
    ("resnet101", 1000, 44_707_176 - 105_344, 105_344, 100, 48_832),
    ("resnet152", 1000, 60_419_944 - 151_424, 151_424, 151, 71_872),
    ("resnet50_v1_5", 1000, 25_557_032, 53_120, 49, 22_720),
    ("resnet101_v1_5", 1000, 44_549_160, 105_344, 100, 48_832),
    ("resnet152_v1_5", 1000, 60_192_808, 151_424, 151, 71_872),
    ("resnet50v2", 1000, 25_613_800 - 45_440, 45_440, 49, 22_720),
    ("resnet101v2", 1000, 44_675_560 - 97_664, 97_664, 100, 48_832),
    ("resnet152v2", 1000, 60_380_648 - 143_744, 143_744, 151, 71_872),
    ("cifar_resnet20", 10, 269_722, 1_376, 19, 688),
    ("cifar_resnet56", 10, 853_018, 4_064, 55, 2_032),
    ("cifar_resnet20_b", 10, 269_722 + 16 * 32 + 32 * 64 + 2 * (32 + 64), 1_376 + 2 * (32 + 64), 19, 688),
    ("cifar_resnet56_b", 100, 861_620, 4_064 + 2 * (32 + 64), 55, 2_032),
];

/// Counts from the tensors and the summary of a model.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    parameters: usize,
    statistics: usize,
    sites: usize,
    channels: usize,
}

/// Counts a model twice, by its tensors and by its summary, and asserts that both agree.
fn count(entry: &'static ModelEntry, activation: &str, classes: usize, side: usize) -> Counts {
    let what = format!("{} with {activation} at {side}x{side}", entry.name);
    let options = Options { activation, classes, image: Some((side, side)), weights: Start::Unfilled };
    let model = entry.build(&options).unwrap();
    assert_eq!(
        (model.classes(), model.image(), model.activation()),
        (classes, (side, side), Some(activation)),
        "{what}"
    );
    let mut counts = Counts::default();
    // The first tensor of each site, by its path without the last step.
    let (mut tensors, mut sites) = (0, std::collections::BTreeMap::new());
    let mut see = |tensor: pvlu_zoo::model::TensorView<'_>| {
        tensors += tensor.values.len();
        match tensor.slot.kind {
            ParamKind::RunningMean | ParamKind::RunningVariance => counts.statistics += tensor.values.len(),
            _ => counts.parameters += tensor.values.len(),
        }
        if matches!(tensor.slot.kind, ParamKind::Activation | ParamKind::Hyperparameter) {
            let (site, _) = tensor.slot.path.rsplit_once('.').unwrap();
            let parameters: &mut (usize, usize) = sites.entry(site.to_owned()).or_insert((0, tensor.values.len()));
            assert_eq!(parameters.1, tensor.values.len(), "{what}: {site}");
            parameters.0 += 1;
        }
    };
    model.tensors(&mut see).unwrap();

    let mut summarized = 0;
    let mut show = |layer: pvlu::layer::LayerSummary<'_>| {
        summarized += layer.tensor_elements();
        if let LayerKind::Activation { activation: found } = layer.kind {
            let parameters = found.params().len();
            assert_eq!(found.name(), activation, "{what}: no activation is another one");
            counts.sites += 1;
            counts.channels += layer.output.channels();
            let each = if found.is_per_element() { layer.output.elements() } else { layer.output.channels() };
            let expected = (parameters > 0).then_some((parameters, each));
            assert_eq!(sites.remove(layer.path), expected, "{what}: {}", layer.path);
        }
    };
    let output = model.net().summarize(&mut Path::root(), Extent::image(3, side, side), &mut show).unwrap();
    assert_eq!(output, Extent::features(classes), "{what}");
    assert_eq!(summarized, tensors, "{what}");
    assert!(sites.is_empty(), "{what}: {sites:?} are no sites");
    counts
}

#[test]
fn parameters_and_sites_are_those_of_the_originals() {
    for (name, classes, parameters, statistics, sites, channels) in EXPECTED {
        let entry = pvlu_zoo::registry::find(name).unwrap();
        for activation in ["relu", "pvlu"] {
            let of_activations = if activation == "pvlu" { 2 * channels } else { 0 };
            let expected = Counts { parameters: parameters + of_activations, statistics, sites, channels };
            assert_eq!(count(entry, activation, classes, entry.image().0), expected, "{name} {activation}");
        }
    }
    // By hand: 7, 6 and 6 sites of 16 channels of 32x32, 32 of 16x16 and 64 of 8x8, as any image has a quarter of them
    // at half its size.
    let entry = pvlu_zoo::registry::find("cifar_resnet20").unwrap();
    for (side, elements) in [(32, 7 * 16_384 + 6 * 8_192 + 6 * 4_096), (16, 7 * 4_096 + 6 * 2_048 + 6 * 1_024)] {
        let [relu, slopes] = ["relu", "prelu_element"].map(|activation| count(entry, activation, 10, side));
        assert_eq!(slopes.parameters - relu.parameters, elements);
    }
}

#[test]
fn every_model_with_every_activation_and_head_has_the_same_layers_but_for_the_activation() {
    for entry in models() {
        for side in entry.sides().of_heads() {
            let relu = count(entry, "relu", 10, side);
            for activation in activation_names() {
                let found = count(entry, activation, 10, side);
                let of_activations = found.parameters - relu.parameters;
                if !pvlu_zoo::registry::activation(activation).unwrap().is_per_element() {
                    assert_eq!(of_activations % relu.channels, 0, "{} {activation}", entry.name);
                }
                assert_eq!(Counts { parameters: relu.parameters, ..found }, relu, "{} {activation}", entry.name);
            }
        }
    }
    // The small head of VGG: 512 x 512 and 512 x 10, with biases, and one site.
    for (name, trunk, sites) in [("vgg11", 9_220_480, 9), ("vgg13_bn", 9_410_880, 11), ("vgg16", 14_714_688, 14)] {
        let entry = pvlu_zoo::registry::find(name).unwrap();
        let [large, small] = [224, 32].map(|side| count(entry, "relu", 10, side));
        assert_eq!(small.parameters, trunk + 512 * 513 + 513 * 10, "{name}");
        assert_eq!(large.parameters, trunk + 25_089 * 4096 + 4097 * 4096 + 4097 * 10, "{name}");
        assert_eq!((small.sites, small.channels), (sites, large.channels - 2 * 4096 + 512), "{name}");
    }
}

#[test]
fn every_model_has_a_description_and_names_for_every_layer() {
    for entry in models() {
        assert!(entry.card().is_some(), "{} has no metadata", entry.name);
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
    assert_eq!(
        error("resnet50", (31, 64)),
        "resnet50 does not take images of 31x64; it takes any size from 32x32 to 4096x4096"
    );
}
