//! The training loop: what it learns, how it ends, and that it repeats to the bit.

use std::ops::ControlFlow;

use pvlu::kernel::cpu::cross_entropy::top_k_correct;
use pvlu::layer::{Mode, Switches};
use pvlu_zoo::data::Augmentation;
use pvlu_zoo::model::Model;
use pvlu_zoo::registry;
use pvlu_zoo::train::{EpochRecord, Event, History, OptimizerConfig, Outcome, Schedule, dead_units, evaluate, fit};

use crate::support::{Bits, Small, bits, build, changed, config, go_on, images, in_order, splits};

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[test]
fn training_lowers_the_loss() {
    let mut model = registry::build("sequential6conv", "pvlu", 10, 0).unwrap();
    let splits = splits(60, 20, Augmentation::NONE);
    let history = fit(model.as_mut(), &splits, &config(12, OptimizerConfig::adam(), 1e-3), &mut go_on).unwrap();
    assert_eq!(history.outcome, Outcome::Finished);
    assert_eq!(history.epochs.iter().map(|epoch| epoch.epoch).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
    let [first, last] = [history.epochs[0], history.epochs[11]];
    println!(
        "training loss {} to {}, test loss {} to {}",
        first.train_loss, last.train_loss, first.test.loss, last.test.loss
    );
    assert!(last.train_loss < 0.7 * first.train_loss, "{first:?} {last:?}");
    assert!(last.test.loss < 0.8 * first.test.loss && last.test.top1 > first.test.top1, "{first:?} {last:?}");
}

#[test]
fn evaluation_counts_every_image() {
    let mut model = build::<Small>(1);
    let split = images(130);
    let mut on =
        |batch| evaluate(&mut model, &in_order(&split, batch), &mut || ControlFlow::Continue(())).unwrap().unwrap();
    // 128 and 2; one; ten times 13; all; more than all.
    let evaluations = [128, 1, 13, 130, 1000].map(&mut on);
    for evaluation in &evaluations {
        assert_eq!(evaluation.images, 130);
        assert_eq!((evaluation.top1, evaluation.top5), (evaluations[0].top1, evaluations[0].top5));
        assert!((evaluation.loss - evaluations[0].loss).abs() < 1e-6 * evaluations[0].loss);
    }

    // Image by image, by the definition: without a tape the model evaluates, and a dropout would show here.
    let (mut right, mut loss) = (0, 0.0);
    for batch in in_order(&split, 1).epoch(0) {
        let logits = model.logits(batch.images).unwrap();
        right += top_k_correct(&logits, 10, &batch.labels, 1);
        let logits: Vec<f64> = logits.iter().map(|&logit| f64::from(logit)).collect();
        loss += logits.iter().map(|logit| logit.exp()).sum::<f64>().ln() - logits[batch.labels[0]];
    }
    assert_eq!(evaluations[0].top1, right as f64 / 130.0);
    assert!((evaluations[0].loss - loss / 130.0).abs() < 1e-5, "{} {}", evaluations[0].loss, loss / 130.0);
}

/// The modes of the layers that have one.
fn modes(model: &mut dyn Model) -> Vec<Mode> {
    let mut modes = Vec::new();
    model.switches(&mut |switches| match switches {
        Switches::BatchNorm(batch_norm) => modes.push(batch_norm.mode),
        Switches::Dropout(dropout) => modes.push(dropout.mode),
        _ => {}
    });
    modes
}

/// Otherwise a training loop of the user's own would run in evaluation mode from its second epoch on.
#[test]
fn training_and_evaluation_leave_the_modes_of_the_layers_as_they_were() {
    let mut model = registry::build("sequential6conv", "pvlu", 10, 3).unwrap();
    let splits = splits(20, 10, Augmentation::NONE);
    let steps = config(2, OptimizerConfig::adam(), 1e-3);
    for mode in [Mode::Auto, Mode::Train, Mode::Eval] {
        model.set_mode(mode);
        let before = modes(&mut *model);
        assert!(before.len() > 1 && before.iter().all(|found| *found == mode));
        evaluate(&mut *model, &splits.test, &mut || ControlFlow::Continue(())).unwrap();
        assert_eq!(modes(&mut *model), before);
        evaluate(&mut *model, &splits.test, &mut || ControlFlow::Break(())).unwrap();
        assert_eq!(modes(&mut *model), before);
        dead_units(&mut *model, &splits.test, &mut || ControlFlow::Continue(())).unwrap();
        assert_eq!(modes(&mut *model), before);
        let history = fit(&mut *model, &splits, &steps, &mut go_on).unwrap();
        assert_eq!(history.outcome, Outcome::Finished);
        assert_eq!(modes(&mut *model), before);
        let history = fit(&mut *model, &splits, &steps, &mut |_| ControlFlow::Break(())).unwrap();
        assert_eq!(history.outcome, Outcome::Interrupted);
        assert_eq!(modes(&mut *model), before);
    }
}

/// All numbers of a history, to the bit, but for the time.
fn numbers(history: &History) -> Vec<u64> {
    let of = |epoch: &EpochRecord| {
        let [v, t] = [epoch.validation, epoch.test];
        let all =
            [epoch.learning_rate, epoch.train_loss, epoch.train_top1, v.top1, v.top5, v.loss, t.top1, t.top5, t.loss];
        all.map(f64::to_bits)
    };
    history.epochs.iter().flat_map(of).collect()
}

#[test]
fn a_run_repeats_to_the_bit_with_any_number_of_threads() {
    let run = |threads| -> (Vec<u64>, Vec<(String, Bits)>) {
        pool(threads).install(|| {
            let mut model = registry::build("sequential6conv", "pvlu", 10, 7).unwrap();
            let mut config = config(2, OptimizerConfig::sgd(0.9, true, 1e-4), 1e-2);
            config.schedule = Schedule::Cosine;
            let splits = splits(50, 32, Augmentation { cutout: Some(8), ..Augmentation::STANDARD });
            let history = fit(model.as_mut(), &splits, &config, &mut go_on).unwrap();
            assert_eq!(history.outcome, Outcome::Finished);
            (numbers(&history), bits(model.as_ref()).into_iter().collect())
        })
    };
    let one = run(1);
    for threads in [1, 2, 3] {
        assert!(run(threads) == one, "{threads} threads");
    }
}

#[test]
fn a_diverging_run_ends_and_says_so() {
    let mut model = build::<Small>(2);
    let splits = splits(60, 10, Augmentation::NONE);
    let mut records = 0;
    let mut observe = |event: Event<'_>| {
        records += u32::from(matches!(event, Event::Epoch(_)));
        ControlFlow::Continue(())
    };
    let history =
        fit(&mut model, &splits, &config(50, OptimizerConfig::sgd(0.9, false, 0.0), 1e6), &mut observe).unwrap();
    assert_eq!(history.outcome, Outcome::Diverged);
    let last = history.epochs.last().unwrap();
    assert!(!last.train_loss.is_finite() && history.epochs.len() < 50, "{last:?}");
    // The epoch it died in is reported and evaluated as any other.
    assert_eq!(records as usize, history.epochs.len());
    assert_eq!((last.validation.images, last.test.images), (60, 60));
    assert!(history.epochs.iter().rev().skip(1).all(|epoch| epoch.train_loss.is_finite()));
}

