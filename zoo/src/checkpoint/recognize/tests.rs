use std::path::{Path, PathBuf};

use super::*;
use crate::checkpoint::{CheckpointError, Notes, Opened, Wanted, open, save_model};
use crate::model::Model;
use crate::registry::{self, Options, Start};
use crate::weights::{Declared, Source, Writer};

fn model() -> Box<dyn Model> {
    let options = Options { activation: "relu", classes: 10, image: None, weights: Start::Seed(7) };
    registry::find("cifar_resnet20").unwrap().build(&options).unwrap()
}

/// A file of that model whose tensors are called otherwise.
fn called(folder: &Path, name: impl Fn(&str) -> String) -> PathBuf {
    let (path, other) = (folder.join("plain"), folder.join("other"));
    save_model(&*model(), registry::find("cifar_resnet20").unwrap(), &path, Source::Native, &Notes::default()).unwrap();
    let file = TensorFile::open(&path).unwrap();
    let declare = |(key, entry): (&String, &crate::weights::TensorEntry)| Declared {
        name: name(key),
        dtype: entry.dtype.clone(),
        shape: entry.shape.clone(),
    };
    let mut writer = Writer::create(&other, file.entries().iter().map(declare).collect(), &Default::default()).unwrap();
    for (key, entry) in file.entries() {
        let mut values = vec![0.0_f32; entry.shape.iter().product()];
        file.read_into(key, &mut values).unwrap();
        writer.write(&name(key), &values).unwrap();
    }
    writer.finish().unwrap();
    other
}

const NAMED: Wanted<'_> = Wanted {
    model: Some("cifar_resnet20"),
    activation: None,
    classes: None,
    image: None,
    source: None,
    fresh_head: None,
    allow_non_finite: false,
    average: false,
};

fn refusal(path: &Path, wanted: &Wanted<'_>) -> CheckpointError {
    open(path, wanted).err().expect("it was opened")
}

#[test]
fn the_layers_of_a_model_in_any_kind_of_file_are_those_of_no_other() {
    for entry in models() {
        let mut ways = 0;
        for way in ways_of(entry) {
            let trunk: BTreeSet<&str> = way.trunk.iter().map(String::as_str).collect();
            let whole = trunk.iter().copied().chain(way.head.iter().map(String::as_str)).collect();
            assert_eq!([models_with(&trunk), models_with(&whole)], [[entry.name]; 2], "{trunk:?}");
            ways += 1;
        }
        assert!(ways > 0, "{} has no names", entry.name);
    }
}

#[test]
fn what_all_names_begin_with_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let images = vec![0.5; 3 * 32 * 32];
    let expected = model().logits(images.clone()).unwrap();
    for prefix in ["module.", "_orig_mod.", "model.", "module._orig_mod.model.", "net.", "backbone."] {
        let path = called(folder.path(), |key| format!("{prefix}{key}"));
        for wanted in [Wanted::default(), NAMED] {
            let Opened { model, report, .. } = open(&path, &wanted).unwrap();
            assert_eq!((report.prefix.as_str(), report.loaded.len()), (prefix, 97), "{report}");
            assert!(
                report.to_string().ends_with(&format!("; all its names begin with {prefix}, which was passed over"))
            );
            assert_eq!(model.logits(images.clone()).unwrap(), expected);
        }
    }
    // Of one tensor of them it is a part of the name.
    let path =
        called(folder.path(), |key| if key == "conv1.weight" { key.to_owned() } else { format!("module.{key}") });
    let error = refusal(&path, &NAMED).to_string();
    assert!(error.contains("conv1.weight"), "{error}");
}

#[test]
fn the_trunk_of_a_model_with_another_head_is_recognized_and_the_head_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = called(folder.path(), |key| key.replace("linear.", "classifier."));
    for wanted in [Wanted::default(), NAMED] {
        let error = refusal(&path, &wanted);
        let says =
            "its trunk is that of cifar_resnet20, with the head classifier: expected one of fc, linear; rename it";
        assert_eq!(error.to_string(), format!("{}: {says}", path.display()));
    }
    let trunk = |key: &str| if key.starts_with("linear.") { key.to_owned() } else { format!("encoder.{key}") };
    let path = called(folder.path(), trunk);
    for wanted in [Wanted::default(), NAMED] {
        let error = refusal(&path, &wanted);
        let says = "its names that begin with encoder. are those of cifar_resnet20; outside of it are linear. Take \
                    encoder. from the names, and call the head as the model does";
        assert_eq!(error.to_string(), format!("{}: {says}", path.display()));
    }
}
