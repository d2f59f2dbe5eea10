use std::path::Path;

use super::super::testing::{open, read, values};
use super::super::{Dtype, Format, TensorFile};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/torch");

fn bytes(name: &str) -> Vec<u8> {
    let path = Path::new(FOLDER).join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares the floats of a file with those that torch read from it.
fn compare(file: &TensorFile, stem: &str) {
    let expected = open(bytes(&format!("{stem}.safetensors"))).unwrap();
    assert!(!expected.entries().is_empty(), "{stem}");
    for (name, entry) in expected.entries() {
        assert_eq!(file.entries().get(name), Some(entry), "{stem}: {name}");
        let (found, expected) = (read(file, name).unwrap(), read(&expected, name).unwrap());
        assert_eq!(found, expected, "{stem}: {name}");
    }
    file.verify::<f32>().unwrap_or_else(|error| panic!("{stem}: {error}"));
    let more: Vec<&String> = file
        .entries()
        .iter()
        .filter(|(name, entry)| entry.dtype.float().is_some() && !expected.entries().contains_key(*name))
        .map(|(name, _)| name)
        .collect();
    assert!(more.is_empty(), "{stem} has {more:?} too");
}

fn refusal(name: &str) -> String {
    open(bytes(name)).err().unwrap_or_else(|| panic!("{name} was read")).to_string()
}

#[test]
fn every_container_and_protocol_gives_the_values_that_torch_reads() {
    for name in [
        "zip.pt",
        "stream.th",
        "protocol4.pt",
        "protocol4_stream.th",
        "protocol5.pt",
        "big_endian.pt",
        "tar.pt",
        "wrapped.th",
        "nested.pt",
        "unknown_key.pt",
        "views.pt",
        "views_stream.th",
        "module.pt",
        "module_stream.th",
        "training.pt",
        "timm.pt",
        "types.pt",
    ] {
        let file = open(bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(file.format(), Format::Torch);
        compare(&file, name.split('.').next().unwrap());
        let opened = TensorFile::open(Path::new(FOLDER).join(name)).unwrap();
        assert_eq!(opened.entries(), file.entries(), "{name}");
        compare(&opened, name.split('.').next().unwrap());
    }
}

#[test]
fn values_are_those_of_the_formula_and_counters_keep_their_type() {
    let file = open(bytes("wrapped.th")).unwrap();
    assert_eq!(read(&file, "module.conv1.weight").unwrap(), values("module.conv1.weight", 24));
    assert_eq!(file.entries()["module.conv1.weight"].shape, [2, 3, 2, 2]);
    assert_eq!(file.entries()["module.bn1.num_batches_tracked"].dtype, Dtype::I64);
    assert_eq!(file.entries().len(), 5);
}

#[test]
fn a_prefix_that_all_names_share_is_taken_off_and_tensors_are_still_found() {
    let mut file = open(bytes("wrapped.th")).unwrap();
    assert!(file.strip_prefix("module."));
    assert_eq!(read(&file, "fc.bias").unwrap(), values("module.fc.bias", 3));
}

#[test]
fn a_checkpoint_says_where_its_weights_are_what_else_it_has_and_what_was_passed_over() {
    let noted = |name: &str, key: &str| open(bytes(name)).unwrap().metadata().get(key).cloned();
    assert_eq!(noted("zip.pt", "torch.under"), None);
    assert_eq!(noted("wrapped.th", "torch.under").as_deref(), Some("state_dict"));
    assert_eq!(noted("nested.pt", "torch.under").as_deref(), Some("net.model"));
    assert_eq!(noted("unknown_key.pt", "torch.under").as_deref(), Some("weights_of_epoch"));
    assert_eq!(noted("training.pt", "torch.average").as_deref(), Some("model_ema"));
    assert_eq!(noted("timm.pt", "torch.average").as_deref(), Some("state_dict_ema"));
    assert_eq!(noted("wrapped.th", "torch.average"), None);
    assert_eq!(noted("zip.pt", "torch.dropped"), None);
    assert_eq!(noted("wrapped.th", "torch.beside").as_deref(), Some("best_prec1 = 91.5"));
    assert_eq!(noted("training.pt", "torch.beside").as_deref(), Some("epoch = 3, arch = small"));
}

#[test]
fn the_average_of_weights_is_read_where_it_is_asked_for_and_refused_where_there_is_none() {
    let average = |name: &str| TensorFile::open_average(Path::new(FOLDER).join(name));
    compare(&average("training.pt").unwrap(), "training_average");
    compare(&average("timm.pt").unwrap(), "timm_average");
    let alone = refusal("average_alone.pt");
    assert!(alone.contains("found only an average, model_ema"), "{alone}");
    assert_eq!(average("average_alone.pt").unwrap().entries().len(), 5);
    for name in ["zip.pt", "wrapped.th", "zip.safetensors"] {
        let error = average(name).unwrap_err().to_string();
        assert!(error.contains("average"), "{error}");
    }
}

#[test]
fn tensors_of_types_that_no_model_takes_are_named_and_leave_the_others_readable() {
    let file = open(bytes("types.pt")).unwrap();
    for (name, dtype) in [
        ("i32", "I32"),
        ("u8", "U8"),
        ("u16", "U16"),
        ("bool", "BOOL"),
        ("f8", "F8_E4M3"),
        ("complex", "complex64"),
        ("negated", "a tensor whose values are to be negated or conjugated"),
        ("quantized", "a quantized tensor"),
        ("sparse", "a sparse tensor"),
        ("meta", "a tensor without values, of the device meta"),
    ] {
        assert_eq!(file.entries()[name].dtype, Dtype::Other(dtype.to_owned()), "{name}");
        let error = read(&file, name).unwrap_err().to_string();
        assert_eq!(error, format!("test: {name}: expected F16, BF16, F32 or F64, found {dtype}"));
    }
}

#[test]
fn what_holds_no_weights_or_a_program_is_refused_with_what_to_do() {
    for (name, said) in [
        ("script.pt", "found a TorchScript program: load it in Python by torch.jit.load"),
        ("no_torch.pkl", "found a Python pickle that torch did not write"),
        ("no_tensors.pt", "what was saved: expected names with tensors, by themselves or under state_dict"),
    ] {
        let error = refusal(name);
        assert!(error.contains(said), "{error}");
    }
    let error = refusal("no_tensors.pt");
    assert!(error.ends_with("found a dict with epoch, loss"), "{error}");
}

#[test]
fn a_number_that_is_not_finite_is_reported_where_the_tensor_has_it_whatever_the_order_of_the_file() {
    let mut bytes = bytes("views.pt");
    // The value of `base[1, 2]`, and so of `transposed[2, 1]`.
    let from = values("base", 24).iter().take(4).flat_map(|value| (*value as f32).to_le_bytes()).collect::<Vec<u8>>();
    let start = bytes.windows(16).position(|part| part == from).unwrap();
    bytes[start + 24..start + 28].copy_from_slice(&f32::NAN.to_le_bytes());
    let file = open(bytes).unwrap();
    for (name, place) in [("base", 6), ("transposed", 2 * 6 + 1)] {
        let found = file.check::<f32>(name).unwrap();
        assert_eq!((found.count, found.first.map(|(place, _)| place)), (1, Some(place)), "{name}");
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for name in ["zip.pt", "stream.th", "wrapped.th", "protocol4_stream.th", "module_stream.th"] {
        let bytes = bytes(name);
        for len in 0..bytes.len() {
            let read = open(&bytes[..len]).and_then(|file| file.verify::<f32>());
            assert!(read.is_err(), "{name} cut to {len} of {}", bytes.len());
        }
    }
    // A tar archive goes on with nothing but zeros.
    let bytes = bytes("tar.pt");
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    for len in (0..=end).step_by(7) {
        assert!(open(&bytes[..len]).is_err(), "tar.pt cut to {len}");
    }
}
