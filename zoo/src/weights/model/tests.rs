use super::*;
use crate::model::Model;
use crate::registry::{self, ModelEntry, Options, Start};

fn built(entry: &'static ModelEntry, activation: &str, classes: usize, weights: Start) -> Box<dyn Model> {
    entry.build(&Options { activation, classes, image: Some((32, 32)), weights }).unwrap()
}

fn values(model: &dyn Model) -> Vec<(String, Vec<u32>)> {
    let mut all = Vec::new();
    let mut show = |tensor: crate::model::TensorView<'_>| {
        all.push((tensor.slot.path.to_owned(), tensor.values.iter().map(|value| value.to_bits()).collect()));
    };
    model.tensors(&mut show).unwrap();
    all
}

/// A model whose every element is another number.
fn counted(entry: &'static ModelEntry, activation: &str, classes: usize) -> Box<dyn Model> {
    struct Count(u32);
    impl VisitorMut<f32, Cpu> for Count {
        fn tensor(&mut self, _: NamedTensor<'_>, tensor: &mut dyn AnyTensor<f32, Cpu>) -> Result<(), pvlu::Error> {
            tensor.with_mut(&mut |values| {
                for value in values {
                    self.0 += 1;
                    *value = f32::from_bits(0x3f80_0000 + self.0 % 0x40_0000);
                }
            })
        }
    }
    let mut model = built(entry, activation, classes, Start::Unfilled);
    model.net_mut().visit_mut(&mut Path::root(), &mut Count(0)).unwrap();
    model
}

#[test]
fn what_was_saved_under_any_names_loads_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for (name, source) in [
        ("vgg16", Source::Torchvision),
        ("vgg16", Source::Timm),
        ("vgg16", Source::Keras),
        ("vgg11_bn", Source::Timm),
        ("vgg16_bn", Source::Native),
        ("resnet18", Source::Timm),
        ("resnet34", Source::Torchvision),
        ("resnet50", Source::Keras),
        ("resnet50_v1_5", Source::Timm),
        ("resnet50v2", Source::Native),
        ("cifar_resnet20_b", Source::Torchvision),
        ("sequential6conv", Source::Native),
    ] {
        let entry = registry::find(name).unwrap();
        let names = entry.names((32, 32));
        let model = counted(entry, "pvlu", 10);
        let path = folder.path().join(name);
        let metadata = BTreeMap::from([("model".to_owned(), name.to_owned())]);
        save(model.net(), &names, &path, source, &metadata).unwrap();
        let file = TensorFile::open(&path).unwrap();
        assert_eq!(file.metadata(), &metadata);
        let mut loaded = built(entry, "pvlu", 10, Start::Unfilled);
        let report = load(loaded.net_mut(), &names, &file, &LoadOptions::default()).unwrap();
        assert!(values(&*model) == values(&*loaded), "{name}");
        assert_eq!(report.loaded.len(), file.entries().len());
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn bytes_are_those_of_the_file_and_load_as_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let entry = registry::find("cifar_resnet20").unwrap();
    let names = entry.names((32, 32));
    let model = counted(entry, "pvlu", 10);
    let metadata = BTreeMap::from([("model".to_owned(), "mine".to_owned())]);
    let bytes = to_bytes(model.net(), &names, Source::Torchvision, &metadata).unwrap();
    let path = folder.path().join("file");
    save(model.net(), &names, &path, Source::Torchvision, &metadata).unwrap();
    assert!(bytes == std::fs::read(&path).unwrap());

    let mut loaded = built(entry, "pvlu", 10, Start::Unfilled);
    from_bytes(loaded.net_mut(), &names, bytes.clone(), &LoadOptions::default()).unwrap();
    assert!(values(&*model) == values(&*loaded));

    let mut other = built(entry, "pvlu", 100, Start::Seed(1));
    let before = values(&*other);
    for broken in [&bytes[..], &bytes[..bytes.len() - 1], b"no file"] {
        let error = from_bytes(other.net_mut(), &names, broken, &LoadOptions::default()).unwrap_err().to_string();
        assert!(error.starts_with("weights in memory: "), "{error}");
        assert!(values(&*other) == before, "an error leaves the model untouched");
    }
}

