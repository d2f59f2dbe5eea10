//! A training on disk, there and back.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::*;
use crate::data::{Augmentation, Dataset, Loader, LoaderConfig, Normalization};
use crate::registry::build;
use crate::train::{Event, FitConfig, History, Mixup, Outcome, SavedFit, Schedule, Splits, fit_from};

fn config() -> FitConfig {
    let optimizer = OptimizerConfig::adam();
    FitConfig::new(2, optimizer, 1e-3, Schedule::Cosine)
}

/// With all that a training can have beside.
fn whole_recipe() -> FitConfig {
    let mixup = Some(Mixup { alpha: 0.4, seed: 3 });
    let schedule = Schedule::Milestones { epochs: vec![1.3], factor: 0.5 };
    let plain = FitConfig::new(2, OptimizerConfig::sgd(0.9, true, 1e-4), 1e-2, schedule);
    FitConfig { warm_up: 1, head_rate: 2.0, label_smoothing: 0.1, mixup, average: Some(0.8), ..plain }
}

fn splits() -> Splits {
    let Dataset { train, test, .. } = Dataset::procedural(10, 40, 20, 5).unwrap();
    let normalization = Normalization::measured(&train).unwrap();
    let in_order = LoaderConfig::evaluation(10, normalization);
    let test = Arc::new(test);
    Splits {
        train: Loader::new(Arc::new(train), LoaderConfig::training(16, 3, normalization, Augmentation::STANDARD))
            .unwrap(),
        validation: Loader::new(Arc::clone(&test), in_order.clone()).unwrap(),
        test: Loader::new(test, in_order).unwrap(),
    }
}

/// Trains from a state until `stop_at` events were seen, and saves the last moment.
fn train(model: &mut dyn Model, config: &FitConfig, state: FitState, stop_at: usize, path: &Path) -> History {
    model.seed_dropout(9);
    let mut events = 0;
    let mut observe = |_: Event<'_>| {
        events += 1;
        if events >= stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut keep = |moment: crate::train::Moment<'_>| {
        if moment.last {
            moment.state.save(moment.model, path, [("who".to_owned(), "me".to_owned())]).unwrap();
        }
        ControlFlow::Continue(())
    };
    fit_from(model, &splits(), config, state, &mut observe, &mut keep).unwrap()
}

fn lasting(history: &History) -> Vec<EpochRecord> {
    history.epochs.iter().map(|epoch| EpochRecord { seconds: 0.0, ..*epoch }).collect()
}

#[test]
fn a_training_goes_on_to_the_bit_from_wherever_it_was_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.safetensors");
    // With dropout, batch norm has none; the other way round for the others.
    for (name, activation, config) in [
        ("sequential6conv", "pvlu", config()),
        ("cifar_resnet20", "relu", config()),
        ("cifar_resnet20", "pvlu", whole_recipe()),
    ] {
        let new = || FitState::new(config.optimizer);
        let mut whole = build(name, activation, 10, 1).unwrap();
        let history = train(whole.as_mut(), &config, new(), usize::MAX, &path);
        assert_eq!(history.outcome, Outcome::Finished);
        let end = Snapshot::of(whole.as_ref()).unwrap();
        // Three steps an epoch, two and two batches of evaluation, the record: after a step, after the last one, within
        // each evaluation, after the epoch, and in the second epoch.
        for stop_at in [1, 3, 4, 6, 8, 10] {
            let mut model = build(name, activation, 10, 1).unwrap();
            let stopped = train(model.as_mut(), &config, new(), stop_at, &path);
            assert_eq!(stopped.outcome, Outcome::Interrupted);
            // Other values, which are overwritten.
            let mut model = build(name, activation, 10, 2).unwrap();
            let kept = SavedFit::open(&path).unwrap();
            assert_eq!(kept.metadata()["who"], "me");
            let state = kept.restore(model.as_mut(), &config, 3).unwrap();
            assert_eq!((state.epochs.len(), state.steps > 0), (stop_at / 8, stop_at != 8), "{stop_at}");
            let resumed = train(model.as_mut(), &config, state, usize::MAX, &path);
            assert_eq!(lasting(&resumed), lasting(&history), "{name} {stop_at}");
            assert!(Snapshot::of(model.as_ref()).unwrap() == end, "{name} {stop_at}");
        }
    }
}

#[test]
fn a_damaged_file_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.safetensors");
    let mut model = build("cifar_resnet20", "relu", 10, 1).unwrap();
    train(model.as_mut(), &config(), FitState::new(OptimizerConfig::adam()), 2, &path);
    let bytes = std::fs::read(&path).unwrap();
    let mut other = build("cifar_resnet20", "relu", 10, 2).unwrap();
    let before = Snapshot::of(other.as_ref()).unwrap();
    let flip = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        bytes
    };
    // A digit of the state, and of what is beside it: `me` becomes `mf`.
    let place = |of: &[u8]| bytes.windows(of.len()).position(|window| window == of).unwrap() + of.len() - 1;
    let (digit, letter) = (place(br#"\"images\":3"#), place(b"me"));
    // A bit of a weight, one of the moments, half of the file, nothing.
    let all = [flip(bytes.len() / 2), flip(bytes.len() - 5), bytes[..bytes.len() / 2].to_vec(), Vec::new()];
    for damaged in all.into_iter().chain([flip(digit), flip(letter)]) {
        std::fs::write(&path, damaged).unwrap();
        let found = SavedFit::open(&path).and_then(|kept| kept.restore(other.as_mut(), &config(), 3));
        let error = found.unwrap_err().to_string();
        assert!(error.contains("kept.safetensors") && !error.contains('\n'), "{error}");
    }
    std::fs::write(&path, &bytes).unwrap();
    let kept = SavedFit::open(&path).unwrap();
    let mut larger = build("cifar_resnet32", "relu", 10, 2).unwrap();
    assert!(kept.restore(larger.as_mut(), &config(), 3).is_err());
    assert!(Snapshot::of(other.as_ref()).unwrap() == before);
    kept.restore(other.as_mut(), &config(), 3).unwrap();
    assert!(Snapshot::of(other.as_ref()).unwrap() != before);
}

#[test]
fn epochs_are_read_again_to_the_bit() {
    let evaluation = |top1: f64| Evaluation { images: 3, top1, top5: 1.0 / 3.0, loss: f64::INFINITY };
    let record = EpochRecord {
        epoch: 7,
        learning_rate: 1e-3 / 3.0,
        train_loss: f64::NAN,
        train_top1: 0.1 + 0.2,
        validation: evaluation(5e-324),
        test: evaluation(f64::MAX),
        seconds: 0.5,
    };
    let text = record.to_json().to_string();
    let read = EpochRecord::of_json(&serde_json::from_str(&text).unwrap()).unwrap();
    assert!(read.train_loss.is_nan());
    assert_eq!(EpochRecord { train_loss: 0.0, ..read }, EpochRecord { train_loss: 0.0, ..record });
    assert!(EpochRecord::of_json(&json!({"epoch": 1})).is_none());
}
