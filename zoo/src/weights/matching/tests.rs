use std::collections::BTreeMap;

use super::*;
use crate::weights::testing::{fixture, open};
use crate::weights::{Declared, Writer};

fn tensor(key: &str, shape: &[usize], excuse: Excuse) -> Expected {
    let layout = if key.ends_with("kernel") { StoredLayout::InOut } else { StoredLayout::Same };
    Expected {
        key: key.into(),
        aliases: vec![format!("model.{key}")],
        shape: shape.to_vec(),
        layout,
        path: format!("0.{key}"),
        excuse,
    }
}

/// The tensors of the network in `torch_state_dict.safetensors`.
fn torch() -> Vec<Expected> {
    vec![
        tensor("0.weight", &[3, 2, 3, 3], Excuse::Never),
        tensor("1.weight", &[3], Excuse::Never),
        tensor("1.bias", &[3], Excuse::Never),
        tensor("1.running_mean", &[3], Excuse::Never),
        tensor("1.running_var", &[3], Excuse::Never),
        tensor("act0.alpha", &[3], Excuse::ActivationParameter),
        tensor("act0.beta", &[3], Excuse::ActivationParameter),
        tensor("3.weight", &[5, 12], Excuse::Classifier),
        tensor("3.bias", &[5], Excuse::Classifier),
    ]
}

fn torch_file() -> TensorFile {
    open(fixture("torch_state_dict.safetensors")).unwrap()
}

/// A file of zeros.
fn zeros(tensors: &[(&str, &[usize])]) -> TensorFile {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test");
    let declared =
        |(name, shape): &(&str, &[usize])| Declared { name: (*name).into(), dtype: Dtype::F32, shape: shape.to_vec() };
    let mut writer = Writer::create(&path, tensors.iter().map(declared).collect(), &BTreeMap::new()).unwrap();
    for (name, shape) in tensors {
        writer.write(name, &vec![0_f32; shape.iter().product()]).unwrap();
    }
    writer.finish().unwrap();
    open(std::fs::read(&path).unwrap()).unwrap()
}

const STRICT: MatchOptions = MatchOptions { fresh_head: false, ignored: BTreeSet::new(), activations: false };
const FRESH: MatchOptions = MatchOptions { fresh_head: true, ignored: BTreeSet::new(), activations: false };

