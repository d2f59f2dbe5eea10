//! Averages, mixing, smoothing, warm-up, and a rate for the head.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use pvlu::kernel::cpu::cross_entropy::cross_entropy_smoothed;
use pvlu::loss::Targets;
use pvlu_zoo::data::{Augmentation, Batches};
use pvlu_zoo::model::Model;
use pvlu_zoo::registry;
use pvlu_zoo::train::{Event, FitConfig, FitState, Mixup, OptimizerConfig, Outcome, Schedule, evaluate, fit, fit_from};
use pvlu_zoo::transfer::in_head;

use crate::support::{Small, bits, build, config, go_on, splits};

fn values(model: &dyn Model) -> BTreeMap<String, Vec<f64>> {
    let mut values = BTreeMap::new();
    let mut show = |tensor: pvlu_zoo::model::TensorView<'_>| {
        values.insert(tensor.slot.path.to_owned(), tensor.values.iter().map(|&value| f64::from(value)).collect());
    };
    model.tensors(&mut show).unwrap();
    values
}

/// The losses of the steps of a training, and the values after each.
fn steps(model: &mut dyn Model, config: &FitConfig) -> (Vec<f64>, Vec<BTreeMap<String, Vec<f64>>>) {
    let (mut losses, mut after) = (Vec::new(), Vec::new());
    let mut observe = |event: Event<'_>| {
        if let Event::Step { loss, .. } = event {
            losses.push(loss);
        }
        ControlFlow::Continue(())
    };
    let mut keep = |moment: pvlu_zoo::train::Moment<'_>| {
        if moment.state.steps > 0 {
            after.push(values(moment.model));
        }
        ControlFlow::Continue(())
    };
    let state = FitState::new(config.optimizer);
    let all = splits(60, 20, Augmentation::NONE);
    assert_eq!(fit_from(model, &all, config, state, &mut observe, &mut keep).unwrap().outcome, Outcome::Finished);
    (losses, after)
}

#[test]
fn the_average_is_what_is_measured_and_what_is_left() {
    let plain = config(2, OptimizerConfig::sgd(0.9, false, 1e-4), 0.05);
    let averaged = FitConfig { average: Some(0.75), ..plain.clone() };
    let mut model = build::<Small>(3);
    let start = values(&model);
    // The average changes nothing of the training itself.
    let (_, after) = steps(&mut model, &plain);
    let end = values(&model);
    let mut model = build::<Small>(3);
    let all = splits(60, 20, Augmentation::NONE);
    let history = fit(&mut model, &all, &averaged, &mut go_on).unwrap();
    let found = values(&model);
    let mut expected = start;
    for now in &after {
        for (path, average) in &mut expected {
            average.iter_mut().zip(&now[path]).for_each(|(average, now)| *average = 0.75 * *average + 0.25 * now);
        }
    }
    assert_eq!(after.len(), 6);
    let mut moved = 0;
    for (path, expected) in &expected {
        for ((found, expected), last) in found[path].iter().zip(expected).zip(&end[path]) {
            assert!((found - expected).abs() <= 1e-6 * expected.abs().max(0.1), "{path}: {found} {expected}");
            moved += usize::from((found - last).abs() > 1e-5);
        }
    }
    assert!(moved > 100, "the average is another network: {moved}");
    let now = evaluate(&mut model, &all.test, &mut || ControlFlow::Continue(())).unwrap().unwrap();
    assert_eq!(history.epochs[1].test, now);
}