#[test]
fn a_head_of_other_classes_is_kept_fresh_only_if_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let entry = registry::find("cifar_resnet20").unwrap();
    let names = entry.names((32, 32));
    let path = folder.path().join("hundred");
    let hundred = counted(entry, "relu", 100);
    save(hundred.net(), &names, &path, Source::Native, &BTreeMap::new()).unwrap();
    let file = TensorFile::open(&path).unwrap();

    let mut ten = built(entry, "pvlu", 10, Start::Seed(3));
    let before = values(&*ten);
    let error = load(ten.net_mut(), &names, &file, &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("linear.weight: expected [10, 64], found [100, 64]; another number of classes"), "{error}");
    assert!(values(&*ten) == before, "an error leaves the model untouched");

    let options = LoadOptions { fresh_head: true, ..LoadOptions::default() };
    let report = load(ten.net_mut(), &names, &file, &options).unwrap();
    let kept: Vec<&str> = report.fresh.iter().map(String::as_str).filter(|path| path.starts_with("head.")).collect();
    assert_eq!(kept, ["head.1.weight", "head.1.bias"]);
    let activations = report.fresh.iter().filter(|path| path.ends_with(".alpha") || path.ends_with(".beta")).count();
    assert_eq!((activations, report.fresh.len()), (38, 40));
    let after = values(&*ten);
    let loaded = values(&*hundred);
    for ((path, after), (_, before)) in after.iter().zip(&before) {
        if kept.contains(&path.as_str()) {
            assert_eq!(after, before, "{path}");
        } else if !report.fresh.contains(path) {
            assert!(loaded.iter().any(|(_, values)| values == after), "{path}");
        }
    }
}

#[test]
fn the_trunk_of_an_imagenet_file_fits_under_the_small_head() {
    let folder = tempfile::tempdir().unwrap();
    let entry = registry::find("vgg16").unwrap();
    let path = folder.path().join("vgg16");
    let full =
        entry.build(&Options { activation: "relu", classes: 10, image: None, weights: Start::Unfilled }).unwrap();
    save(full.net(), &entry.names((224, 224)), &path, Source::Timm, &BTreeMap::new()).unwrap();
    drop(full);
    let file = TensorFile::open(&path).unwrap();
    let mut small = built(entry, "relu", 10, Start::Seed(1));
    let other_heads = entry.names((224, 224)).split_off(13);
    let source = Some(Source::Torchvision);
    let options = LoadOptions { fresh_head: true, other_heads, source, ..LoadOptions::default() };
    let report = load(small.net_mut(), &entry.names((32, 32)), &file, &options).unwrap();
    assert_eq!((report.loaded.len(), report.fresh.len(), report.ignored.len()), (26, 4, 6));
    let strict = load(small.net_mut(), &entry.names((32, 32)), &file, &LoadOptions::default()).unwrap_err();
    assert!(strict.to_string().contains("pre_logits.fc1.weight: expected none"), "{strict}");
}

