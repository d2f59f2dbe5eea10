//! Optimizers on whole models: what is changed, what is left alone, and what is an error.

use dfdx::nn::{DeviceBuildExt, Module, NonMutableModule};
use dfdx::shapes::Const;
use dfdx::tensor::{Cpu, Tensor};
use pvlu::Error;
use pvlu::layer::builder;
use pvlu::layer::{
    Extent, Flatten2D, GraphBuilder, LayerKind, Linear, Mode, ParamKind, Path, Switches, Visit, Visitor, VisitorMut,
    Wires,
};
use pvlu::tape::Track;
use pvlu_zoo::data::{Augmentation, Batch};
use pvlu_zoo::model::{Classifier, Images, Logits, Model};
use pvlu_zoo::train::{Optimizer, OptimizerConfig, fit};

use crate::support::{Small, bits, build, changed, config, go_on, images, in_order, splits};

fn batch() -> Batch {
    in_order(&images(20), 20).epoch(0).next().unwrap()
}

/// One step on a batch.
fn train(model: &mut dyn Model, optimizer: &mut Optimizer, batch: &Batch) {
    let mut step = model.step(batch.images.clone(), &batch.labels).unwrap();
    optimizer.update(model, &mut step.gradients, 0.05).unwrap();
}

fn freeze_weights(model: &mut dyn Model, freeze: bool) {
    model.switches(&mut |switches| {
        if let Switches::Weights { frozen, .. } = switches {
            *frozen = freeze;
        }
    });
}

fn adam(weight_decay: f64, decoupled: bool) -> OptimizerConfig {
    OptimizerConfig::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay, decoupled }
}

#[test]
fn weight_decay_touches_weights_alone() {
    let batch = batch();
    let after = |config| {
        let mut model = build::<Small>(1);
        model.set_mode(Mode::Train);
        let mut optimizer = Optimizer::new(config);
        // Twice would let the decayed weights change the gradients of the others.
        train(&mut model, &mut optimizer, &batch);
        bits(&model)
    };
    let start = bits(&build::<Small>(1));
    for [without, with] in [
        [OptimizerConfig::sgd(0.9, true, 0.0), OptimizerConfig::sgd(0.9, true, 0.5)],
        [adam(0.0, false), adam(0.5, false)],
        [adam(0.0, true), adam(0.5, true)],
    ] {
        let [without, with] = [after(without), after(with)];
        // Everything is trained, so that what the decay leaves alone is alone for the decay's sake.
        assert_eq!(changed(&start, &without).len(), start.len());
        let decayed = changed(&without, &with);
        let paths: Vec<&str> = decayed.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["0.0.weight", "3.weight"]);
        assert!(decayed.iter().all(|(_, kind)| *kind == ParamKind::Weight));
    }
    let roles: Vec<ParamKind> = start.values().map(|(kind, _)| *kind).collect();
    for kind in [
        ParamKind::Bias,
        ParamKind::Scale,
        ParamKind::Shift,
        ParamKind::Activation,
        ParamKind::RunningMean,
        ParamKind::RunningVariance,
    ] {
        assert!(roles.contains(&kind), "{kind:?} is put to the test");
    }
}

#[test]
fn frozen_weights_stay_and_the_others_move() {
    let batch = batch();
    let mut model = build::<Small>(2);
    model.set_mode(Mode::Train);
    let mut optimizer = Optimizer::new(OptimizerConfig::sgd(0.9, false, 0.1));
    // A velocity, which must not carry on.
    train(&mut model, &mut optimizer, &batch);
    train(&mut model, &mut optimizer, &batch);

    freeze_weights(&mut model, true);
    let before = bits(&model);
    for _ in 0..3 {
        train(&mut model, &mut optimizer, &batch);
    }
    let moved = changed(&before, &bits(&model));
    let paths: Vec<&str> = moved.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["0.1.running_mean", "0.1.running_var", "0.1.scale", "0.1.shift", "0.2.alpha", "0.2.beta"]);

    freeze_weights(&mut model, false);
    let before = bits(&model);
    train(&mut model, &mut optimizer, &batch);
    assert_eq!(changed(&before, &bits(&model)).len(), before.len());
}

#[test]
fn a_network_with_nothing_to_train_is_left_alone() {
    let batch = batch();
    let mut model = build::<Small>(3);
    model.set_mode(Mode::Train);
    model.switches(&mut |switches| match switches {
        Switches::Weights { frozen, .. } | Switches::Activation { frozen, .. } => *frozen = true,
        Switches::BatchNorm(batch_norm) => (batch_norm.affine_frozen, batch_norm.statistics_frozen) = (true, true),
        _ => {}
    });
    let before = bits(&model);
    assert_eq!(model.trained_parameters().unwrap(), 0);
    train(&mut model, &mut Optimizer::new(OptimizerConfig::adam()), &batch);
    assert_eq!(changed(&before, &bits(&model)), []);
}

