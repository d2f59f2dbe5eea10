//! Models of the registry as ONNX files, taken apart again.

use std::collections::BTreeMap;

use pvlu_zoo::registry::find;

use crate::reader::{Attribute, File, Tensor};
use crate::{small, written};

/// Batch norms, convolutions, linear layers and activations with a parameter for each channel.
#[test]
fn a_model_of_each_family_is_written_with_all_its_tensors_and_sound_wires() {
    // Those of other depths are built alike, and take minutes to write.
    for entry in
        ["sequential6conv", "vgg11_bn", "resnet18", "resnet50v2", "cifar_resnet20"].map(|name| find(name).unwrap())
    {
        let model = small(entry, "pvlu");
        let file = written(model.as_ref(), entry.name, false).unwrap();
        let side = model.image().0.to_string();
        assert_eq!(file.input, ("input".to_owned(), vec!["batch".to_owned(), "3".to_owned(), side.clone(), side]));
        assert_eq!(file.output, ("logits".to_owned(), vec!["batch".to_owned(), "10".to_owned()]));
        let mut others: BTreeMap<&str, &Tensor> =
            file.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        model
            .tensors(&mut |tensor| {
                let found = others.remove(tensor.slot.path).unwrap_or_else(|| panic!("no {}", tensor.slot.path));
                assert_eq!(found.floats(), tensor.values, "{} {}", entry.name, tensor.slot.path);
            })
            .unwrap();
        assert!(others.keys().all(|name| name.starts_with('/')), "{}: {:?}", entry.name, others.keys());
    }
}

#[test]
fn a_file_says_what_its_model_is() {
    let model = small(find("cifar_resnet20").unwrap(), "pvlu");
    let file = written(model.as_ref(), "cifar_resnet20", false).unwrap();
    let fact = |key: &str| file.metadata.get(&format!("pvlu_zoo.{key}")).map(String::as_str);
    assert_eq!([fact("model"), fact("activation")], [Some("cifar_resnet20"), Some("pvlu")]);
    assert_eq!([fact("classes"), fact("image")], [Some("10"), Some("8x8")]);
    assert_eq!(fact("version"), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(fact("labels"), None);
}

#[test]
fn pvlu_is_five_operations_with_its_parameters_for_each_channel() {
    let model = small(find("cifar_resnet20").unwrap(), "pvlu");
    let file = written(model.as_ref(), "cifar_resnet20", false).unwrap();
    let operations = file.operations();
    assert_eq!(operations[..3], ["Conv", "BatchNormalization", "Relu"]);
    let mut first = operations[2..7].to_vec();
    first.sort_unstable();
    assert_eq!(first, ["Add", "Mul", "Mul", "Relu", "Sin"]);
    let alphas: Vec<_> = file.tensors.iter().filter(|(name, _)| name.ends_with(".alpha")).collect();
    assert_eq!(alphas.len(), 19);
    assert!(alphas.iter().all(|(_, alpha)| matches!(alpha.dims[..], [1, 16 | 32 | 64, 1, 1])));
    assert_eq!(operations.last(), Some(&"Gemm"));
}

#[test]
fn folded_batch_norms_leave_convolutions_with_biases() {
    let count = |operations: &[&str], wanted: &str| operations.iter().filter(|name| **name == wanted).count();
    for (name, norms, left) in [("cifar_resnet20", 19, 0), ("resnet50v2", 49, 17)] {
        let model = small(find(name).unwrap(), "relu");
        let [plain, folded] = [false, true].map(|fold| written(model.as_ref(), name, fold).unwrap());
        assert_eq!(count(&plain.operations(), "BatchNormalization"), norms, "{name}");
        assert_eq!(count(&folded.operations(), "BatchNormalization"), left, "{name}");
        let convolution = folded.nodes.iter().find(|node| node.operation == "Conv").unwrap();
        assert_eq!(convolution.inputs.len(), 3);
        assert!(matches!(&convolution.attributes["pads"], Attribute::Integers(pads) if pads.len() == 4));
    }
}

/// One convolution has no bias of its own, the other has one.
#[test]
fn a_folded_convolution_has_the_factors_and_the_bias_of_its_norm() {
    for name in ["cifar_resnet20", "vgg11_bn"] {
        the_first_norm_is_folded(name);
    }
}

fn the_first_norm_is_folded(name: &str) {
    // Each row of the weight is multiplied by the factor of its channel.
    let model = small(find(name).unwrap(), "relu");
    let [plain, folded] = [false, true].map(|fold| written(model.as_ref(), name, fold).unwrap());
    let of = |file: &File, name: &str| file.tensors[name].floats();
    let [convolution, norm] = [&plain.nodes[0], &plain.nodes[1]];
    let weight = of(&plain, &convolution.inputs[1]);
    let [scale, shift, mean, variance] = [1, 2, 3, 4].map(|input| of(&plain, &norm.inputs[input]));
    assert_eq!(norm.attributes["epsilon"], Attribute::Float(1e-5));
    let own = convolution.inputs.get(2).map_or(vec![0.0; scale.len()], |bias| of(&plain, bias));
    let row = weight.len() / scale.len();
    let close = |found: f32, expected: f32| assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    let (found, bias) = (of(&folded, &convolution.inputs[1]), of(&folded, &folded.nodes[0].inputs[2]));
    for channel in 0..scale.len() {
        let factor = scale[channel] / (variance[channel] + 1e-5).sqrt();
        close(bias[channel], shift[channel] + factor * (own[channel] - mean[channel]));
        for at in channel * row..(channel + 1) * row {
            close(found[at], weight[at] * factor);
        }
    }
}
