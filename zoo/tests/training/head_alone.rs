//! Training of the head alone, on features of a trunk that is compiled.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dfdx::nn::BuildOnDevice;
use dfdx::shapes::Const;
use dfdx::tensor::Cpu;
use pvlu::activation::Relu;
use pvlu::compiled::CompiledTrunk;
use pvlu::layer::builder::{Act, BatchNorm2D, Conv2D, Dropout, GlobalAvgPool2D, Linear, LinearTo, TrunkAndHead};
use pvlu::layer::{Extent, ParamKind};
use pvlu_zoo::data::{Augmentation, Batch, Batches, DataError, Loader, LoaderConfig, Normalization};
use pvlu_zoo::model::{Classifier, Model};
use pvlu_zoo::names::LayerNames;
use pvlu_zoo::registry::{ModelEntry, Options, Sides, Start, build, find};
use pvlu_zoo::train::{
    Event, FitConfig, FitState, History, Moment, OptimizerConfig, Outcome, SavedFit, Splits, evaluate, fit, fit_from,
};
use pvlu_zoo::transfer::{FreezePolicy, in_head};

use crate::support::{bits, build as build_typed, changed, config, go_on, images, in_order};

/// Counts the batches that are made, and says or hides that images are the same in every epoch.
#[derive(Clone)]
struct Counted {
    loader: Loader,
    made: Arc<AtomicUsize>,
    says: bool,
}

impl Batches for Counted {
    fn batches(&self) -> usize {
        self.loader.batches()
    }
    fn epoch_from(&self, epoch: u64, first: usize) -> Box<dyn Iterator<Item = Result<Batch, DataError>>> {
        let made = Arc::clone(&self.made);
        Box::new(self.loader.epoch_from(epoch, first).inspect(move |_| {
            made.fetch_add(1, Ordering::Relaxed);
        }))
    }
    fn order(&self, epoch: u64) -> Option<Vec<Vec<usize>>> {
        self.loader.order(epoch).filter(|_| self.says)
    }
}

/// 23 images in batches of 8, the last one of 7, and the batches made of training images and of others.
fn splits(augmentation: Augmentation, says: bool) -> (Splits<Counted>, [Arc<AtomicUsize>; 2]) {
    let split = images(23);
    let shuffled = LoaderConfig::training(8, 5, Normalization::measured(&split).unwrap(), augmentation);
    let made = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
    let counted = |loader, of: usize| Counted { loader, made: Arc::clone(&made[of]), says };
    let splits = Splits {
        train: counted(Loader::new(split.clone(), shuffled).unwrap(), 0),
        validation: counted(in_order(&split, 10), 1),
        test: counted(in_order(&split, 128), 1),
    };
    (splits, made)
}

fn numbers(history: &History) -> Vec<u64> {
    let losses = |epoch: &pvlu_zoo::train::EpochRecord| [epoch.train_loss, epoch.validation.loss, epoch.test.loss];
    history.epochs.iter().flat_map(|epoch| losses(epoch).map(f64::to_bits)).collect()
}

const ADAM: FitConfig = FitConfig::new(
    3,
    OptimizerConfig::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, decoupled: false },
    1e-2,
    pvlu_zoo::train::Schedule::Constant,
);

/// A model whose head alone is trained; of the registry, or one with a dropout in its head.
fn headed(name: &str, activation: &str) -> Box<dyn Model> {
    let mut model = match name {
        DROPPING => built(ModelEntry::in_parts::<Dropping>(DROPPING, SIDES, 10, names)),
        name => {
            let options = Options { activation, classes: 10, image: Some((32, 32)), weights: Start::Seed(3) };
            find(name).unwrap().build(&options).unwrap()
        }
    };
    FreezePolicy::HEAD.apply(model.net_mut());
    model.seed_dropout(4);
    model
}

#[test]
fn features_that_are_kept_are_those_that_are_computed_in_every_epoch() {
    // Heads of one layer, with an activation, and with a dropout.
    let models = [("cifar_resnet20", "relu"), ("vgg11_bn", "pvlu"), ("resnet18", "swish"), (DROPPING, "pvlu")];
    for (name, activation) in models {
        let of = |says| {
            let mut model = headed(name, activation);
            let before = bits(model.as_ref());
            let (splits, made) = splits(Augmentation::NONE, says);
            let history = fit(model.as_mut(), &splits, &ADAM, &mut go_on).unwrap();
            assert_eq!(history.outcome, Outcome::Finished);
            let after = bits(model.as_ref());
            let changed = changed(&before, &after);
            assert!(changed.len() >= 2 && changed.iter().all(|(path, _)| in_head(path)), "{name}: {changed:?}");
            (numbers(&history), after, made.map(|made| made.load(Ordering::Relaxed)))
        };
        let (kept, anew) = (of(true), of(false));
        assert!(kept.0 == anew.0 && kept.1 == anew.1, "{name}");
        // 3 batches of training images, 3 and 1 of others: once, or in each of the 3 epochs.
        assert_eq!((kept.2, anew.2), ([3, 4], [9, 12]), "{name}");
    }
}

