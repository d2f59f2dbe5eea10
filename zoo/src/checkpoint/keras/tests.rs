use std::path::{Path, PathBuf};

use super::super::{CheckpointError, Opened, Wanted, open};
use super::*;
use crate::weights::{Declared, Dtype, Writer};

/// A folder of files that are not part of the repository; `None`, with a message, if they are not here.
fn cases() -> Option<PathBuf> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases");
    if cases.is_dir() {
        return Some(cases);
    }
    assert!(std::env::var_os("PVLU_REQUIRE_SHARED").is_none(), "{} is missing", cases.display());
    println!("skipped: {} is not here", cases.display());
    None
}

const SMALL: Wanted<'_> = Wanted {
    model: None,
    activation: None,
    classes: None,
    image: Some((32, 32)),
    source: None,
    fresh_head: None,
    allow_non_finite: false,
    average: false,
};

#[test]
fn a_base_within_its_model_and_a_head_of_other_names_are_read() {
    let Some(cases) = cases() else { return };
    for file in
        ["keras_nested_base/nested.h5", "keras_nested_base/nested.weights.h5", "keras_functional_head_h5/functional.h5"]
    {
        for wanted in [SMALL, Wanted { model: Some("vgg16"), ..SMALL }] {
            let Opened { model, entry, report, .. } =
                open(cases.join(file), &wanted).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert_eq!((entry.name, model.classes(), report.loaded.len()), ("vgg16", 10, 30), "{file}");
            assert!(report.fresh.is_empty(), "{file}: {report}");
        }
    }
    // A head for other images is no reason not to take the trunk, where a head is drawn anew.
    let file = cases.join("keras_nested_base/nested.h5");
    let wanted = Wanted { image: None, ..SMALL };
    let error = open(&file, &wanted).map(drop).unwrap_err();
    assert!(error.to_string().contains("with the head dense, dense_1: expected one of"), "{error}");
    let wanted = Wanted { fresh_head: Some(0), classes: Some(3), ..wanted };
    let Opened { model, report, .. } = open(&file, &wanted).unwrap();
    assert_eq!((model.classes(), report.loaded.len(), report.fresh.len()), (3, 26, 6), "{report}");
}

/// A file with linear layers of these sides, by name; kernels as Keras has them.
fn file(layers: &[(&str, usize, usize)]) -> TensorFile {
    let tensor = |name: String, shape: Vec<usize>| Declared { name, dtype: Dtype::F32, shape };
    let declared = layers.iter().flat_map(|&(name, input, output)| {
        [tensor(format!("{name}/kernel"), vec![input, output]), tensor(format!("{name}/bias"), vec![output])]
    });
    let mut writer = Writer::in_memory("test", declared.clone().collect(), &BTreeMap::new()).unwrap();
    for Declared { name, shape, .. } in declared {
        writer.write(&name, &vec![0_f32; shape.iter().product()]).unwrap();
    }
    TensorFile::from_bytes("test", writer.into_bytes().unwrap()).unwrap()
}

#[test]
fn linear_layers_are_put_in_the_only_order_that_their_shapes_allow() {
    let order = |layers: &[(&str, usize, usize)]| {
        let names = layers.iter().map(|layer| layer.0.to_owned()).collect();
        chain(&file(layers), &names).map(|chain| chain.join(" "))
    };
    let is = |layers: &[(&str, usize, usize)], expected: Option<&str>| assert_eq!(order(layers).as_deref(), expected);
    is(&[("head", 20, 4)], Some("head"));
    is(&[("a", 6, 4), ("b", 20, 6)], Some("b a"));
    is(&[("dense", 20, 6), ("dense_1", 6, 6), ("dense_2", 6, 4)], Some("dense dense_1 dense_2"));
    is(&[("z", 20, 6), ("y", 6, 6), ("x", 6, 4)], Some("z y x"));
    // Two square layers, as many classes as numbers before them, a layer that does not follow.
    is(&[("a", 6, 6), ("b", 6, 6), ("c", 6, 4)], None);
    is(&[("a", 6, 6), ("b", 6, 6)], None);
    is(&[("a", 20, 6), ("b", 7, 4)], None);
}

#[test]
fn a_nested_model_with_names_that_are_also_outside_of_it_is_refused_with_the_way_out() {
    let Some(cases) = cases() else { return };
    let mut file = TensorFile::open(cases.join("keras_nested_base/nested.h5")).unwrap();
    let outside = ["kernel", "bias"].map(|leaf| (format!("block1_conv1/{leaf}"), format!("dense/{leaf}")));
    file.rename(outside.into()).unwrap();
    let file = flattened(file);
    assert!(file.entries().contains_key("vgg16/block1_conv1/kernel"));
    let error = CheckpointError::Nested { path: "a.h5".into(), nested: nested(&file).unwrap().to_string() }.to_string();
    assert!(error.contains("vgg16 is a nested model, with the layers of vgg16"), "{error}");
    assert!(error.contains("flat.save_weights(\"NAME.weights.h5\")"), "{error}");
}
