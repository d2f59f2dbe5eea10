//! Files of the originals, with and without their head, opened for another head: for other classes, or for 32x32
//! images. Their models are recognized by the names of their tensors alone.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::PoisonError;

use pvlu_zoo::checkpoint::{self, Opened, Wanted, models_of};
use pvlu_zoo::weights::TensorFile;

use crate::models::ONE_AT_A_TIME;
use crate::original::Container::{self, Keras3, KerasLegacy, Safetensors};
use crate::original::{self, Tensor};

const CLASSES: usize = 10;
const SMALL: (usize, usize) = (32, 32);

/// An original: the list of its tensors, the model it is, the layers of its head, and the paths here of the tensors
/// that depend on the number of classes.
struct Original {
    list: &'static str,
    model: &'static str,
    head: &'static [&'static str],
    last: [&'static str; 2],
}

const TORCH_VGG: [&str; 3] = ["classifier.0", "classifier.3", "classifier.6"];
const TIMM_VGG: [&str; 3] = ["pre_logits.fc1", "pre_logits.fc2", "head.fc"];
const KERAS_VGG: [&str; 3] = ["fc1", "fc2", "predictions"];
const LAST_OF_VGG: [&str; 2] = ["head.3.weight", "head.3.bias"];
const LAST_OF_RESNET: [&str; 2] = ["head.1.weight", "head.1.bias"];

/// Tests all the ways in which a file of this original may be opened, packed in these ways.
fn check(original: &Original, packed: &[Container]) {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("weights");
    let tensors = original::tensors(original.list, 1000);
    let is_head = |tensor: &Tensor| {
        let layer = tensor.name.rsplit_once(['.', '/']).unwrap().0;
        original.head.contains(&layer)
    };
    let (head, trunk): (Vec<Tensor>, Vec<Tensor>) = tensors.iter().cloned().partition(is_head);
    assert_eq!(head.len(), 2 * original.head.len());

    let mut expected = None;
    for &container in packed {
        let what = format!("{} as {container:?}", original.list);
        original::write(&path, container, &tensors);
        assert_eq!(models_of(&TensorFile::open(&path).unwrap()), [original.model], "{what}");
        // The values themselves are those of the golden files; how they are packed makes no difference.
        let expected = *expected.get_or_insert_with(|| {
            let strict = checkpoint::open(&path, &Wanted::default()).unwrap();
            assert_eq!((strict.entry.name, strict.model.classes()), (original.model, 1000), "{what}");
            assert!(strict.report.fresh.is_empty() && strict.report.ignored.is_empty(), "{what}");
            trunk_of(&strict)
        });
        let other = fresh(&path, None, original.last.len(), expected, &what);
        assert_eq!(other.report.fresh, original.last, "{what}");
        assert_eq!(other.report.ignored.len(), 2, "{what}");
        drop(other);
        // VGG has a head of its own for these images, of two layers.
        let layers_here = original.head.len().min(2);
        let small = fresh(&path, Some(SMALL), 2 * layers_here, expected, &what);
        assert_eq!(small.report.ignored.len(), head.len(), "{what}");
        finite(small);

        original::write(&path, container, &trunk);
        assert_eq!(models_of(&TensorFile::open(&path).unwrap()), [original.model], "{what} without head");
        finite(fresh(&path, Some(SMALL), 2 * layers_here, expected, &what));
        drop(fresh(&path, None, head.len(), expected, &what));
    }
}

#[test]
fn the_head_of_published_keras_resnets_has_another_name() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("weights");
    let mut tensors = original::tensors("keras_resnet50v2", 1000);
    tensors.iter_mut().for_each(|tensor| tensor.name = tensor.name.replace("predictions/", "probs/"));
    original::write(&path, KerasLegacy, &tensors);
    let opened = checkpoint::open(&path, &Wanted::default()).unwrap();
    assert_eq!((opened.entry.name, opened.model.classes()), ("resnet50v2", 1000));
    assert_eq!(opened.report.loaded.len(), tensors.len());
}

#[test]
fn a_whole_model_of_keras_is_loaded_only_if_its_configuration_is_that_of_the_network() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("weights");
    let tensors = original::tensors("keras_resnet50v2", CLASSES);
    let json = original::tests("fixtures/configurations/tf_keras_resnet50v2.json");
    let json = std::fs::read_to_string(json).unwrap();
    original::write_whole(&path, &tensors, &json);
    let opened = checkpoint::open(&path, &Wanted::default()).unwrap();
    assert_eq!((opened.entry.name, opened.report.loaded.len()), ("resnet50v2", tensors.len()));
    // Swapped afterwards: the file is that of the network with ReLU all the same.
    drop(checkpoint::open(&path, &Wanted { activation: Some("pvlu"), ..Wanted::default() }).unwrap());
    for (from, to, expected) in [
        (
            r#""activation":"relu""#,
            r#""activation":"gelu""#,
            "conv2_block1_preact_relu and 48 layers more: activation: expected relu, found gelu",
        ),
        ("1.001e-05", "0.001", "conv2_block1_preact_bn and 48 layers more: epsilon: expected 1.001e-5, found 1e-3"),
    ] {
        original::write_whole(&path, &tensors, &json.replace(from, to));
        let error = checkpoint::open(&path, &Wanted::default()).err().unwrap().to_string();
        assert!(error.contains(expected) && error.contains("nothing was loaded"), "{error}");
        assert!(error.contains("model.save_weights(\"NAME.weights.h5\")"), "{error}");
    }
}