#[test]
fn the_file_of_a_relu_network_makes_every_activation_what_a_swap_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let entry = registry::find("sequential6conv").unwrap();
    let path = folder.path().join("file");
    let relu = counted(entry, "relu", 10);
    let saved = |says: Option<&str>| {
        let metadata = says.map(|activation| (ACTIVATION_KEY.to_owned(), activation.to_owned())).into_iter().collect();
        save(relu.net(), &entry.names((32, 32)), &path, Source::Native, &metadata).unwrap();
        TensorFile::open(&path).unwrap()
    };
    for activation in registry::activation_names().into_iter().filter(|activation| *activation != "relu") {
        let swapped = counted(entry, "relu", 10).swap_activation(registry::activation(activation).unwrap()).unwrap();
        for says in [None, Some("relu")] {
            // The values that the parameters had before do not matter.
            let mut model = counted(entry, activation, 10);
            let report = load(model.net_mut(), &entry.names((32, 32)), &saved(says), &LoadOptions::default()).unwrap();
            assert!(values(&*model) == values(&*swapped), "{activation}");
            assert_eq!(report.fresh.len() + report.loaded.len(), values(&*swapped).len());
        }
        // Without parameters the file of another activation has the tensors of its own.
        if registry::activation(activation).unwrap().params().is_empty() {
            continue;
        }
        let mut model = counted(entry, activation, 10);
        let before = values(&*model);
        let file = saved(Some(activation));
        let error = load(model.net_mut(), &entry.names((32, 32)), &file, &LoadOptions::default()).unwrap_err();
        assert!(error.to_string().contains("act6."), "{error}");
        assert!(values(&*model) == before, "an error leaves the model untouched");
    }
}

#[test]
fn the_pretrained_files_have_the_names_and_shapes_of_their_models() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/weights");
    for (name, file, classes) in [
        ("cifar_resnet20", "cifar10_resnet20", 10),
        ("cifar_resnet56", "cifar10_resnet56", 10),
        ("cifar_resnet56_b", "cifar100_resnet56", 100),
    ] {
        let path = folder.join(file).with_extension("safetensors");
        if !path.is_file() {
            assert!(std::env::var_os("PVLU_REQUIRE_SHARED").is_none(), "{} is missing", path.display());
            println!("skipped: {} is not here", path.display());
            continue;
        }
        let entry = registry::find(name).unwrap();
        let mut model = built(entry, "relu", classes, Start::Unfilled);
        let file = TensorFile::open(&path).unwrap();
        let report = load(model.net_mut(), &entry.names((32, 32)), &file, &LoadOptions::default()).unwrap();
        assert!(report.fresh.is_empty());
        assert!(report.ignored.iter().all(|name| name.ends_with("num_batches_tracked")));
    }
}

#[test]
fn weights_that_are_not_finite_are_loaded_only_if_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let entry = registry::find("cifar_resnet20").unwrap();
    let names = entry.names((32, 32));
    let path = folder.path().join("file");
    let mut broken = counted(entry, "relu", 10);
    struct Break;
    impl VisitorMut<f32, Cpu> for Break {
        fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &mut dyn AnyTensor<f32, Cpu>) -> Result<(), pvlu::Error> {
            tensor.with_mut(&mut |values| match slot.path {
                "trunk.0.0.norm.running_var" => values[3..5].fill(f32::NEG_INFINITY),
                "head.1.bias" => values[9] = f32::NAN,
                _ => {}
            })
        }
    }
    broken.net_mut().visit_mut(&mut Path::root(), &mut Break).unwrap();
    save(broken.net(), &names, &path, Source::Native, &BTreeMap::new()).unwrap();
    let file = TensorFile::open(&path).unwrap();
    let mut model = counted(entry, "relu", 10);
    let before = values(&*model);
    let error = load(model.net_mut(), &names, &file, &LoadOptions::default()).unwrap_err().to_string();
    let says = "bn1.running_var: element 3: expected a finite number, found -inf; 2 there are not finite, and one \
                tensor more has such; nothing was loaded";
    assert_eq!(error, format!("{}: {says}", path.display()));
    assert!(values(&*model) == before, "an error leaves the model untouched");
    let options = LoadOptions { allow_non_finite: true, ..LoadOptions::default() };
    load(model.net_mut(), &names, &file, &options).unwrap();
    assert!(values(&*model) == values(&*broken));
    // What is not loaded may hold anything.
    let mut hundred = counted(entry, "relu", 100);
    let fresh = LoadOptions { fresh_head: true, ..LoadOptions::default() };
    let error = load(hundred.net_mut(), &names, &file, &fresh).unwrap_err().to_string();
    assert!(error.contains("2 there are not finite, and no other tensor has such"), "{error}");
}
