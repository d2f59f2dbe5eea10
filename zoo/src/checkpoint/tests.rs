use std::path::PathBuf;

use super::*;
use crate::weights::ACTIVATION_KEY;

/// A file of a model at 32x32, drawn from a seed.
fn saved(folder: &Path, name: &str, activation: &str) -> (PathBuf, Box<dyn Model>) {
    let entry = registry::find(name).unwrap();
    let options = Options { activation, classes: 10, image: Some((32, 32)), weights: Start::Seed(7) };
    let model = entry.build(&options).unwrap();
    let path = folder.join(format!("{name}.safetensors"));
    save_model(&*model, entry, &path, Source::Native, &Notes::default()).unwrap();
    (path, model)
}

/// The same file with other metadata.
fn saying(path: &Path, metadata: &[(&str, &str)]) -> PathBuf {
    let file = TensorFile::open(path).unwrap();
    let entries = file.entries().iter();
    let declared = entries.map(|(name, entry)| crate::weights::Declared {
        name: name.clone(),
        dtype: entry.dtype.clone(),
        shape: entry.shape.clone(),
    });
    let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let other = path.with_extension("other");
    let mut writer = crate::weights::Writer::create(&other, declared.collect(), &metadata).unwrap();
    for (name, entry) in file.entries() {
        let mut values = vec![0.0_f32; entry.shape.iter().product()];
        file.read_into(name, &mut values).unwrap();
        writer.write(name, &values).unwrap();
    }
    writer.finish().unwrap();
    other
}

fn refusal(path: &Path, wanted: &Wanted<'_>) -> String {
    open(path, wanted).err().expect("it was opened").to_string()
}

#[test]
fn what_a_file_says_that_is_not_so_is_an_error_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = saved(folder.path(), "cifar_resnet20", "relu");
    for (key, value, expected) in [
        ("model", "foo", "metadata pvlu_zoo.model: unknown model \"foo\"; known are sequential6conv, "),
        ("activation", "foo", "metadata pvlu_zoo.activation: unknown activation \"foo\"; known are relu, "),
        ("activation", "foo = x +", "metadata pvlu_zoo.activation: expected "),
        ("classes", "1", "metadata pvlu_zoo.classes: expected the number of outputs of the file's head, found \"1\""),
        ("classes", "65536", "metadata pvlu_zoo.classes: expected the number of outputs of the file's head"),
        ("classes", "ten", "metadata pvlu_zoo.classes: expected a number of classes, found \"ten\""),
        ("image", "99999999999x3", "metadata pvlu_zoo.image: cifar_resnet20 does not take images of 99999999999x3"),
        ("image", "99999999999x99999999999", "metadata pvlu_zoo.image: cifar_resnet20 does not take images"),
        ("image", "32", "metadata pvlu_zoo.image: expected height x width, found \"32\""),
    ] {
        let other = saying(&path, &[(&format!("pvlu_zoo.{key}"), value)]);
        let error = refusal(&other, &Wanted::default());
        assert!(error.starts_with(&format!("{}: {expected}", other.display())), "{error}");
    }
    // A property that the caller gives is no error of the file, and overrides the file's.
    let other = saying(&path, &[("pvlu_zoo.classes", "7")]);
    let wanted = Wanted { classes: Some(10), ..Wanted::default() };
    assert_eq!(open(&other, &wanted).unwrap().model.classes(), 10);
    let error = refusal(&path, &Wanted { classes: Some(1), ..Wanted::default() });
    assert!(error.starts_with("cifar_resnet20 does not take 1 classes"), "{error}");
}

#[test]
fn a_file_is_not_trusted_with_sizes_that_take_gigabytes() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = saved(folder.path(), "cifar_resnet20", "relu");
    for (image, bytes) in [("4096x4096", 2148), ("2048x2049", 538), ("4096x1025", 538)] {
        let other = saying(&path, &[("pvlu_zoo.image", image)]);
        let error = refusal(&other, &Wanted::default());
        let expected = format!(
            "metadata pvlu_zoo.image: cifar_resnet20 takes {bytes} MB at its widest layer for one image of {image}, a \
             file is trusted with 536 MB: give the size yourself (--image) if it is meant"
        );
        assert_eq!(error, format!("{}: {expected}", other.display()));
        // A size that the caller gives is not bounded.
        let wanted = Wanted { image: Some((4096, 4096)), ..Wanted::default() };
        assert_eq!(open(&other, &wanted).unwrap().model.image(), (4096, 4096));
    }
    let other = saying(&path, &[("pvlu_zoo.image", "2048x2048")]);
    assert_eq!(open(&other, &Wanted::default()).unwrap().model.image(), (2048, 2048));
}