#[test]
fn the_loss_of_a_step_is_that_of_mixed_images_and_smoothed_labels() {
    let plain = config(1, OptimizerConfig::sgd(0.0, false, 0.0), 1e-9);
    let loss = |config: &FitConfig| {
        let mut model = registry::build("cifar_resnet20", "pvlu", 10, 2).unwrap();
        steps(model.as_mut(), config).0[0]
    };
    // Of the first batch, by the logits that training gives, whose batch norms take the statistics of the batch.
    let mut model = registry::build("cifar_resnet20", "pvlu", 10, 2).unwrap();
    let batch = splits(60, 20, Augmentation::NONE).train.epoch_from(1, 0).next().unwrap().unwrap();
    model.set_mode(pvlu::layer::Mode::Train);
    let logits = model.step(batch.images, &batch.labels).unwrap().logits;
    let smoothed = cross_entropy_smoothed(&logits, 10, &batch.labels, 0.3, &mut vec![0.0; logits.len()]);
    assert_eq!(loss(&FitConfig { label_smoothing: 0.3, ..plain.clone() }), f64::from(smoothed as f32));
    assert_ne!(loss(&plain), loss(&FitConfig { label_smoothing: 0.3, ..plain.clone() }));
    let mixed = |seed| loss(&FitConfig { mixup: Some(Mixup { alpha: 1.0, seed }), ..plain.clone() });
    assert_eq!(mixed(1), mixed(1));
    assert!(mixed(1) != mixed(2) && mixed(1) != loss(&plain));
    // Each image is mixed with the one before it, in the share that the seed draws; the labels in the same share.
    let batch = splits(60, 20, Augmentation::NONE).train.epoch_from(1, 0).next().unwrap().unwrap();
    let len = batch.images.len() / batch.labels.len();
    let (mut others, mut other_labels) = (batch.images.clone(), batch.labels.clone());
    others.rotate_right(len);
    other_labels.rotate_right(1);
    let expected = |share: f64| {
        let mut model = registry::build("cifar_resnet20", "pvlu", 10, 2).unwrap();
        model.set_mode(pvlu::layer::Mode::Train);
        let (first, second) = (share as f32, (1.0 - share) as f32);
        let images = batch.images.iter().zip(&others).map(|(image, other)| first * image + second * other).collect();
        let targets = Targets { labels: &batch.labels, smoothing: 0.0, mixed: Some((&other_labels, share)) };
        model.step_towards(images, &targets).unwrap().loss
    };
    for seed in [1, 2] {
        let share = Mixup { alpha: 1.0, seed }.share(1, 0);
        assert_eq!(mixed(seed), expected(share), "{share}");
        assert_ne!(mixed(seed), expected(1.0 - share), "{share}");
    }
}

/// Each step of plain gradient descent moves a tensor by the rate times its gradient.
#[test]
fn the_rate_rises_at_the_beginning_and_is_another_one_in_the_head() {
    let plain = config(2, OptimizerConfig::sgd(0.0, false, 0.0), 1e-6);
    let moved = |config: &FitConfig, head: bool| {
        let mut model = registry::build("cifar_resnet20", "relu", 10, 2).unwrap();
        let before = values(model.as_ref());
        let (_, after) = steps(model.as_mut(), config);
        let largest = |path: &&String| path.ends_with("weight") && in_head(path) == head;
        let path = before.keys().find(largest).unwrap();
        let distance = |left: &[f64], right: &[f64]| {
            left.iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0, f64::max)
        };
        (distance(&before[path], &after[0][path]), distance(&after[2][path], &after[3][path]))
    };
    // So small a rate that the gradients are those of the start; large enough for `f32`.
    let scaled = |config: FitConfig| FitConfig { learning_rate: 1e-3, ..config };
    let [trunk, head] = [false, true].map(|head| moved(&scaled(plain.clone()), head));
    let warm = scaled(FitConfig { warm_up: 1, ..plain.clone() });
    let rising = moved(&warm, false);
    assert!((rising.0 / trunk.0 - 1.0 / 3.0).abs() < 0.01 && (rising.1 / trunk.1 - 1.0).abs() < 0.1, "{rising:?}");
    let faster = scaled(FitConfig { head_rate: 10.0, ..plain.clone() });
    assert!((moved(&faster, true).0 / head.0 - 10.0).abs() < 0.01, "{head:?}");
    assert!((moved(&faster, false).0 / trunk.0 - 1.0).abs() < 0.01, "{trunk:?}");
    assert_eq!(warm.rate(0, 3), 1e-3 / 3.0);
    assert_eq!(FitConfig { schedule: Schedule::Cosine, ..warm }.rate(3, 3), 1e-3);
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let all = splits(20, 10, Augmentation::NONE);
    let plain = config(1, OptimizerConfig::adam(), 1e-3);
    for (config, name) in [
        (FitConfig { label_smoothing: 1.5, ..plain.clone() }, "label smoothing"),
        (FitConfig { label_smoothing: f64::NAN, ..plain.clone() }, "label smoothing"),
        (FitConfig { average: Some(1.0), ..plain.clone() }, "moving average"),
        (FitConfig { average: Some(f64::NAN), ..plain.clone() }, "moving average"),
        (FitConfig { mixup: Some(Mixup { alpha: 0.0, seed: 0 }), ..plain.clone() }, "alpha of mixup"),
        (FitConfig { learning_rate: f64::INFINITY, ..plain.clone() }, "learning rate"),
        (FitConfig { head_rate: f64::NAN, ..plain.clone() }, "learning rate of the head"),
    ] {
        let mut model = build::<Small>(1);
        let before = bits(&model);
        let error = fit(&mut model, &all, &config, &mut go_on).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("expected"), "{error}");
        assert!(bits(&model) == before);
    }
}
