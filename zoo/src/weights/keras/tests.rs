//! The files of `tests/fixtures/keras`, which Keras wrote.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::testing::{read, refusal, values};
use super::super::{Configuration, Format, TensorFile};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/keras").join(name)
}

fn open(name: &str) -> TensorFile {
    TensorFile::open(fixture(name)).unwrap()
}

fn names(file: &TensorFile) -> Vec<&str> {
    file.entries().keys().map(String::as_str).collect()
}

/// Every tensor of a file whose names are layer and leaf has the values of the formula; `prefix` is that of a model
/// within the model.
fn assert_values(file: &TensorFile, prefix: &str) {
    for (name, entry) in file.entries() {
        if !name.starts_with("optimizer/") {
            let plain = name.strip_prefix(prefix).unwrap_or(name);
            assert_eq!(read(file, name).unwrap(), values(plain, entry.shape.iter().product()), "{name}");
        }
    }
    file.verify::<f32>().unwrap();
}

const BASE: [&str; 6] = [
    "conv1_bn/beta",
    "conv1_bn/moving_mean",
    "conv1_bn/moving_variance",
    "conv1_conv/kernel",
    "conv2_conv/bias",
    "conv2_conv/kernel",
];

#[test]
fn an_archive_is_read_in_place_under_the_names_of_its_configuration() {
    let file = open("flat.keras");
    assert_eq!((file.format(), file.metadata()["keras_version"].as_str()), (Format::KerasLegacy, "3.15.1"));
    let weights: Vec<&str> = names(&file).into_iter().filter(|name| !name.starts_with("optimizer/")).collect();
    assert_eq!(weights, BASE);
    assert_values(&file, "");
    assert!(Configuration::parse(file.configuration().unwrap()).is_ok());
    // The same bytes in memory.
    let bytes = fs::read(fixture("flat.keras")).unwrap();
    assert_values(&TensorFile::from_bytes("flat", bytes).unwrap(), "");
}

#[test]
fn the_names_of_an_archive_are_those_of_the_same_model_in_one_file() {
    let nested: Vec<String> = BASE.iter().map(|name| format!("base/{name}")).collect();
    let head = ["head/bias", "head/kernel", "hidden/bias", "hidden/kernel"];
    let expected: Vec<&str> = nested.iter().map(String::as_str).chain(head).collect();
    for name in ["nested.keras", "nested.h5"] {
        let file = open(name);
        assert_eq!(names(&file), expected, "{name}");
        assert_values(&file, "base/");
    }
    // The model of a model within a model: by the outermost one, as in a legacy file.
    let file = open("nested_twice.keras");
    assert!(file.entries().contains_key("outer/conv1_conv/kernel"), "{:?}", names(&file));
    assert_values(&file, "outer/");
}