#[test]
fn slopes_for_each_element_are_for_the_images_that_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let (path, model) = saved(folder.path(), "cifar_resnet20", "prelu_element");
    assert_eq!(TensorFile::open(&path).unwrap().entries()["act0.alpha"].shape, [16, 32, 32]);
    let of = |side| Wanted { image: Some((side, side)), ..Wanted::default() };
    let images = vec![0.5; 3 * 32 * 32];
    for wanted in [of(32), Wanted::default()] {
        let opened = open(&path, &wanted).unwrap();
        assert_eq!(opened.report.fresh, [""; 0]);
        assert_eq!(opened.model.logits(images.clone()).unwrap(), model.logits(images.clone()).unwrap());
    }
    let error = refusal(&path, &of(64));
    let expected = "metadata pvlu_zoo.image: the parameters of prelu_element, one for each element, are for images of \
                    32x32, not of 64x64: ask for images of 32x32";
    assert_eq!(error, format!("{}: {expected}", path.display()));
    // Without metadata, the shapes tell.
    let bare = saying(&path, &[]);
    let error = refusal(&bare, &of(64));
    assert!(
        error.contains("act0.alpha") && error.contains("[16, 64, 64]") && error.contains("[16, 32, 32]"),
        "{error}"
    );
    assert_eq!(open(&bare, &Wanted::default()).unwrap().model.activation(), Some("prelu_element"));
    let other = saying(&path, &[("pvlu_zoo.image", "64x64"), (ACTIVATION_KEY, "prelu_element")]);
    assert!(refusal(&other, &Wanted::default()).contains("[16, 64, 64]"));
    // A file of ReLU's is opened for any size, and no other one is swapped.
    let (relu, _) = saved(folder.path(), "cifar_resnet20", "relu");
    let swapped = open(&relu, &Wanted { activation: Some("prelu_element"), ..of(64) }).unwrap().model;
    let images = vec![0.5; 3 * 64 * 64];
    let unchanged = open(&relu, &of(64)).unwrap().model;
    assert_eq!(swapped.logits(images.clone()).unwrap(), unchanged.logits(images).unwrap());
}

#[test]
fn slopes_for_each_element_count_in_what_a_file_is_trusted_with() {
    let folder = tempfile::tempdir().unwrap();
    // At a side of s the widest layer takes 32 s^2 values, and all slopes are 184 s^2.
    let expected = "metadata pvlu_zoo.image: cifar_resnet20 takes 906 MB at its widest layer and for the parameters of \
                    its activations for one image of 1024x1024, a file is trusted with 536 MB: give the size yourself \
                    (--image) if it is meant";
    for (activation, wanted) in [("prelu_element", None), ("relu", Some("prelu_element"))] {
        let (path, _) = saved(folder.path(), "cifar_resnet20", activation);
        let other = saying(&path, &[("pvlu_zoo.image", "1024x1024"), (ACTIVATION_KEY, activation)]);
        let error = refusal(&other, &Wanted { activation: wanted, ..Wanted::default() });
        assert_eq!(error, format!("{}: {expected}", other.display()));
    }
    let (path, _) = saved(folder.path(), "cifar_resnet20", "relu");
    let other = saying(&path, &[("pvlu_zoo.image", "1024x1024")]);
    assert_eq!(open(&other, &Wanted::default()).unwrap().model.image(), (1024, 1024));
}

#[test]
fn names_of_classes_are_bounded_and_errors_about_metadata_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = saved(folder.path(), "cifar_resnet20", "relu");
    let names = |count: usize| serde_json::json!(vec!["\u{1b}[2J"; count]).to_string();
    let described = |text: &str| describe(&TensorFile::open(saying(&path, &[("pvlu_zoo.labels", text)])).unwrap());
    assert_eq!(described(&names(MAX_LABELS)).unwrap().labels.unwrap().len(), MAX_LABELS);
    for wrong in [&names(MAX_LABELS + 1), "{}", "[1]", "[\"a\"", &format!("\"{}", "\u{202e}".repeat(9_000))] {
        let error = described(wrong).unwrap_err().to_string();
        assert!(
            error.contains("metadata pvlu_zoo.labels: expected a JSON array of at most 65536 names, found"),
            "{error}"
        );
        assert!(error.len() < 3_000 && !error.contains(crate::text::is_acted_on), "{error}");
    }
    for key in ["model", "activation", "classes", "image"] {
        let other = saying(&path, &[(&format!("pvlu_zoo.{key}"), &"\u{9b}x".repeat(9_000))]);
        let error = refusal(&other, &Wanted::default());
        assert!(error.len() < 3_000 && !error.contains(crate::text::is_acted_on), "{error}");
    }
}

