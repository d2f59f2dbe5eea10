use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::weights::testing::{read, values};
use crate::weights::{Declared, Dtype, TensorFile, WeightsError, Writer};

fn declared(name: &str, dtype: Dtype, shape: &[usize]) -> Declared {
    Declared { name: name.into(), dtype, shape: shape.to_vec() }
}

fn files(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn what_is_written_is_read_again_and_by_the_original_parser() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let tensors = [
        declared("z", Dtype::F32, &[3, 5]),
        declared("a \"quoted\" name", Dtype::F64, &[7]),
        declared("half", Dtype::F16, &[2, 2]),
        declared("brain", Dtype::BF16, &[]),
        declared("empty", Dtype::F32, &[0, 4]),
    ];
    let metadata = BTreeMap::from([("model".to_owned(), "vgg16 \"ü\"".to_owned())]);
    let mut writer = Writer::create(&path, tensors.to_vec(), &metadata).unwrap();
    for tensor in &tensors {
        writer.write(&tensor.name, &values(&tensor.name, tensor.shape.iter().product())).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(files(folder.path()), ["model.safetensors"]);

    let file = TensorFile::open(&path).unwrap();
    assert_eq!(file.metadata(), &metadata);
    for tensor in &tensors {
        let entry = &file.entries()[&tensor.name];
        assert_eq!((&entry.dtype, &entry.shape), (&tensor.dtype, &tensor.shape));
        assert_eq!(read(&file, &tensor.name).unwrap(), values(&tensor.name, tensor.shape.iter().product()));
    }
    let bytes = fs::read(&path).unwrap();
    let original = ::safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let view = original.tensor("z").unwrap();
    assert_eq!((view.dtype(), view.shape()), (::safetensors::Dtype::F32, [3, 5].as_slice()));
    let numbers: Vec<u8> = values("z", 15).iter().flat_map(|x| (*x as f32).to_le_bytes()).collect();
    assert_eq!(view.data(), numbers);
    assert_eq!(original.len(), 5);
}

#[test]
fn an_unfinished_file_is_removed_and_the_old_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    fs::write(&path, "old").unwrap();
    let two = vec![declared("a", Dtype::F32, &[2]), declared("b", Dtype::F32, &[2])];

    let mut writer = Writer::create(&path, two.clone(), &BTreeMap::new()).unwrap();
    writer.write("a", &[1_f32, 2.0]).unwrap();
    assert_eq!(files(folder.path()).len(), 2);
    drop(writer);
    assert_eq!(files(folder.path()), ["model.safetensors"]);

    let mut writer = Writer::create(&path, two, &BTreeMap::new()).unwrap();
    writer.write("a", &[1_f32, 2.0]).unwrap();
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.ends_with("model.safetensors: expected tensor b, found the end"), "{error}");
    assert_eq!(files(folder.path()), ["model.safetensors"]);
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn a_tensor_out_of_order_or_of_another_size_spoils_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for (name, values, expected) in [
        ("b", vec![0_f32; 4], "expected tensor a of [2, 2], found b of 4 elements"),
        ("a", vec![0_f32; 3], "expected tensor a of [2, 2], found a of 3 elements"),
    ] {
        let mut writer = Writer::create(&path, vec![declared("a", Dtype::F32, &[2, 2])], &BTreeMap::new()).unwrap();
        let error = writer.write(name, &values).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}");
        assert!(writer.finish().is_err());
        assert!(files(folder.path()).is_empty());
    }
    let mut writer = Writer::create(&path, vec![], &BTreeMap::new()).unwrap();
    let error = writer.write::<f32>("a", &[]).unwrap_err().to_string();
    assert!(error.ends_with("expected tensor none, found a of 0 elements"), "{error}");
}

#[test]
fn a_number_beyond_the_type_of_the_file_spoils_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut writer = Writer::create(&path, vec![declared("a", Dtype::F16, &[2])], &BTreeMap::new()).unwrap();
    let error = writer.write("a", &[f32::INFINITY, 70_000.0]).unwrap_err();
    assert!(matches!(error, WeightsError::Range { index: 1, value: 70_000.0, dtype: "F16", .. }), "{error}");
    assert!(writer.finish().is_err());
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_name_that_is_taken_or_a_type_that_is_no_float_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for (tensors, expected) in [
        (vec![declared("__metadata__", Dtype::F32, &[])], "__metadata__: expected a name of its own"),
        (vec![declared("a", Dtype::F32, &[]), declared("a", Dtype::F32, &[])], "a: expected a name of its own"),
        (vec![declared("a", Dtype::I64, &[])], "a: expected F16, BF16, F32 or F64, found I64"),
        (vec![declared("a", Dtype::F32, &[usize::MAX, 2])], "a: expected a size that fits into memory"),
    ] {
        let error = Writer::create(&path, tensors, &BTreeMap::new()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(files(folder.path()).is_empty());
    }
}

#[test]
fn a_path_without_a_name_or_in_no_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join(".."), folder.path().join("none/model.safetensors")] {
        assert!(matches!(Writer::create(&path, vec![], &BTreeMap::new()), Err(WeightsError::Io { .. })));
    }
}