/// Opens a file with a fresh head of this many tensors, and asserts that without one nothing is opened.
fn fresh(path: &Path, image: Option<(usize, usize)>, tensors: usize, trunk: u64, what: &str) -> Opened {
    let strict = Wanted { classes: Some(CLASSES), image, ..Wanted::default() };
    let refused = checkpoint::open(path, &strict).err().unwrap().to_string();
    assert!(refused.contains("nothing was loaded"), "{what}: {refused}");
    let opened = checkpoint::open(path, &Wanted { fresh_head: Some(1), ..strict }).unwrap();
    assert_eq!(trunk_of(&opened), trunk, "{what}");
    assert_eq!(opened.report.fresh.len(), tensors, "{what}: {:?}", opened.report.fresh);
    assert!(opened.report.fresh.iter().all(|path| path.starts_with("head.")), "{what}");
    let mut drawn = 0;
    let mut look = |tensor: pvlu_zoo::model::TensorView<'_>| {
        let fresh = opened.report.fresh.iter().any(|path| path == tensor.slot.path);
        drawn += usize::from(fresh && tensor.values.iter().any(|value| *value != 0.0));
    };
    opened.model.tensors(&mut look).unwrap();
    assert_eq!(drawn, tensors / 2, "{what}: the weights of a fresh head are drawn, its biases are zero");
    opened
}

/// Logits of a model for small images, with PVLU for ReLU, are numbers and not all the same.
fn finite(opened: Opened) {
    let model = opened.model.swap_activation(pvlu_zoo::registry::activation("pvlu").unwrap()).unwrap();
    let images = (0..3 * SMALL.0 * SMALL.1).map(|i| (i % 29) as f32 / 14.0 - 1.0).collect();
    let logits = model.logits(images).unwrap();
    assert!(logits.len() == CLASSES && logits.iter().all(|logit| logit.is_finite()), "{logits:?}");
    assert!(logits.iter().any(|logit| *logit != logits[0]), "{logits:?}");
}

/// Hash of all tensors of the trunk.
fn trunk_of(opened: &Opened) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut look = |tensor: pvlu_zoo::model::TensorView<'_>| {
        if tensor.slot.path.starts_with("trunk.") {
            (tensor.slot.path, tensor.shape).hash(&mut hasher);
            tensor.values.iter().for_each(|value| value.to_bits().hash(&mut hasher));
        }
    };
    opened.model.tensors(&mut look).unwrap();
    hasher.finish()
}

macro_rules! originals {
    ($($list:ident: $model:literal, $head:expr, $last:ident, $packed:expr;)*) => {$(
        #[test]
        fn $list() {
            check(&Original { list: stringify!($list), model: $model, head: &$head, last: $last }, &$packed);
        }
    )*};
}
originals! {
    torchvision_vgg16: "vgg16", TORCH_VGG, LAST_OF_VGG, [Safetensors];
    timm_vgg16: "vgg16", TIMM_VGG, LAST_OF_VGG, [Safetensors];
    keras_vgg16: "vgg16", KERAS_VGG, LAST_OF_VGG, [Safetensors, KerasLegacy, Keras3];
    timm_vgg11_bn: "vgg11_bn", TIMM_VGG, LAST_OF_VGG, [Safetensors];
    torchvision_resnet18: "resnet18", ["fc"], LAST_OF_RESNET, [Safetensors];
    timm_resnet34: "resnet34", ["fc"], LAST_OF_RESNET, [Safetensors];
    torchvision_resnet50: "resnet50_v1_5", ["fc"], LAST_OF_RESNET, [Safetensors];
    timm_resnet50: "resnet50_v1_5", ["fc"], LAST_OF_RESNET, [Safetensors];
    keras_resnet50: "resnet50", ["predictions"], LAST_OF_RESNET, [Safetensors, KerasLegacy, Keras3];
    keras_resnet101: "resnet101", ["predictions"], LAST_OF_RESNET, [KerasLegacy, Keras3];
    keras_resnet50v2: "resnet50v2", ["predictions"], LAST_OF_RESNET, [Safetensors, KerasLegacy, Keras3];
}
