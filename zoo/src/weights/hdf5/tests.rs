use hdf5_writer::{AttributeBuilder, DatasetBuilder, Hdf5Builder, WriteOptions};

use crate::weights::testing::{fixture, fixture_path, open, read, refusal, values};
use crate::weights::{Dtype, Format, TensorFile};

fn names(file: &TensorFile) -> Vec<&str> {
    file.entries().keys().map(String::as_str).collect()
}

fn assert_values(file: &TensorFile) {
    for (name, entry) in file.entries() {
        assert_eq!(read(file, name).unwrap(), values(name, entry.shape.iter().product()), "{name}");
    }
}

/// Names of the weights of a `.weights.h5` and what the model called them.
const KERAS3: [(&str, &str); 13] = [
    ("layers/batch_normalization/vars/0", "conv1_bn/gamma"),
    ("layers/batch_normalization/vars/1", "conv1_bn/beta"),
    ("layers/batch_normalization/vars/2", "conv1_bn/moving_mean"),
    ("layers/batch_normalization/vars/3", "conv1_bn/moving_variance"),
    ("layers/batch_normalization_1/vars/0", "conv2_bn/gamma"),
    ("layers/batch_normalization_1/vars/1", "conv2_bn/beta"),
    ("layers/batch_normalization_1/vars/2", "conv2_bn/moving_mean"),
    ("layers/batch_normalization_1/vars/3", "conv2_bn/moving_variance"),
    ("layers/conv2d/vars/0", "conv1_conv/kernel"),
    ("layers/conv2d/vars/1", "conv1_conv/bias"),
    ("layers/conv2d_1/vars/0", "conv2_conv/kernel"),
    ("layers/dense/vars/0", "predictions/kernel"),
    ("layers/dense/vars/1", "predictions/bias"),
];

#[test]
fn weights_of_keras_3_are_read_in_every_type_it_writes() {
    for (name, dtype) in [
        ("keras3.weights.h5", Dtype::F32),
        ("keras3_bfloat16.weights.h5", Dtype::BF16),
        ("keras3_float16.weights.h5", Dtype::F16),
    ] {
        let file = TensorFile::open(fixture_path(name)).unwrap();
        assert_eq!(file.format(), Format::Keras3);
        assert_eq!(names(&file), KERAS3.map(|(name, _)| name));
        for (name, original) in KERAS3 {
            let entry = &file.entries()[name];
            // Batch norms keep their statistics and scales in single precision whatever the policy, by Keras' choice.
            assert!(entry.dtype == dtype || entry.dtype == Dtype::F32, "{name}: {}", entry.dtype);
            assert_eq!(read(&file, name).unwrap(), values(original, entry.shape.iter().product()), "{name}");
        }
        assert_eq!(file.entries()["layers/conv2d/vars/0"].dtype, dtype);
        file.verify::<f32>().unwrap();
    }
}

#[test]
fn a_whole_model_of_keras_3_gives_its_weights_and_no_state_of_the_optimizer() {
    let file = open(fixture("keras3_whole_model.h5")).unwrap();
    assert_eq!(file.format(), Format::KerasLegacy);
    let mut expected = KERAS3.map(|(_, name)| name);
    expected.sort_unstable();
    assert_eq!(names(&file), expected);
    assert_eq!(file.metadata()["backend"], "jax");
    assert_values(&file);
}

#[test]
fn every_layout_of_keras_1_and_2_gives_the_same_names() {
    for name in ["keras1.h5", "keras2.h5", "keras2_split_names.h5"] {
        let file = open(fixture(name)).unwrap();
        assert_eq!(file.format(), Format::KerasLegacy);
        assert_eq!(
            names(&file),
            [
                "conv1_bn/beta",
                "conv1_bn/gamma",
                "conv1_bn/moving_mean",
                "conv1_bn/moving_variance",
                "conv1_conv/bias",
                "conv1_conv/kernel",
                "predictions/bias",
                "predictions/kernel",
            ],
            "{name}"
        );
        assert_eq!(file.metadata()["keras_version"], "2.2.4");
        assert_eq!(file.entries()["conv1_conv/kernel"].shape, [3, 3, 2, 3]);
        assert_values(&file);
    }
}

#[test]
fn every_storage_of_hdf5_gives_the_same_values() {
    for name in ["storage_earliest.h5", "storage_latest.h5"] {
        let file = open(fixture(name)).unwrap();
        assert_eq!(file.entries().len(), 9, "{name}");
        assert!(file.entries()["layers/dense_7/vars/0"].shape.is_empty());
        assert_eq!(file.entries()["layers/dense_8/vars/0"].shape, [0, 3]);
        file.verify::<f32>().unwrap();
        assert_values(&file);
    }
}

