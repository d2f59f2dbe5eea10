use std::collections::BTreeMap;
use std::fs;

use super::{Declared, Writer};
use crate::weights::testing::{fixture, fixture_path, open, read, refusal, values};
use crate::weights::{Dtype, Format, TensorFile, WeightsError};

#[test]
fn every_type_of_float_is_read_as_torch_wrote_it() {
    let file = TensorFile::open(fixture_path("every_type.safetensors")).unwrap();
    assert_eq!(file.format(), Format::Safetensors);
    assert_eq!(file.metadata()["note"], "Grüße, \"x\"\n");
    for (name, dtype) in [
        ("half.weight", Dtype::F16),
        ("brain.weight", Dtype::BF16),
        ("single.weight", Dtype::F32),
        ("double.weight", Dtype::F64),
    ] {
        let entry = &file.entries()[name];
        assert_eq!((&entry.dtype, entry.shape.as_slice()), (&dtype, [3, 2, 3, 3].as_slice()));
        assert_eq!(read(&file, name).unwrap(), values(name, 54), "{name}");
        let mut single = vec![f32::NAN; 54];
        file.read_into(name, &mut single).unwrap();
        assert!(single.iter().zip(values(name, 54)).all(|(x, y)| f64::from(*x) == y), "{name}");
    }
    assert_eq!(read(&file, "scalar").unwrap(), values("scalar", 1));
    assert!(read(&file, "empty").unwrap().is_empty());
    file.verify::<f32>().unwrap();
}

#[test]
fn a_tensor_longer_than_a_piece_is_read_whole() {
    let count = TensorFile::PIECE / 4 + 12_345;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.safetensors");
    let numbers: Vec<f32> = (0..count).map(|i| i as f32).collect();
    let declared = Declared { name: "long".into(), dtype: Dtype::F32, shape: vec![count] };
    let mut writer = Writer::create(&path, vec![declared], &BTreeMap::new()).unwrap();
    writer.write("long", &numbers).unwrap();
    writer.finish().unwrap();
    let file = TensorFile::open(&path).unwrap();
    let mut back = vec![f32::NAN; count];
    file.read_into("long", &mut back).unwrap();
    assert_eq!(back, numbers);

    let file = open(fixture("long.safetensors")).unwrap();
    assert_eq!(read(&file, "long").unwrap(), values("long", 130 * 173));
}

#[test]
fn a_file_cut_while_it_is_open_gives_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.safetensors");
    fs::write(&path, fixture("every_type.safetensors")).unwrap();
    let file = TensorFile::open(&path).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(900).unwrap();
    assert!(matches!(file.verify::<f32>(), Err(WeightsError::Io { .. })));
}

#[test]
fn a_tensor_of_another_type_or_size_is_refused_by_name() {
    let file = open(fixture("foreign_types.safetensors")).unwrap();
    file.verify::<f32>().unwrap();
    for (name, dtype) in [("b", "I32"), ("c", "F8_E4M3")] {
        let error = read(&file, name).unwrap_err().to_string();
        assert_eq!(error, format!("test: {name}: expected F16, BF16, F32 or F64, found {dtype}"));
    }
    let error = file.read_into("a", &mut [0_f32; 5]).unwrap_err().to_string();
    assert_eq!(error, "test: a: expected 5 elements, found [2, 2]");
    let error = file.read_into("d", &mut [0_f32; 5]).unwrap_err().to_string();
    assert_eq!(error, "test: d: expected a tensor of this name, found none");
}