#[test]
fn a_training_that_was_stopped_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.safetensors");
    let train = |model: &mut dyn Model, state: FitState, stop_at: usize| {
        model.seed_dropout(4);
        let mut events = 0;
        let mut observe = |_: Event<'_>| {
            events += 1;
            if events >= stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut keep = |moment: Moment<'_>| {
            if moment.last {
                // The whole network, and its logits of images.
                assert_eq!(moment.model.logits(vec![0.1; 3 * 32 * 32]).unwrap().len(), 10);
                moment.state.save(moment.model, &path, []).unwrap();
            }
            ControlFlow::Continue(())
        };
        fit_from(model, &splits(Augmentation::NONE, true).0, &ADAM, state, &mut observe, &mut keep).unwrap()
    };
    let new = || FitState::new(ADAM.optimizer);
    let mut whole = headed(DROPPING, "pvlu");
    let history = train(whole.as_mut(), new(), usize::MAX);
    // After a step of the first epoch, within its evaluation, after a step of the second, and after the second.
    for stop_at in [2, 5, 10, 16] {
        let mut model = headed(DROPPING, "pvlu");
        assert_eq!(train(model.as_mut(), new(), stop_at).outcome, Outcome::Interrupted);
        let mut model = headed(DROPPING, "pvlu");
        let state = SavedFit::open(&path).unwrap().restore(model.as_mut(), &ADAM, 3).unwrap();
        let resumed = train(model.as_mut(), state, usize::MAX);
        assert_eq!(numbers(&resumed), numbers(&history), "{stop_at}");
        assert!(bits(model.as_ref()) == bits(whole.as_ref()), "{stop_at}");
    }
}

type Net = TrunkAndHead<(Conv2D<3, 8, 3, 2, 1>, BatchNorm2D<8>, Act<Relu, 8>), (GlobalAvgPool2D, LinearTo<8>)>;
type Random = TrunkAndHead<(Conv2D<3, 8, 3, 2, 1>, Dropout<50>, Act<Relu, 8>), (GlobalAvgPool2D, LinearTo<8>)>;
type Dropping = TrunkAndHead<(Conv2D<3, 8, 3, 2, 1>, Act<Relu, 8>), (GlobalAvgPool2D, Dropout<25>, LinearTo<8>)>;
const DROPPING: &str = "dropping";
const SIDES: Sides = Sides::Any { least: 8, default: 32 };

fn built(entry: ModelEntry) -> Box<dyn Model> {
    let options = Options { activation: "pvlu", classes: 10, image: None, weights: Start::Seed(3) };
    entry.build(&options).unwrap()
}

fn names(_: (usize, usize)) -> Vec<LayerNames> {
    Vec::new()
}

#[test]
fn the_head_learns_what_it_learns_in_the_whole_network() {
    // One network, of which the registry knows that it has a head, and does not know it.
    let trained = |entry: ModelEntry| {
        let mut model = built(entry);
        FreezePolicy::HEAD.apply(model.net_mut());
        let (splits, made) = splits(Augmentation::NONE, true);
        let history = fit(model.as_mut(), &splits, &ADAM, &mut go_on).unwrap();
        let mut weights = Vec::new();
        model.tensors(&mut |tensor| weights.extend_from_slice(tensor.values)).unwrap();
        (history, weights, made[0].load(Ordering::Relaxed))
    };
    let (on_features, weights, made) = trained(ModelEntry::in_parts::<Net>("mine", SIDES, 10, names));
    let (whole, expected, made_of_whole) = trained(ModelEntry::new::<Net>("mine", SIDES, 10, names));
    assert_eq!((made, made_of_whole), (3, 9));
    for (found, expected) in on_features.epochs.iter().zip(&whole.epochs) {
        assert!((found.train_loss - expected.train_loss).abs() < 1e-5 * expected.train_loss);
        assert!((found.test.loss - expected.test.loss).abs() < 1e-5 * expected.test.loss);
    }
    for (found, expected) in weights.iter().zip(&expected) {
        assert!((found - expected).abs() < 2e-4, "{found} {expected}");
    }
}

/// Of a network of a fixed size the trunk's map is kept, which its head says it takes.
#[test]
fn a_typed_network_in_parts_learns_from_features_too() {
    type Typed = TrunkAndHead<(Conv2D<3, 8, 3, 2, 1>, Act<Relu, 8>), (GlobalAvgPool2D, Linear<8, 10>)>;
    let trained =
        |mut model: Classifier<<Typed as BuildOnDevice<Cpu, f32>>::Built, Const<32>, Const<32>, Const<10>>| {
            FreezePolicy::HEAD.apply(model.net_mut());
            let (splits, made) = splits(Augmentation::NONE, true);
            let history = fit(&mut model, &splits, &ADAM, &mut go_on).unwrap();
            (history.epochs[2].train_loss, made[0].load(Ordering::Relaxed))
        };
    let (on_features, made) = trained(build_typed::<Typed>(3).in_parts());
    let (whole, made_of_whole) = trained(build_typed::<Typed>(3));
    assert_eq!((made, made_of_whole), (3, 9));
    assert!((on_features - whole).abs() < 1e-5 * whole, "{on_features} {whole}");
}