#[test]
fn weights_in_several_files_are_one_file_and_a_missing_one_is_named() {
    let (whole, shards) = (open("nested.weights.h5"), open("sharded.weights.json"));
    assert_eq!((shards.format(), shards.entries()), (whole.format(), whole.entries()));
    for name in names(&whole) {
        assert_eq!(read(&shards, name).unwrap(), read(&whole, name).unwrap(), "{name}");
    }
    shards.verify::<f32>().unwrap();

    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("sharded.weights.json");
    let text = fs::read_to_string(fixture("sharded.weights.json")).unwrap();
    fs::write(&json, &text).unwrap();
    fs::copy(fixture("sharded_00000.weights.h5"), folder.path().join("sharded_00000.weights.h5")).unwrap();
    let says = |text: &str| {
        fs::write(&json, text).unwrap();
        TensorFile::open(&json).unwrap_err().to_string()
    };
    let error = says(&text);
    assert!(error.contains("file sharded_00001.weights.h5: expected it beside the JSON that lists it"), "{error}");
    // A file that is not what is listed.
    fs::copy(fixture("sharded_00000.weights.h5"), folder.path().join("sharded_00001.weights.h5")).unwrap();
    let error = says(&text);
    assert!(error.contains("expected it in one file, found it in two"), "{error}");
    let error = says(r#"{"weight_map": {"/layers/dense/vars": ["sharded_00000.weights.h5"]}}"#);
    assert!(error.contains("group /layers/dense/vars: expected tensors in the files"), "{error}");
    for outside in ["../sharded_00000.weights.h5", "/tmp/a.h5", "..\\\\a.h5"] {
        let error = says(&format!(r#"{{"weight_map": {{"/layers/dense/vars": "{outside}"}}}}"#));
        assert!(error.contains("expected the name of a file in the same folder"), "{error}");
    }
    // Files in memory have no others beside them, and an index of another kind lists no files of Keras.
    assert!(refusal(text.into_bytes()).contains("found JSON"));
    assert!(says(r#"{"weight_map": {"a": "model-00001.safetensors"}}"#).contains("found JSON"));
}

#[test]
fn archives_that_are_not_read_are_refused_with_what_to_do() {
    let says = |name: &str| refusal(fs::read(fixture(name)).unwrap());
    let error = says("deflated.keras");
    let expected = "of the archive: expected bytes stored as they are, found a compressed one: unpack the archive, and \
                    pack it by zip -0 or save the model again";
    assert!(error.contains(expected), "{error}");
    let error = says("numpy.keras");
    assert!(error.contains("model.weights.npz, which is not read: load it with Keras"), "{error}");
    let bytes = fs::read(fixture("flat.keras")).unwrap();
    let error = refusal(&bytes[..bytes.len() / 2]);
    assert!(error.contains("directory of the zip archive: expected a whole one"), "{error}");
    let broken = |old: &str, new: &str| {
        let mut bytes = bytes.clone();
        let at: Vec<usize> =
            (0..bytes.len() - old.len()).filter(|at| bytes[*at..].starts_with(old.as_bytes())).collect();
        assert!(!at.is_empty());
        at.iter().for_each(|at| bytes[*at..*at + new.len()].copy_from_slice(new.as_bytes()));
        refusal(bytes)
    };
    assert!(broken("config.json", "konfig.json").contains("entry config.json of the archive: expected one"));
    assert!(broken("\"class_name\": \"Conv2D\"", "\"klass_name\": \"Conv2D\"").contains("a layer without class_name"));
    assert!(broken("HDF\r\n", "HDG\r\n").contains("entry model.weights.h5 of the archive: expected HDF5"));
}

/// A zip archive may have anything before it: the values of a tensor, too.
#[test]
fn a_tensor_whose_bytes_are_an_archive_is_no_archive() {
    let mut values = fs::read(fixture("flat.keras")).unwrap();
    let padded = values.len().next_multiple_of(4);
    values.splice(0..0, vec![0; padded - values.len()]);
    let shape = values.len() / 4;
    let header = format!("{{\"x\":{{\"dtype\":\"F32\",\"shape\":[{shape}],\"data_offsets\":[0,{padded}]}}}}");
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &values].concat();
    let file = TensorFile::from_bytes("x", bytes).unwrap();
    assert_eq!((file.format(), names(&file)), (Format::Safetensors, vec!["x"]));
}

#[test]
fn adapters_that_keras_merged_are_read_and_others_and_quantized_layers_are_refused() {
    let file = open("lora.weights.h5");
    let kernel = read(&file, "layers/dense/vars/0").unwrap();
    let [a, b] = [("a", 80 * 2), ("b", 2 * 6)].map(|(of, count)| values(&format!("hidden/lora_kernel_{of}"), count));
    // The scale of the adapter is alpha / rank = 1.
    for (index, (found, value)) in kernel.iter().zip(values("hidden/kernel", 80 * 6)).enumerate() {
        let (row, column) = (index / 6, index % 6);
        let merged = value + a[2 * row] * b[column] + a[2 * row + 1] * b[6 + column];
        assert!((found - merged).abs() < 1e-6, "{found} {merged}");
    }
    let says = |name: &str| TensorFile::open(fixture(name)).unwrap_err().to_string();
    let error = says("lora.h5");
    assert!(error.contains("hidden/lora_kernel_a: expected kernels alone, found an adapter (LoRA)"), "{error}");
    for (name, key) in [("int8.weights.h5", "layers/dense/vars/0"), ("int8.keras", "head/kernel")] {
        let error = says(name);
        assert!(error.contains(&format!("{key}: expected weights as floats, found I8 of a quantized")), "{error}");
        assert!(error.contains("before model.quantize"), "{error}");
    }
}
