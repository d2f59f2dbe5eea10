use dfdx::tensor::Cpu;
use pvlu::activation::Definition;
use pvlu::layer::{NamedTensor, Visit};

use super::*;
use crate::device::{Device, DeviceError};
use crate::model::SwapError;
use crate::registry::build;
use crate::snapshot::Snapshot;
use crate::train::{Optimizer, OptimizerConfig};

const LABELS: [usize; 5] = [3, 9, 0, 3, 7];
const OTHERS: [usize; 5] = [1, 3, 0, 8, 2];

/// Values like those of normalized pixels, that no two images share.
fn images(count: usize, len: usize) -> Vec<f32> {
    (0..count * len).map(|i| ((i * i % 1009 + i) as f32 * 0.37).sin()).collect()
}

/// Loss, logits, gradients by path, and running statistics after a step.
type Results = (f64, Vec<f32>, Vec<(String, Vec<f32>)>, Vec<(String, Vec<f32>)>);

fn results(name: &str, activation: &str, shards: usize) -> Results {
    let mut model = build(name, activation, 10, 1).unwrap();
    model.set_mode(pvlu::layer::Mode::Train);
    model.seed_dropout(4);
    let len = model.image_len();
    let targets = Targets { labels: &LABELS, smoothing: 0.1, mixed: Some((&OTHERS, 0.6)) };
    let inputs = images(LABELS.len(), len);
    let step = |model: &mut dyn Model, inputs, targets: &Targets<'_>| model.step_towards(inputs, targets);
    let mut result = match shards {
        0 => step(model.as_mut(), inputs, &targets),
        shards => step_in_shards(
            model.as_mut(),
            (inputs, len),
            &targets,
            &ShardGroup::new(shards, rayon::current_num_threads()).unwrap(),
            &step,
        ),
    }
    .unwrap();
    let mut gradients = Vec::new();
    let mut read = |slot: NamedTensor<'_>, _: &mut [f32], gradient: &[f32]| {
        gradients.push((slot.path.to_owned(), gradient.to_vec()));
        Ok(())
    };
    model.update(&mut result.gradients, &mut read).unwrap();
    let mut moved = Vec::new();
    let mut see = |tensor: crate::model::TensorView<'_>| {
        if tensor.slot.updated {
            moved.push((tensor.slot.path.to_owned(), tensor.values.to_vec()));
        }
    };
    model.tensors(&mut see).unwrap();
    (result.loss, result.logits, gradients, moved)
}

fn assert_close(what: &str, expected: &[f32], found: &[f32]) {
    assert_eq!(expected.len(), found.len(), "{what}");
    let largest = expected.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let error = expected.iter().zip(found).fold(0.0_f32, |error, (a, b)| error.max((a - b).abs()));
    assert!(error <= 2e-4 * largest.max(1e-3), "{what}: {error:e} of {largest:e}");
}

#[test]
fn shards_give_the_step_of_the_batch_but_for_rounding() {
    // Batch norm; dropout; a size of batch that two do not divide, and more shards than images.
    for (name, activation) in [("cifar_resnet20", "pvlu"), ("sequential6conv", "prelu_element")] {
        let (loss, logits, gradients, moved) = results(name, activation, 0);
        for shards in [2, 7] {
            let (found, others, parts, after) = results(name, activation, shards);
            assert!((found / loss - 1.0).abs() < 1e-5, "{name}: {found} and {loss}");
            assert_close("logits", &logits, &others);
            for ((path, expected), (_, found)) in gradients.iter().zip(&parts).chain(moved.iter().zip(&after)) {
                assert_close(&format!("{name} in {shards}, {path}"), expected, found);
            }
            assert_eq!((gradients.len(), moved.len()), (parts.len(), after.len()));
        }
    }
}

#[test]
fn threads_change_no_bit_of_shards() {
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| results("cifar_resnet20", "relu", 3))
    };
    let expected = on(1);
    assert_eq!(on(2), expected);
    assert_eq!(on(4), expected);
}

/// The order in which shards are added shows in no other test.
#[test]
fn a_step_in_shards_has_the_bits_of_its_version() {
    let mut digest = crc32fast::Hasher::new();
    let (loss, logits, gradients, moved) = results("cifar_resnet20", "pvlu", 5);
    digest.update(&loss.to_le_bytes());
    let others = gradients.iter().chain(&moved).map(|(_, values)| values);
    for value in std::iter::once(&logits).chain(others).flatten() {
        digest.update(&value.to_le_bytes());
    }
    assert_eq!((pvlu::NUMERICS_VERSION, digest.finalize()), (4, 319_725_566));
}