#[test]
fn only_relu_is_swapped_and_only_for_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let (relu, model) = saved(folder.path(), "cifar_resnet20", "relu");
    let wanted = |activation| Wanted { activation: Some(activation), ..Wanted::default() };
    let opened = open(&relu, &wanted("pvlu")).unwrap();
    assert_eq!(opened.model.activation(), Some("pvlu"));
    let images = vec![0.5; 3 * 32 * 32];
    assert_eq!(opened.model.logits(images.clone()).unwrap(), model.logits(images).unwrap());

    // Before anything is loaded, so that a file that does not fit gives the same error.
    let none = "unknown activation \"selu\"";
    assert!(refusal(&relu, &wanted("selu")).starts_with(none), "{}", refusal(&relu, &wanted("selu")));
    assert_eq!(open(&relu, &wanted("elu")).unwrap().model.activation(), Some("elu"));
    let (pvlu, _) = saved(folder.path(), "cifar_resnet32", "pvlu");
    let error = refusal(&pvlu, &wanted("relu"));
    let only = "its activation is pvlu: only files with relu can be opened with another activation, here relu";
    assert_eq!(error, format!("{}: {only}", pvlu.display()));
    assert_eq!(open(&pvlu, &wanted("pvlu")).unwrap().model.activation(), Some("pvlu"));
    // Without metadata the parameters say it.
    let bare = saying(&pvlu, &[]);
    assert!(refusal(&bare, &wanted("prelu")).contains("its activation is pvlu"));
    assert_eq!(open(&bare, &Wanted::default()).unwrap().model.activation(), Some("pvlu"));
}

#[test]
fn every_activation_is_known_by_its_parameters() {
    let folder = tempfile::tempdir().unwrap();
    for activation in registry::activation_names() {
        let (path, _) = saved(folder.path(), "sequential6conv", activation);
        let found = describe(&TensorFile::open(saying(&path, &[])).unwrap()).unwrap().activation;
        let expected = match activation {
            // Metadata, which files saved here have, tells those apart that have no parameters or some of the same
            // names.
            "relu" | "gelu" | "gelu_tanh" | "mish" | "softplus" | "tanh" => None,
            "elu" => Some("prelu"),
            "sinlu" => Some("vlu"),
            "swish_beta" => Some("swish"),
            other => Some(other),
        };
        assert_eq!(found.as_deref(), expected);
        assert_eq!(open(&path, &Wanted::default()).unwrap().model.activation(), Some(activation));
    }
}

#[test]
fn a_file_that_says_an_activation_has_its_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = saved(folder.path(), "cifar_resnet20", "relu");
    for activation in ["pvlu", "prelu", "vlu"] {
        let other = saying(&path, &[(ACTIVATION_KEY, activation)]);
        let error = refusal(&other, &Wanted::default());
        assert!(error.contains("act18.") && error.contains("nothing was loaded"), "{error}");
    }
}

#[test]
fn files_are_named_in_errors_about_names() {
    let folder = tempfile::tempdir().unwrap();
    let (path, model) = saved(folder.path(), "cifar_resnet20", "relu");
    let error = refusal(&path, &Wanted { source: Some(Source::Keras), ..Wanted::default() });
    assert_eq!(error, format!("{}: the model has no keras names; it has those of torchvision", path.display()));
    let out = folder.path().join("out.safetensors");
    let entry = registry::find("cifar_resnet20").unwrap();
    let error = save_model(&*model, entry, &out, Source::Keras, &Notes::default()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: the model has no keras names", out.display())), "{error}");
}

#[test]
fn a_small_head_is_recognized_and_its_classes_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (path, model) = saved(folder.path(), "vgg16", "relu");
    assert_eq!(models_of(&TensorFile::open(&path).unwrap()), ["vgg16"]);
    let bare = saying(&path, &[]);
    let wanted = Wanted { image: Some((32, 32)), ..Wanted::default() };
    let opened = open(&bare, &wanted).unwrap();
    assert_eq!((opened.entry.name, opened.model.classes()), ("vgg16", 10));
    let images = vec![0.5; 3 * 32 * 32];
    assert_eq!(opened.model.logits(images.clone()).unwrap(), model.logits(images).unwrap());
    // For another number of classes the last layer alone is another.
    let wanted = Wanted { classes: Some(100), fresh_head: Some(1), ..wanted };
    assert_eq!(open(&bare, &wanted).unwrap().report.fresh, ["head.3.weight", "head.3.bias"]);
}