/// A network whose author forgot a layer: it is there and trained, and the forward pass goes round it.
#[derive(Clone)]
struct Forgetful {
    used: Linear<3072, 10, f32, Cpu>,
    forgotten: Linear<10, 10, f32, Cpu>,
}

impl Visit<f32, Cpu> for Forgetful {
    fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor<f32, Cpu>) -> Result<(), Error> {
        path.step("used", |path| self.used.visit(path, visitor))?;
        path.step("forgotten", |path| self.forgotten.visit(path, visitor))
    }
    fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<f32, Cpu>) -> Result<(), Error> {
        path.step("used", |path| self.used.visit_mut(path, visitor))?;
        path.step("forgotten", |path| self.forgotten.visit_mut(path, visitor))
    }
    fn describe(&self, path: &mut Path, input: Wires, graph: &mut GraphBuilder<'_>) -> Result<Wires, Error> {
        let features = graph.layer(path.as_str(), LayerKind::Flatten, input, Extent::features(3072));
        path.step("used", |path| Visit::<f32, Cpu>::describe(&self.used, path, features, graph))
    }
}

impl NonMutableModule for Forgetful {}

impl<T: Track<f32, Cpu>> Module<Images<Const<32>, Const<32>, T>> for Forgetful {
    type Output = Logits<Const<10>, T>;
    type Error = Error;

    fn try_forward(&self, images: Images<Const<32>, Const<32>, T>) -> Result<Self::Output, Error> {
        let features: Tensor<(usize, Const<3072>), f32, Cpu, T> = Flatten2D::<3, 32, 32, 3072>.try_forward(images)?;
        self.used.try_forward(features)
    }
}

fn forgetful() -> Classifier<Forgetful, Const<32>, Const<32>, Const<10>> {
    let device = Cpu::seed_from_u64(4);
    let used = device.build_module::<builder::Linear<3072, 10>, f32>();
    let forgotten = device.build_module::<builder::Linear<10, 10>, f32>();
    Classifier::cifar(Forgetful { used, forgotten })
}

#[test]
fn a_missing_gradient_names_the_parameter_and_changes_nothing() {
    let batch = batch();
    let mut model = forgetful();
    let before = bits(&model);
    let mut optimizer = Optimizer::new(OptimizerConfig::adam());
    let mut step = model.step(batch.images.clone(), &batch.labels).unwrap();
    let error = optimizer.update(&mut model, &mut step.gradients, 0.1).unwrap_err();
    assert_eq!(error, Error::MissingGradient { path: "forgotten.weight".to_owned() });
    assert!(error.to_string().contains("forgotten.weight"), "{error}");
    assert_eq!(changed(&before, &bits(&model)), []);

    // The loop hands the error on.
    let splits = splits(20, 10, Augmentation::NONE);
    let error = fit(&mut model, &splits, &config(1, OptimizerConfig::adam(), 0.1), &mut go_on).unwrap_err();
    assert_eq!(error, Error::MissingGradient { path: "forgotten.weight".to_owned() });
    assert_eq!(changed(&before, &bits(&model)), []);

    // Without the trap the same optimizer goes on as one that never met it.
    model.net.forgotten.frozen = true;
    optimizer.update(&mut model, &mut step.gradients, 0.1).unwrap();
    let mut fresh = forgetful();
    fresh.net.forgotten.frozen = true;
    let mut step = fresh.step(batch.images.clone(), &batch.labels).unwrap();
    Optimizer::new(OptimizerConfig::adam()).update(&mut fresh, &mut step.gradients, 0.1).unwrap();
    assert_eq!(bits(&model), bits(&fresh));
    let moved = changed(&before, &bits(&model));
    assert_eq!(moved.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["used.bias", "used.weight"]);
}

#[test]
fn batches_that_are_no_images_are_errors() {
    let mut model = build::<Small>(5);
    let before = bits(&model);
    let image = vec![0.0; model.image_len()];
    let error = model.logits(image[1..].to_vec()).unwrap_err();
    assert_eq!(error, Error::Shape { expected: 3072, found: 3071 });
    let error = model.step(image.clone(), &[1, 2]).unwrap_err();
    assert_eq!(error, Error::LabelCount { rows: 1, labels: 2 });
    let error = model.step(image, &[10]).unwrap_err();
    assert_eq!(error, Error::Label { index: 0, label: 10, classes: 10 });
    assert_eq!(bits(&model), before);
}
