//! Trainings that are shared among processes, which are threads here: the same bits for any number of them.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use pvlu::layer::{ParamKind, Switches};
use pvlu::shard::{Ranks, ThreadRanks};
use pvlu_zoo::data::{Augmentation, Batch, Batches, DataError, Loader, LoaderConfig, Normalization};
use pvlu_zoo::registry::build;
use pvlu_zoo::snapshot::Snapshot;
use pvlu_zoo::train::{
    EpochRecord, Event, FitConfig, History, Mixup, OptimizerConfig, Outcome, Schedule, Splits, alone, among,
    evaluate_finite, fit,
};
use pvlu_zoo::transfer::FreezePolicy;

use crate::support::{images, in_order};

/// A training whose rest depends on all that processes have to agree on.
struct Case {
    model: &'static str,
    activation: &'static str,
    policy: FreezePolicy,
    mixup: bool,
}

const CASES: [Case; 4] = [
    Case { model: "cifar_resnet20", activation: "pvlu", policy: FreezePolicy::ALL, mixup: false },
    Case { model: "cifar_resnet20", activation: "relu", policy: FreezePolicy::ALL, mixup: true },
    // Features that are computed once.
    Case { model: "cifar_resnet20", activation: "relu", policy: FreezePolicy::HEAD, mixup: false },
    // Dropout, without batch norm.
    Case { model: "sequential6conv", activation: "prelu", policy: FreezePolicy::ALL, mixup: false },
];

/// Tensors and records of the training of a case, and its outcome; `stop_after` steps one process is asked to stop.
fn trained(case: &Case, shards: usize, stop_after: Option<usize>) -> (Snapshot, Vec<EpochRecord>, Outcome) {
    let mut model = build(case.model, case.activation, 10, 3).unwrap();
    case.policy.apply(model.net_mut());
    model.seed_dropout(4);
    let split = images(23);
    let augmentation = if case.policy == FreezePolicy::HEAD {
        Augmentation::NONE
    } else {
        Augmentation { flip: true, ..Augmentation::NONE }
    };
    // The last batch has fewer images than there are shards.
    let shuffled = LoaderConfig::training(10, 5, Normalization::measured(&split).unwrap(), augmentation);
    let splits = Splits {
        train: Loader::new(split.clone(), shuffled).unwrap(),
        validation: in_order(&split, 5),
        test: in_order(&split, 128),
    };
    let config = FitConfig {
        mixup: case.mixup.then_some(Mixup { alpha: 0.4, seed: 2 }),
        average: Some(0.5),
        shards,
        ..FitConfig::new(3, OptimizerConfig::sgd(0.9, false, 1e-3), 0.005, Schedule::Cosine)
    };
    let steps = AtomicUsize::new(0);
    let mut observe = |event: Event<'_>| {
        let is_last =
            matches!(event, Event::Step { .. }) && Some(steps.fetch_add(1, Ordering::Relaxed) + 1) == stop_after;
        if is_last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let History { epochs, outcome } = fit(model.as_mut(), &splits, &config, &mut observe).unwrap();
    let mut passes = Vec::new();
    model.switches(&mut |switches| {
        if let Switches::Dropout(dropout) = switches {
            passes.push(dropout.passes);
        }
    });
    assert!(passes.iter().all(|count| *count == passes[0]), "dropouts move on together: {passes:?}");
    let timeless = epochs.into_iter().map(|epoch| EpochRecord { seconds: 0.0, ..epoch }).collect();
    (Snapshot::of(model.as_ref()).unwrap(), timeless, outcome)
}