fn problems(file: &TensorFile, expected: &[Expected], options: &MatchOptions) -> Vec<String> {
    match match_tensors(file, expected, Source::Torchvision, options) {
        Err(WeightsError::Mismatch { mismatch, .. }) => mismatch.problems.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_of_the_model_matches_and_its_counters_are_ignored() {
    let (file, expected) = (torch_file(), torch());
    let matched = match_tensors(&file, &expected, Source::Torchvision, &STRICT).unwrap();
    assert_eq!(matched.tensors.len(), 7);
    assert_eq!(matched.report.loaded.len(), 7);
    assert_eq!(matched.report.fresh, ["0.act0.alpha", "0.act0.beta"]);
    assert_eq!(matched.report.ignored, ["1.num_batches_tracked"]);
    assert!(matched.tensors.iter().all(|(tensor, name)| tensor.key == *name));
}

#[test]
fn everything_that_does_not_fit_is_in_one_error() {
    let mut expected = torch();
    expected[0].shape = vec![3, 2, 5, 5];
    expected[2].key = "1.baas".into();
    expected.push(tensor("4.running_mean_of_something_else", &[9], Excuse::Never));
    let file = torch_file();
    let error = match_tensors(&file, &expected, Source::Torchvision, &STRICT).unwrap_err().to_string();
    assert_eq!(
        error,
        "test: 4 tensors that do not fit the model, nothing was loaded:\n  \
         0.weight: expected [3, 2, 5, 5], found [3, 2, 3, 3]\n  \
         1.baas: expected [3], found none; the file has 1.bias\n  \
         4.running_mean_of_something_else: expected [9], found none\n  \
         1.bias: expected none, found F32 of [3]; the model has 1.baas"
    );
}

#[test]
fn an_alias_names_the_same_tensor_and_a_second_name_is_one_too_many() {
    let expected = [tensor("a", &[2], Excuse::Never)];
    let file = zeros(&[("model.a", &[2])]);
    let matched = match_tensors(&file, &expected, Source::Timm, &STRICT).unwrap();
    assert_eq!(matched.tensors[0].1, "model.a");
    let file = zeros(&[("a", &[2]), ("model.a", &[2])]);
    assert_eq!(problems(&file, &expected, &STRICT), ["model.a: expected none, found F32 of [2]"]);
}

#[test]
fn a_head_of_other_classes_fits_only_as_a_fresh_one() {
    let mut expected = torch();
    expected[7].shape = vec![10, 12];
    expected[8].shape = vec![10];
    let file = torch_file();
    assert_eq!(
        problems(&file, &expected, &STRICT),
        [
            "3.weight: expected [10, 12], found [5, 12]; another number of classes: only a fresh head fits",
            "3.bias: expected [10], found [5]; another number of classes: only a fresh head fits",
        ]
    );
    let matched = match_tensors(&file, &expected, Source::Torchvision, &FRESH).unwrap();
    assert_eq!(matched.report.fresh, ["0.act0.alpha", "0.act0.beta", "0.3.weight", "0.3.bias"]);
    assert_eq!(matched.report.ignored, ["3.weight", "3.bias", "1.num_batches_tracked"]);
    assert_eq!(matched.report.loaded.len(), 5);
}

#[test]
fn a_head_of_the_same_classes_is_loaded_even_if_a_fresh_one_would_do() {
    let (file, expected) = (torch_file(), torch());
    assert_eq!(match_tensors(&file, &expected, Source::Torchvision, &FRESH).unwrap().report.loaded.len(), 7);
}

#[test]
fn a_missing_head_may_be_fresh_and_half_of_one_may_not() {
    let expected = [
        tensor("a", &[2], Excuse::Never),
        tensor("head/kernel", &[4, 10], Excuse::Classifier),
        tensor("head/bias", &[10], Excuse::Classifier),
    ];
    let file = zeros(&[("a", &[2])]);
    assert_eq!(match_tensors(&file, &expected, Source::Keras, &FRESH).unwrap().report.fresh.len(), 2);
    assert_eq!(problems(&file, &expected, &STRICT).len(), 2);
    for (name, shape) in [("head/kernel", [4, 10].as_slice()), ("head/bias", &[10]), ("head/bias", &[7])] {
        let file = zeros(&[("a", &[2]), (name, shape)]);
        assert!(!problems(&file, &expected, &FRESH).is_empty(), "{name}");
    }
}

#[test]
fn layers_of_the_head_before_the_last_may_be_missing_only_with_it() {
    let expected = [
        tensor("a", &[2], Excuse::Never),
        tensor("fc1.weight", &[8, 2], Excuse::Head),
        tensor("fc2.weight", &[10, 8], Excuse::Classifier),
    ];
    let fresh = |tensors: &[(&str, &[usize])]| {
        let file = zeros(tensors);
        match_tensors(&file, &expected, Source::Timm, &FRESH).map(|matched| matched.report.fresh)
    };
    assert_eq!(fresh(&[("a", &[2])]).unwrap(), ["0.fc1.weight", "0.fc2.weight"]);
    assert_eq!(fresh(&[("a", &[2]), ("fc1.weight", &[8, 2])]).unwrap(), ["0.fc2.weight"]);
    assert_eq!(fresh(&[("a", &[2]), ("fc1.weight", &[8, 2]), ("fc2.weight", &[7, 8])]).unwrap(), ["0.fc2.weight"]);
    let error = fresh(&[("a", &[2]), ("fc2.weight", &[7, 8])]).unwrap_err().to_string();
    assert!(error.ends_with("fc1.weight: expected [8, 2], found none"), "{error}");
    let error = fresh(&[("a", &[2]), ("fc1.weight", &[9, 2]), ("fc2.weight", &[7, 8])]).unwrap_err().to_string();
    assert!(error.ends_with("fc1.weight: expected [8, 2], found [9, 2]"), "{error}");
}

#[test]
fn layers_that_are_none_of_the_model_are_left_out_even_if_it_has_their_names() {
    let expected = [tensor("a", &[2], Excuse::Never), tensor("dense/0", &[3], Excuse::Classifier)];
    let file = zeros(&[("a", &[2]), ("dense/0", &[5, 5]), ("dense_1/0", &[5])]);
    let ignored = BTreeSet::from(["dense".to_owned(), "dense_1".to_owned()]);
    let options = MatchOptions { ignored, ..FRESH };
    let report = match_tensors(&file, &expected, Source::Keras, &options).unwrap().report;
    assert_eq!((report.loaded, report.fresh), (vec!["0.a".to_owned()], vec!["0.dense/0".to_owned()]));
    assert_eq!(report.ignored, ["dense/0", "dense_1/0"]);
}

#[test]
fn a_head_that_differs_in_more_than_its_classes_is_refused() {
    let expected =
        [tensor("head/kernel", &[4, 10], Excuse::Classifier), tensor("head/bias", &[10], Excuse::Classifier)];
    // Keras counts classes last: here the features differ.
    for (kernel, bias) in [([5, 10], 10), ([4, 7], 8), ([5, 7], 7)] {
        let file = zeros(&[("head/kernel", &kernel), ("head/bias", &[bias])]);
        assert!(!problems(&file, &expected, &FRESH).is_empty(), "{kernel:?} {bias}");
    }
    let file = zeros(&[("head/kernel", &[4, 7]), ("head/bias", &[7])]);
    assert_eq!(match_tensors(&file, &expected, Source::Keras, &FRESH).unwrap().report.fresh.len(), 2);
}

#[test]
fn activation_parameters_are_all_in_the_file_or_none_is() {
    let expected = [
        tensor("a", &[2], Excuse::Never),
        tensor("act0.alpha", &[2], Excuse::ActivationParameter),
        tensor("act0.beta", &[2], Excuse::ActivationParameter),
    ];
    let all = zeros(&[("a", &[2]), ("act0.alpha", &[2]), ("act0.beta", &[2])]);
    assert_eq!(match_tensors(&all, &expected, Source::Native, &STRICT).unwrap().report.loaded.len(), 3);
    // The file of a model without, unless it says otherwise.
    let none = zeros(&[("a", &[2])]);
    assert_eq!(match_tensors(&none, &expected, Source::Native, &STRICT).unwrap().report.fresh.len(), 2);
    let says = MatchOptions { activations: true, ..STRICT };
    assert_eq!(problems(&none, &expected, &says).len(), 2);
    // What a PReLU model holds is not half of what a PVLU model takes.
    let some = zeros(&[("a", &[2]), ("act0.alpha", &[2])]);
    let missing = "act0.beta: expected [2], found none";
    assert_eq!(problems(&some, &expected, &STRICT), [missing]);
    let beside = zeros(&[("a", &[2]), ("act0.gamma", &[2])]);
    assert_eq!(problems(&beside, &expected, &STRICT), ["act0.gamma: expected none, found F32 of [2]"]);
}

#[test]
fn a_counter_of_any_type_and_shape_is_ignored() {
    for shape in [&[][..], &[1], &[2, 3]] {
        let file = zeros(&[("bn.num_batches_tracked", shape), ("num_batches_tracked", shape)]);
        let report = match_tensors(&file, &[], Source::Torchvision, &STRICT).unwrap().report;
        assert_eq!(report.ignored, ["bn.num_batches_tracked", "num_batches_tracked"]);
    }
    // By that name alone.
    let file = zeros(&[("bn.num_batches", &[])]);
    assert_eq!(problems(&file, &[], &STRICT), ["bn.num_batches: expected none, found F32 of a scalar"]);
}

#[test]
fn the_states_of_a_model_that_was_trained_are_no_weights() {
    for state in ["optimizer/vars/3", "metrics/mean/vars/0", "layers/dropout/seed_generator/vars/0"] {
        assert!(is_state(Format::Keras3, state) && !is_state(Format::Safetensors, state), "{state}");
    }
    assert!(!is_state(Format::Keras3, "layers/metrics/vars/0"));
}

#[test]
fn a_weight_of_integers_is_refused() {
    let file = open(fixture("foreign_types.safetensors")).unwrap();
    let expected = [tensor("a", &[2, 2], Excuse::Never), tensor("b", &[3], Excuse::Never)];
    assert_eq!(
        problems(&file, &expected, &STRICT),
        ["b: expected F16, BF16, F32 or F64, found I32", "c: expected none, found F8_E4M3 of [4]"]
    );
}