#[test]
fn an_interrupt_ends_after_the_step_and_keeps_what_was_finished() {
    let splits = splits(60, 20, Augmentation::NONE);
    // Three steps an epoch, three validation batches, one of test, and the record: eight events.
    let run = |stop_at: usize, epochs| {
        let mut model = build::<Small>(3);
        let mut events = 0;
        let mut observe = |_: Event<'_>| {
            events += 1;
            if events == stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let history = fit(&mut model, &splits, &config(epochs, OptimizerConfig::adam(), 1e-3), &mut observe).unwrap();
        assert_eq!(events, stop_at.min(8 * epochs as usize), "nothing follows an interrupt");
        (history, bits(&model))
    };
    // In the first step, between training and validation, before the test, in the second epoch.
    for (stop_at, finished) in [(1, 0), (3, 0), (4, 0), (7, 0), (8, 1), (9, 1), (14, 1), (15, 1), (16, 2)] {
        let (history, _) = run(stop_at, 3);
        assert_eq!((history.outcome, history.epochs.len()), (Outcome::Interrupted, finished), "event {stop_at}");
    }
    // After the last epoch there is nothing left to interrupt.
    assert_eq!(run(24, 3).0.outcome, Outcome::Finished);
    assert_eq!(run(usize::MAX, 3).0.outcome, Outcome::Finished);
    // The first step counts, whether or not it is the last one.
    let before = bits(&build::<Small>(3));
    assert!(!changed(&before, &run(1, 3).1).is_empty());
    // What was finished is what an uninterrupted run has.
    assert_eq!(numbers(&run(12, 3).0), numbers(&run(usize::MAX, 1).0));
}

#[test]
fn training_drops_and_evaluation_does_not() {
    let mut model = build::<Small>(4);
    let batch = in_order(&images(20), 20).epoch(0).next().unwrap();
    model.set_mode(Mode::Train);
    let mut logits = || model.step(batch.images.clone(), &batch.labels).unwrap().logits;
    assert_ne!(logits(), logits(), "two draws of the dropout");
    model.set_mode(Mode::Eval);
    assert_eq!(model.logits(batch.images.clone()).unwrap(), model.logits(batch.images.clone()).unwrap());
}