#[test]
fn a_number_beyond_the_type_of_the_model_is_refused_and_an_infinity_is_not() {
    let data = [1.0, f64::INFINITY, -1e300].map(f64::to_le_bytes).concat();
    let bytes = safetensors(r#"{"w":{"dtype":"F64","shape":[3],"data_offsets":[0,24]}}"#, &data);
    let file = open(bytes).unwrap();
    assert_eq!(read(&file, "w").unwrap(), [1.0, f64::INFINITY, -1e300]);
    let error = file.read_into("w", &mut [0_f32; 3]).unwrap_err().to_string();
    assert_eq!(error, "test: w: element 2: expected a number within F32, found -1e300");
    assert_eq!(file.verify::<f32>().unwrap_err().to_string(), error);
}

/// A file of this header and these values.
fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

#[test]
fn a_hostile_header_is_refused_with_the_reason() {
    let deep = format!(r#"{{"a":{{"x":{}1{}}}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let long = format!("{{{}:0}}", format_args!("\"{}\\u001b[31m\"", "a".repeat(1000)));
    let wide = format!(r#"{{"a":{{"dtype":"{}","shape":[2],"data_offsets":[0,8]}}}}"#, "x".repeat(5_000));
    for (header, expected) in [
        (r#"[]"#, "found neither"),
        (r#"{"a":1}"#, "a: invalid type: integer"),
        (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}"#, "expected 4 bytes for F32 of shape [1], found 8"),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9]}}"#, "expected a range within 0..8, found 0..9"),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, "expected a range within 0..8, found 8..0"),
        (r#"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, "a: invalid value: integer `-2`"),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#, "a: invalid value: integer `-8`"),
        (r#"{"a":{"dtype":"F32","shape":[1e9],"data_offsets":[0,8]}}"#, "a: invalid type: floating point"),
        (
            r#"{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}"#,
            "a: invalid type: floating point",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967298],"data_offsets":[0,8]}}"#,
            "expected a number of bytes that exists",
        ),
        (r#"{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,8]}}"#, "expected a number of bytes that exists"),
        (r#"{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}"#, "a: unknown variant `F33`"),
        (
            "{\"a\":{\"dtype\":\"\\u001b[31m\\n\",\"shape\":[2],\"data_offsets\":[0,8]}}",
            r"unknown variant `\u{1b}[31m\n`",
        ),
        (&wide, "unknown variant `xxx"),
        (r#"{"a":{"dtype":"F32","shape":[2]}}"#, "a: missing field `data_offsets`"),
        (r#"{"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}}"#, "a: duplicate field `shape`"),
        (
            concat!(
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"#,
                r#""a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#
            ),
            "a occurs twice",
        ),
        (
            concat!(
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"#,
                r#""b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
            ),
            "b: byte range: expected one that begins at 4, found 0: an overlap",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            "a: byte range: expected one that begins at 0, found 4: a gap",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            "values: expected 4 bytes behind the header, found 8",
        ),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} x"#, "trailing characters"),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#, "EOF while parsing"),
        (r#"{"__metadata__":{"a":"b","a":"c"}}"#, "a occurs twice in __metadata__"),
        (r#"{"__metadata__":{},"__metadata__":{}}"#, "__metadata__ occurs twice"),
        (r#"{"__metadata__":{"a":1}}"#, "invalid type: integer `1`, expected a string"),
        (&deep, "a: missing field `dtype`"),
        (&long, "..."),
    ] {
        let error = refusal(safetensors(header, &[0; 8]));
        assert!(error.contains(expected), "{header:.100}: {error:.1000}");
        assert!(error.len() < 1000 && !error.contains('\u{1b}'), "{error:.1000}");
    }
}

#[test]
fn a_file_that_is_shorter_than_it_says_was_cut() {
    for length in [1_u64 << 20, 3] {
        let bytes = [&length.to_le_bytes(), b"{}".as_slice()].concat();
        let expected =
            format!("length of the file: expected {} bytes, for its header alone, found 10: it was cut", length + 8);
        assert!(refusal(bytes).contains(&expected));
    }
    for length in [1_u64 << 40, u64::MAX] {
        let bytes = [&length.to_le_bytes(), b"{}".as_slice()].concat();
        assert!(refusal(bytes).contains(&format!("header length: expected at most 16777216 bytes, found {length}")));
    }
    assert!(refusal(b"\x03\0\0".as_slice()).contains("expected 8 bytes, found a file of 3 bytes"));
    let whole = fixture("torch_state_dict.safetensors");
    let error = refusal(&whole[..whole.len() - 1]);
    let (all, found) = (whole.len(), whole.len() - 1);
    assert_eq!(
        error,
        format!(
            "test: length of the file: expected {all} bytes, as its header says, found {found}: it was cut short; \
             fetch it again"
        )
    );
}

#[test]
fn a_path_that_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = TensorFile::open(folder.path()).unwrap_err();
    assert!(matches!(error, WeightsError::NotAFile { found: "a folder", .. }), "{error}");
    let error = TensorFile::open(folder.path().join("none")).unwrap_err();
    assert!(matches!(error, WeightsError::Io { .. }), "{error}");
    assert!(error.to_string().ends_with("none: there is no such file or folder"), "{error}");
    for url in ["https://download.pytorch.org/models/vgg16-397923af.pth", "hf://timm/vgg16.tv_in1k", "s3://a/b"] {
        let error = TensorFile::open(url).unwrap_err();
        assert!(matches!(error, WeightsError::Url { .. }) && error.to_string().contains("download"), "{error}");
    }
    for (name, says) in
        [("saved_model.pb", "a SavedModel of TensorFlow"), ("model.safetensors", "give the model.safetensors")]
    {
        let inside = folder.path().join("inside");
        fs::create_dir_all(&inside).unwrap();
        fs::write(inside.join(name), "").unwrap();
        let error = TensorFile::open(&inside).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        fs::remove_file(inside.join(name)).unwrap();
    }
}

mod writing;