/// The same on each of some ranks; the second of them is the one that is asked to stop.
fn on_ranks(
    case: &Case,
    shards: usize,
    ranks: usize,
    stop_after: Option<usize>,
) -> (Snapshot, Vec<EpochRecord>, Outcome) {
    let found: Vec<_> = std::thread::scope(|scope| {
        let start = |(number, rank): (usize, ThreadRanks)| {
            let stop_after = stop_after.filter(|_| number == 1);
            scope.spawn(move || among(Arc::new(rank), || trained(case, shards, stop_after)))
        };
        let threads: Vec<_> = ThreadRanks::new(ranks).into_iter().enumerate().map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(found.iter().all(|of_rank| *of_rank == found[0]), "{} on {ranks} ranks", case.model);
    found.into_iter().next().unwrap()
}

#[test]
fn the_number_of_ranks_changes_no_bit_of_a_training() {
    for case in &CASES {
        let expected = trained(case, 4, None);
        assert_eq!((expected.1.len(), expected.2), (3, Outcome::Finished));
        for ranks in [1, 2, 4] {
            let found = on_ranks(case, 4, ranks, None);
            assert!(found == expected, "{} with {} on {ranks} ranks", case.model, case.activation);
        }
        assert!(trained(case, 2, None).0 != expected.0);
    }
}

#[test]
fn a_rank_that_is_asked_to_stop_stops_all() {
    let (stopped, epochs, outcome) = on_ranks(&CASES[0], 4, 2, Some(5));
    assert_eq!((epochs.len(), outcome), (1, Outcome::Interrupted));
    assert!(stopped == trained(&CASES[0], 4, Some(5)).0);
}

/// Ranks that count the bytes that they send to each other.
struct Counted {
    ranks: Arc<dyn Ranks>,
    sent: Arc<AtomicU64>,
}

impl Ranks for Counted {
    fn rank(&self) -> usize {
        self.ranks.rank()
    }
    fn count(&self) -> usize {
        self.ranks.count()
    }
    fn second(&self) -> Option<Arc<dyn Ranks>> {
        Some(Arc::new(Self { ranks: self.ranks.second()?, sent: Arc::clone(&self.sent) }))
    }
    fn exchange(&self, messages: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let to_others = messages.iter().enumerate().filter(|(rank, _)| *rank != self.rank());
        self.sent.fetch_add(to_others.map(|(_, message)| message.len() as u64).sum(), Ordering::Relaxed);
        self.ranks.exchange(messages)
    }
}

/// Bytes that each of some ranks sends in a step, on average; the same number of shards.
fn sent_in_a_step(policy: FreezePolicy, ranks: usize) -> f64 {
    let sent_in = |epochs: u64| {
        let all_sent = Arc::new(AtomicU64::new(0));
        std::thread::scope(|scope| {
            for of_thread in ThreadRanks::new(ranks) {
                let counted = Counted { ranks: Arc::new(of_thread), sent: Arc::clone(&all_sent) };
                scope.spawn(move || {
                    among(Arc::new(counted), || {
                        let mut model = build("cifar_resnet20", "pvlu", 10, 3).unwrap();
                        policy.apply(model.net_mut());
                        let split = images(16);
                        let normalization = Normalization::measured(&split).unwrap();
                        let shuffled = LoaderConfig::training(4, 5, normalization, Augmentation::NONE);
                        let train = Loader::new(split.clone(), shuffled).unwrap();
                        let evaluation = LoaderConfig::evaluation(16, normalization);
                        let nothing = || Loader::new(Arc::new(split.limit(0)), evaluation.clone()).unwrap();
                        let splits = Splits { train, validation: nothing(), test: nothing() };
                        let optimizer = OptimizerConfig::sgd(0.9, false, 0.0);
                        let config =
                            FitConfig { shards: ranks, ..FitConfig::new(epochs, optimizer, 1e-3, Schedule::Constant) };
                        fit(model.as_mut(), &splits, &config, &mut |_| ControlFlow::Continue(())).unwrap();
                    });
                });
            }
        });
        all_sent.load(Ordering::Relaxed)
    };
    // Four steps in an epoch.
    (sent_in(2) - sent_in(1)) as f64 / 4.0 / ranks as f64
}

/// As docs/many-machines.md says of the bytes of a step.
#[test]
fn the_gradients_of_trained_parameters_are_exchanged_and_sums_of_batch_norms() {
    let model = build("cifar_resnet20", "pvlu", 10, 3).unwrap();
    let (mut all, mut activations, mut channels) = (0, 0, 0);
    model
        .tensors(&mut |tensor| match tensor.slot.kind {
            ParamKind::RunningMean => channels += tensor.values.len(),
            ParamKind::RunningVariance | ParamKind::Hyperparameter => {}
            ParamKind::Activation => activations += tensor.values.len(),
            _ => all += tensor.values.len(),
        })
        .unwrap();
    all += activations;
    for ranks in [2, 4] {
        let others = (ranks - 1) as f64;
        for (policy, parameters, normalized) in
            [(FreezePolicy::ACTIVATIONS, activations, 0), (FreezePolicy::ALL, all, channels)]
        {
            let sent = sent_in_a_step(policy, ranks);
            // A part of the gradient to each other rank, then the sum over a part; and 32 bytes a channel and rank.
            let gradients = 2.0 * 4.0 * parameters as f64 * others / ranks as f64;
            let sums = 32.0 * normalized as f64 * others;
            println!("{ranks} ranks: {sent} bytes, {gradients} of gradients, {sums} of {normalized} channels");
            let rest = sent - gradients - sums;
            assert!(
                (0.0..3000.0).contains(&rest),
                "{ranks} ranks: {sent} bytes, {gradients} of gradients, {sums} of sums"
            );
        }
    }
}

/// Batches of which some images are infinite.
struct Broken(Loader, Vec<usize>);

impl Batches for Broken {
    fn batches(&self) -> usize {
        self.0.batches()
    }
    fn epoch_from(&self, epoch: u64, first: usize) -> Box<dyn Iterator<Item = Result<Batch, DataError>>> {
        let (broken, mut before) = (self.1.clone(), 0);
        assert_eq!(first, 0);
        let all = self.0.epoch_from(epoch, 0).map(move |batch| {
            let mut batch = batch?;
            let (count, len) = (batch.labels.len(), batch.images.len() / batch.labels.len());
            for image in broken.iter().filter(|image| (before..before + count).contains(image)) {
                batch.images[(image - before) * len..][..len].fill(f32::INFINITY);
            }
            before += count;
            Ok(batch)
        });
        Box::new(all.collect::<Vec<_>>().into_iter())
    }
}

/// Of a logit that is not finite all ranks hear, as one process does, wherever the image is; what a rank evaluates
/// alone is not waited for by others.
#[test]
fn a_logit_that_is_not_finite_is_that_of_one_process() {
    let evaluated = |broken: &[usize]| {
        let mut model = build("cifar_resnet20", "relu", 10, 3).unwrap();
        let batches = Broken(in_order(&images(23), 4), broken.to_vec());
        let found = evaluate_finite(model.as_mut(), &batches, &mut || ControlFlow::Continue(()));
        found.map_err(|error| error.to_string())
    };
    for broken in [vec![], vec![0], vec![9], vec![22, 14], vec![21]] {
        let expected = evaluated(&broken);
        let first = broken.iter().min().map(|image| format!("image {image}: "));
        assert_eq!(expected.as_ref().err().map(|said| said[..said.find(": ").unwrap() + 2].to_owned()), first);
        for ranks in [2, 3] {
            std::thread::scope(|scope| {
                for (number, rank) in ThreadRanks::new(ranks).into_iter().enumerate() {
                    let (broken, expected) = (&broken, &expected);
                    scope.spawn(move || {
                        among(Arc::new(rank), || {
                            assert_eq!(evaluated(broken), *expected, "{broken:?}, rank {number} of {ranks}");
                            if number == 1 {
                                assert_eq!(alone(|| evaluated(broken)), *expected);
                            }
                        });
                    });
                }
            });
        }
    }
}