#[test]
fn a_network_learns_in_shards() {
    let mut model = build("cifar_resnet20", "relu", 10, 1).unwrap();
    let inputs = images(LABELS.len(), model.image_len());
    let len = model.image_len();
    let step = |model: &mut dyn Model, inputs, targets: &Targets<'_>| model.step_towards(inputs, targets);
    let mut optimizer = Optimizer::new(OptimizerConfig::sgd(0.9, false, 0.0));
    let mut losses = Vec::new();
    for _ in 0..3 {
        let inputs = (inputs.clone(), len);
        let mut result =
            step_in_shards(model.as_mut(), inputs, &Targets::of(&LABELS), &ShardGroup::new(2, 2).unwrap(), &step)
                .unwrap();
        optimizer.update(model.as_mut(), &mut result.gradients, 0.05).unwrap();
        losses.push(result.loss);
    }
    assert!(losses[2] < losses[0], "{losses:?}");
}

#[test]
fn errors_are_those_of_the_batch() {
    let mut model = build("cifar_resnet20", "relu", 10, 1).unwrap();
    let len = model.image_len();
    let group = ShardGroup::new(2, 2).unwrap();
    let step = |model: &mut dyn Model, inputs, targets: &Targets<'_>| model.step_towards(inputs, targets);
    let mut both = |inputs: Vec<f32>, targets: &Targets<'_>| {
        let whole = model.step_towards(inputs.clone(), targets).map(|step| step.logits.len());
        let found = step_in_shards(model.as_mut(), (inputs, len), targets, &group, &step);
        assert_eq!(found.map(|step| step.logits.len()), whole);
        whole
    };
    let all = images(4, len);
    assert_eq!(both(all.clone(), &Targets::of(&[0, 1, 2, 9])), Ok(40));
    assert_eq!(both(Vec::new(), &Targets::of(&[])), Ok(0));
    let wrong = Error::Label { index: 3, label: 10, classes: 10 };
    assert_eq!(both(all.clone(), &Targets::of(&[0, 1, 2, 10])), Err(wrong.clone()));
    let mixed = Targets { mixed: Some((&[0, 1, 2, 10], 0.5)), ..Targets::of(&[0, 1, 2, 9]) };
    assert_eq!(both(all.clone(), &mixed), Err(wrong));
    let few = Targets { mixed: Some((&[0, 1], 0.5)), ..Targets::of(&[0, 1, 2, 9]) };
    assert_eq!(both(all.clone(), &few), Err(Error::LabelCount { rows: 4, labels: 2 }));
    assert_eq!(both(all[..3 * len].to_vec(), &Targets::of(&[0; 4])), Err(Error::LabelCount { rows: 3, labels: 4 }));
    assert!(matches!(both(all[1..].to_vec(), &Targets::of(&[0; 4])), Err(Error::Shape { .. })));
}

/// A model of one's own that does not say how it is copied.
struct Uncopied(Box<dyn Model>);

impl Model for Uncopied {
    fn classes(&self) -> usize {
        self.0.classes()
    }
    fn image(&self) -> (usize, usize) {
        self.0.image()
    }
    fn logits(&self, images: Vec<f32>) -> Result<Vec<f32>, Error> {
        self.0.logits(images)
    }
    fn step_towards(&mut self, images: Vec<f32>, targets: &Targets<'_>) -> Result<Step, Error> {
        self.0.step_towards(images, targets)
    }
    fn net(&self) -> &dyn Visit<f32, Cpu> {
        self.0.net()
    }
    fn net_mut(&mut self) -> &mut dyn Visit<f32, Cpu> {
        self.0.net_mut()
    }
    fn swap_activation(self: Box<Self>, activation: &'static Definition) -> Result<Box<dyn Model>, SwapError> {
        self.0.swap_activation(activation)
    }
    fn to_device(self: Box<Self>, device: Device) -> Result<Box<dyn Model>, DeviceError> {
        self.0.to_device(device)
    }
}

#[test]
fn a_model_without_copies_is_refused_before_anything_moves() {
    let mut model = Uncopied(build("cifar_resnet20", "relu", 10, 1).unwrap());
    let before = Snapshot::of(&model).unwrap();
    let (inputs, len) = (images(LABELS.len(), model.image_len()), model.image_len());
    let step = |model: &mut dyn Model, inputs, targets: &Targets<'_>| model.step_towards(inputs, targets);
    let group = ShardGroup::new(2, 2).unwrap();
    let error = step_in_shards(&mut model, (inputs, len), &Targets::of(&LABELS), &group, &step).unwrap_err();
    assert_eq!(error, Error::NoShards);
    assert!(error.to_string().contains("a model on the CPU that makes copies"), "{error}");
    assert_eq!(Snapshot::of(&model).unwrap(), before);
}