#[test]
fn a_trunk_that_changes_or_draws_is_run_with_its_head() {
    let made = |mut model: Box<dyn Model>, policy: FreezePolicy, augmentation| {
        policy.apply(model.net_mut());
        let (splits, made) = splits(augmentation, true);
        fit(model.as_mut(), &splits, &config(2, OptimizerConfig::adam(), 1e-3), &mut go_on).unwrap();
        (made[0].load(Ordering::Relaxed), bits(model.as_ref()))
    };
    let net = || built(ModelEntry::in_parts::<Net>("mine", SIDES, 10, names));
    let before = bits(net().as_ref());
    let statistics = FreezePolicy { batch_norm_statistics: true, ..FreezePolicy::HEAD };
    let activations = FreezePolicy { activations: true, ..FreezePolicy::HEAD };
    let cases = [
        (statistics, Some(ParamKind::RunningMean)),
        (activations, Some(ParamKind::Activation)),
        (FreezePolicy::ALL, Some(ParamKind::Scale)),
        (FreezePolicy::HEAD, None),
    ];
    for (policy, moves) in cases {
        let (made, after) = made(net(), policy, Augmentation::NONE);
        let in_trunk = changed(&before, &after).into_iter().find(|(path, _)| !in_head(path));
        assert_eq!(in_trunk.is_some(), moves.is_some());
        assert!(moves.is_none_or(|kind| changed(&before, &after).iter().any(|(_, moved)| *moved == kind)));
        assert_eq!(made, if moves.is_some() { 6 } else { 3 }, "{policy:?}");
    }
    // Other images in every epoch.
    assert_eq!(made(net(), FreezePolicy::HEAD, Augmentation::STANDARD).0, 6);
    let by_element = build("cifar_resnet20", "prelu_element", 10, 3).unwrap();
    assert_eq!(made(by_element, FreezePolicy::HEAD, Augmentation::NONE).0, 6, "it is not compiled");
    let random = built(ModelEntry::in_parts::<Random>("mine", SIDES, 10, names));
    assert_eq!(made(random, FreezePolicy::HEAD, Augmentation::NONE).0, 6);
}

#[test]
fn an_evaluation_after_training_on_features_is_that_of_the_last_epoch() {
    let mut model = headed("cifar_resnet20", "pvlu");
    let (splits, _) = splits(Augmentation::NONE, true);
    let history = fit(model.as_mut(), &splits, &ADAM, &mut go_on).unwrap();
    let last = history.epochs[2].test;
    let found = evaluate(model.as_mut(), &splits.test, &mut || ControlFlow::Continue(())).unwrap().unwrap();
    assert_eq!((found.images, found.top1, found.top5), (last.images, last.top1, last.top5));
    assert!((found.loss - last.loss).abs() < 1e-5 * last.loss, "{} {}", found.loss, last.loss);
}

/// Every model of the registry has a trunk and a head, and its logits are those of the head on features of the trunk.
#[test]
fn every_model_is_its_head_on_features_of_its_trunk() {
    for entry in pvlu_zoo::registry::models() {
        let side = match entry.sides() {
            Sides::Any { least, .. } => least,
            Sides::Square(sides) => sides.iter().copied().min().unwrap(),
        };
        let options = Options { activation: "relu", classes: 7, image: Some((side, side)), weights: Start::Seed(1) };
        let mut model = entry.build(&options).unwrap();
        let images: Vec<f32> = (0..2 * model.image_len()).map(|i| (i * 7919 % 2003) as f32 / 1024.0 - 1.0).collect();
        let expected = model.logits(images.clone()).unwrap();
        let trunk = CompiledTrunk::of(model.net(), Extent::image(3, side, side), |size| model.head_takes(size));
        let trunk = trunk.unwrap().unwrap();
        let features = trunk.try_run(&images).unwrap();
        assert_eq!(features.len(), 2 * trunk.features().elements(), "{}", entry.name);
        // Features have the same bits whatever they were computed with.
        let (one, other) = images.split_at(model.image_len());
        let apart = [trunk.try_run(one).unwrap(), trunk.try_run(other).unwrap()].concat();
        assert!(features.iter().zip(&apart).all(|(one, other)| one.to_bits() == other.to_bits()), "{}", entry.name);
        let head = model.head().unwrap();
        let found = head.logits_of(features, trunk.features()).unwrap();
        let largest = expected.iter().fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-5 * largest, "{}: {found} {expected} of {largest}", entry.name);
        }
        let wrong = head.logits_of(vec![0.0; 5], Extent::image(5, 1, 1)).unwrap_err();
        assert!(matches!(wrong, pvlu::Error::Shape { .. }), "{}: {wrong}", entry.name);
    }
}