#[test]
fn what_is_no_weight_or_not_all_there_is_refused_by_name() {
    let file = open(fixture("refused.h5")).unwrap();
    for (layer, expected) in [
        ("integers", "expected F16, BF16, F32 or F64, found I32"),
        ("scaled", "expected F16, BF16, F32 or F64, found I32"),
        ("unwritten", "expected values, found a dataset never written"),
        ("unwritten_chunks", "expected every chunk once, found 1 of 3: the others were never written"),
        ("text", "expected F16, BF16, F32 or F64, found strings or lists"),
        ("external", "expected values in this file, found values in another file"),
        ("null", "expected a value, found a null dataspace"),
        ("wide_chunk", "expected a dataset that can be decoded, found"),
    ] {
        let name = format!("layers/{layer}/vars/0");
        let error = read(&file, &name).unwrap_err().to_string();
        assert!(error.contains(&name) && error.contains(expected), "{error}");
    }
}

#[test]
fn a_file_behind_a_user_block_and_in_the_compression_of_h5py_is_read() {
    for name in ["user_block_earliest.h5", "user_block_latest.h5"] {
        let bytes = fixture(name);
        let file = open(bytes.as_slice()).unwrap();
        assert_eq!(file.entries().len(), 3, "{name}");
        assert_values(&file);
        let short = refusal(&bytes[..bytes.len() - 1]);
        let (all, found) = (bytes.len(), bytes.len() - 1);
        assert!(short.contains(&format!("expected {all} bytes, as its superblock says, found {found}")), "{short}");
    }
    let file = open(fixture("refused.h5")).unwrap();
    assert_eq!(read(&file, "layers/lzf/vars/0").unwrap(), [0.0; 64 * 64]);
}

#[test]
fn a_dataset_larger_than_the_file_takes_no_memory() {
    let error = refusal(fixture("refused_huge.h5"));
    assert!(error.contains("chunks: expected at most") && error.contains("found 1048576"), "{error}");
}

#[test]
fn a_second_name_for_a_dataset_or_a_group_is_refused() {
    for name in ["refused_soft_link.h5", "refused_cycle.h5"] {
        let error = refusal(fixture(name));
        assert!(error.contains("another name for one met before"), "{error}");
    }
}

#[test]
fn a_link_to_another_file_is_not_followed() {
    let file = open(fixture("external_link.h5")).unwrap();
    assert_eq!(names(&file), ["layers/dense/vars/0"]);
}

/// A file of one number for each dataset, with the names of layers at groups.
fn written(datasets: &[&str], names: &[(&str, &str)], metadata: &[(&str, &str)]) -> TensorFile {
    let dataset = |name: &&str| DatasetBuilder::typed_data(*name, [1], &[0.5_f32]).unwrap();
    let builder = datasets.iter().map(dataset).fold(Hdf5Builder::new(), Hdf5Builder::dataset);
    let named = |builder: Hdf5Builder, (group, name): &(&str, &str)| {
        builder.group_attribute(*group, AttributeBuilder::fixed_string("name", name))
    };
    let builder = names.iter().fold(builder, named);
    let said = |builder: Hdf5Builder, (key, text): &(&str, &str)| {
        builder.attribute(AttributeBuilder::vlen_strings(*key, &[text]).unwrap())
    };
    let plan = metadata.iter().fold(builder, said).into_plan().unwrap();
    open(plan.encode(WriteOptions::default()).unwrap()).unwrap()
}

#[test]
fn parameters_of_activations_go_by_their_layers_and_their_class_says_what_they_are_of() {
    let file = written(
        &["layers/pvlu/vars/alpha", "layers/pvlu_1/vars/alpha", "layers/pvlu_2/vars/alpha", "layers/dense/vars/0"],
        // Not in the order in which they are counted; one has another name, and numbers are Keras' own.
        &[
            ("layers/pvlu/vars", "act7"),
            ("layers/pvlu_1/vars", "act0"),
            ("layers/pvlu_2/vars", "active"),
            ("layers/dense/vars", "act1"),
        ],
        &[("other", "text"), ("pvlu_zoo.model", "vgg16")],
    );
    assert_eq!(names(&file), ["act0.alpha", "act7.alpha", "layers/dense/vars/0", "layers/pvlu_2/vars/alpha"]);
    let metadata: Vec<_> = file.metadata().iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    assert_eq!(metadata, [("pvlu_zoo.activation", "pvlu"), ("pvlu_zoo.model", "vgg16")]);

    let activation = |datasets: &[&str], names: &[(&str, &str)], metadata: &[(&str, &str)]| {
        written(datasets, names, metadata).metadata().get("pvlu_zoo.activation").cloned()
    };
    // An activation without parameters has a group without variables.
    let mish = [("layers/mish_12/vars", "mish_12")];
    assert_eq!(activation(&["layers/dense/vars/0"], &mish, &[]).as_deref(), Some("mish"));
    let of_formula = ["layers/formula/vars/a", "layers/gelu/vars/a"];
    assert_eq!(activation(&of_formula, &[], &[]).as_deref(), Some("formula, gelu"));
    let stated = [("pvlu_zoo.activation", "f = a*x; a = 1")];
    assert_eq!(activation(&of_formula[..1], &[], &stated).as_deref(), Some("f = a*x; a = 1"));
    assert_eq!(activation(&["layers/re_lu/vars/0", "layers/dense_1/vars/0"], &[], &[]), None);
}