/// The tensors of a file as a training of torch before 1.6 saved them: in a stream, under `state_dict`, with the prefix
/// of `DataParallel`.
fn as_torch_saved(path: &Path) -> PathBuf {
    let file = TensorFile::open(path).unwrap();
    let number = |value: usize| [b"J", &(value as u32).to_le_bytes()[..]].concat();
    let text = |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let tuple = |values: &[usize]| {
        [b"(".to_vec(), values.iter().flat_map(|value| number(*value)).collect(), b"t".to_vec()].concat()
    };
    let (mut state, mut keys, mut storages) = (Vec::new(), Vec::new(), Vec::new());
    for (key, (name, entry)) in file.entries().iter().enumerate() {
        let count = entry.shape.iter().product();
        let mut values = vec![0.0_f32; count];
        file.read_into(name, &mut values).unwrap();
        storages.extend((count as u64).to_le_bytes());
        storages.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        keys.extend(text(&key.to_string()));
        let strides: Vec<usize> = (1..=entry.shape.len()).map(|dim| entry.shape[dim..].iter().product()).collect();
        state.extend(text(&format!("module.{name}")));
        state.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        state.extend([text("storage"), b"ctorch\nFloatStorage\n".to_vec(), text(&key.to_string())].concat());
        state.extend([text("cuda:0"), number(count), b"NtQ".to_vec(), number(0)].concat());
        state.extend([tuple(&entry.shape), tuple(&strides), b"\x89ccollections\nOrderedDict\n)RtR".to_vec()].concat());
    }
    let other = path.with_extension("th");
    let begin = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.";
    let pickle = [&b"\x80\x02}("[..], &text("epoch"), b"K\x07", &text("state_dict"), b"}(", &state, b"uu."].concat();
    let parts = [&begin[..], &pickle, b"\x80\x02](", &keys, b"e.", &storages];
    std::fs::write(&other, parts.concat()).unwrap();
    other
}

#[test]
fn a_training_that_torch_saved_gives_the_logits_of_its_weights_and_the_report_names_its_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut model) = saved(folder.path(), "cifar_resnet20", "relu");
    let other = as_torch_saved(&path);
    let mut opened = open(&other, &Wanted { image: Some((32, 32)), ..Wanted::default() }).unwrap();
    assert_eq!((opened.entry.name, opened.report.prefix.as_str()), ("cifar_resnet20", "module."));
    assert!(opened.report.to_string().ends_with("all its names begin with module., which was passed over"));
    let images: Vec<f32> = (0..2 * 3 * 32 * 32).map(|i| ((i * 37 % 101) as f32 - 50.0) / 64.0).collect();
    for model in [&mut model, &mut opened.model] {
        model.set_mode(pvlu::layer::Mode::Eval);
    }
    assert_eq!(opened.model.logits(images.clone()).unwrap(), model.logits(images).unwrap());
    let error = refusal(&other, &Wanted { average: true, ..Wanted::default() });
    assert!(error.contains("expected an average of weights, found none"), "{error}");
}

#[test]
fn the_notes_on_a_model_are_those_that_it_was_saved_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuned.safetensors");
    let model = registry::build("cifar_resnet20", "pvlu", 10, 0).unwrap();
    let (labels, tuning) = (vec!["a \"cat\"".to_owned()], Tuning { seed: Some(3), ..Tuning::default() }.to_json());
    let groups = crate::transfer::groups(model.net()).unwrap();
    let frozen = FrozenState::of(&groups, &[]).to_json();
    let notes = Notes {
        preprocessing: Some("as it is"),
        labels: Some(&labels),
        trained_on: Some("[]"),
        tuning: Some(&tuning),
        frozen: Some(&frozen),
    };
    let entry = registry::find("cifar_resnet20").unwrap();
    save_model(&*model, entry, &path, Source::Native, &notes).unwrap();
    let read = describe(&TensorFile::open(&path).unwrap()).unwrap();
    assert_eq!(read.version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    let Notes { preprocessing, labels: names, trained_on, tuning: how, frozen: what } = read.notes();
    let texts = [preprocessing, trained_on, how, what];
    assert_eq!(texts, [Some("as it is"), Some("[]"), Some(tuning.as_str()), Some(frozen.as_str())]);
    assert_eq!(names, Some(&labels[..]));
    // What the records say is not read, so that no other text keeps anyone from opening the file.
    let odd = saying(&path, &[(key::TUNING, "{"), (key::FROZEN, "\u{1b}"), (key::MODEL, "cifar_resnet20")]);
    assert_eq!(open(&odd, &Wanted::default()).unwrap().description.tuning.as_deref(), Some("{"));
}
