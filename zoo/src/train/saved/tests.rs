//! Files whose checksum is right, and whose numbers may not be.

use std::ops::ControlFlow;

use dfdx::prelude::{BuildOnDevice, Cpu, DeviceBuildExt};
use dfdx::shapes::Const;
use pvlu::Precision;
use pvlu::activation::Pvlu;
use pvlu::layer::builder::{Act, BatchNorm2D, Conv2D, GlobalAvgPool2D, Linear, TrunkAndHead};
use pvlu::layer::{Switch, Switches};
use serde_json::json;

use super::*;
use crate::data::{Augmentation, Dataset, Loader, LoaderConfig, Normalization};
use crate::model::{Classifier, Network};
use crate::train::{Schedule, Splits, fit_from};
use crate::weights::{Declared, Writer};

type Trunk = (Conv2D<3, 2, 1>, BatchNorm2D<2>, Act<Pvlu, 2>);
type Head = (GlobalAvgPool2D, Linear<2, 10>);

fn model<N>() -> Classifier<N::Built, Const<32>, Const<32>, Const<10>>
where
    N: BuildOnDevice<Cpu, f32>,
    N::Built: Network<Const<32>, Const<32>, Const<10>>,
{
    Classifier::cifar(Cpu::seed_from_u64(1).build_module::<N, f32>())
}

/// Three steps an epoch.
const STEPS: u64 = 3;

fn config() -> FitConfig {
    let optimizer = OptimizerConfig::adam();
    FitConfig::new(2, optimizer, 1e-2, Schedule::Cosine)
}

/// Trains for an epoch and two steps more, and saves that.
fn save(model: &mut dyn Model, path: &Path) {
    save_with(model, &config(), path);
}

fn save_with(model: &mut dyn Model, config: &FitConfig, path: &Path) {
    let Dataset { train, test, .. } = Dataset::procedural(10, 6, 2, 5).unwrap();
    let normalization = Normalization::measured(&train).unwrap();
    let in_order = LoaderConfig::evaluation(2, normalization);
    let [train, test] = [train, test].map(Arc::new);
    let splits = Splits {
        train: Loader::new(train, LoaderConfig::training(2, 3, normalization, Augmentation::NONE)).unwrap(),
        validation: Loader::new(Arc::clone(&test), in_order.clone()).unwrap(),
        test: Loader::new(test, in_order).unwrap(),
    };
    let mut keep = |moment: crate::train::Moment<'_>| {
        if (moment.state.epochs.len(), moment.state.steps) == (1, 2) {
            moment.state.save(moment.model, path, [("who".to_owned(), "me".to_owned())]).unwrap();
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    };
    let state = FitState::new(config.optimizer);
    fit_from(model, &splits, config, state, &mut |_| ControlFlow::Continue(()), &mut keep).unwrap();
}

type Tensors = BTreeMap<String, Vec<f32>>;

/// Writes the file again with other numbers and a checksum that fits them.
fn forge(from: &Path, to: &Path, change: &dyn Fn(&mut Value, &mut Tensors)) {
    let file = TensorFile::open(from).unwrap();
    let read = |(name, entry): (&String, &crate::weights::TensorEntry)| {
        let mut values = vec![0.0; entry.shape[0]];
        file.read_into(name, &mut values).unwrap();
        (name.clone(), values)
    };
    let mut tensors: Tensors = file.entries().iter().map(read).collect();
    let mut metadata = file.metadata().clone();
    let mut text: Value = serde_json::from_str(&metadata.remove(STATE).unwrap()).unwrap();
    text.as_object_mut().unwrap().remove("crc32");
    change(&mut text, &mut tensors);
    let ordered: Vec<(&String, &Vec<f32>)> = [MODEL, FIRST, SECOND, AVERAGE, ""]
        .into_iter()
        .flat_map(|kind| tensors.iter().filter(move |(name, _)| prefix(name) == kind))
        .collect();
    let summed = ordered.iter().filter(|(name, _)| !prefix(name).is_empty());
    text["crc32"] = checksum(&text, &metadata, summed.map(|(_, values)| values.as_slice())).into();
    metadata.insert(STATE.to_owned(), text.to_string());
    let declare = |(name, values): &(&String, &Vec<f32>)| Declared {
        name: (*name).clone(),
        dtype: Dtype::F32,
        shape: vec![values.len()],
    };
    let mut writer = Writer::create(to, ordered.iter().map(declare).collect(), &metadata).unwrap();
    ordered.iter().for_each(|(name, values)| writer.write(name, values).unwrap());
    writer.finish().unwrap();
}

fn second(tensors: &mut Tensors) -> &mut Vec<f32> {
    tensors.get_mut("second.trunk.2.alpha").unwrap()
}

fn prefix(name: &str) -> &'static str {
    [MODEL, FIRST, SECOND, AVERAGE].into_iter().find(|kind| name.starts_with(kind)).unwrap_or_default()
}

#[test]
fn numbers_that_no_training_can_have_come_to_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let [path, forged] = ["kept.safetensors", "forged.safetensors"].map(|name| folder.path().join(name));
    let mut network = model::<TrunkAndHead<Trunk, Head>>();
    save(&mut network, &path);
    let mut other = model::<TrunkAndHead<Trunk, Head>>();
    let before = Snapshot::of(&other).unwrap();

    type Change<'a> = &'a dyn Fn(&mut Value, &mut Tensors);
    let alpha = "trunk.2.alpha";
    let cases: [(Change<'_>, &str); 30] = [
        (&|text, _| text["steps"] = json!(4), "steps: expected at most 3, found 4"),
        (&|text, _| text["steps"] = json!(u64::MAX), "steps: expected at most 3"),
        (&|text, _| text["steps"] = json!(0), "no images before the first step"),
        (&|text, _| text["steps"] = json!(-1), "steps: expected what this crate writes"),
        (&|text, _| text["epochs"] = json!([]), "learning rate: expected 0.00"),
        (&|text, _| text["epochs"][0]["epoch"] = json!(2), "epoch 1: expected 1, found 2"),
        (&|text, _| text["epochs"][0]["learning_rate"] = json!("NaN"), "epoch 1: learning rate"),
        (
            &|text, _| text["epochs"][0]["train_top1"] = json!("1.5"),
            "epoch 1: expected a share of the images, found 1.5",
        ),
        (&|text, _| text["epochs"][0]["test"][1] = json!("-1"), "epoch 1: test: expected shares"),
        (&|text, _| text["epochs"][0]["train_loss"] = json!("NaN"), "steps: expected at most 0, found 2"),
        (&|text, _| text["epochs"][0]["seconds"] = json!("inf"), "epoch 1: seconds: expected a time"),
        (
            &|text, _| {
                let epoch = text["epochs"][0].clone();
                text["epochs"] = json!([epoch, epoch, epoch]);
            },
            "epochs: expected at most 2, found 3",
        ),
        (&|text, _| text["learning_rate"] = json!("NaN"), "learning rate: expected 0.00"),
        (&|text, _| text["learning_rate"] = json!("1e30"), "learning rate: expected 0.00"),
        (&|text, _| text["images"] = json!(1), "images: expected at least 2, one a step, found 1"),
        (&|text, _| text["images"] = json!(u64::MAX), "images: expected at most 33554432, 16777216 a step"),
        (&|text, _| text["loss"] = json!("-1"), "loss: expected no negative number, found -1"),
        (&|text, _| text["epochs"][0]["train_loss"] = json!("-0.5"), "epoch 1: loss: expected no negative number"),
        (&|text, _| text["correct"] = json!(5), "correct: expected at most 4"),
        (&|text, _| text["seconds"] = json!("NaN"), "seconds: expected a time, found NaN"),
        (&|text, _| text["updates"][alpha] = json!(6), "updates of trunk.2.alpha: expected 1 to 5, found 6"),
        (&|text, _| text["updates"][alpha] = json!(0), "updates of trunk.2.alpha: expected 1 to 5, found 0"),
        (&|text, _| text["updates"]["nowhere"] = json!(1), "updates of nowhere: expected a trained tensor"),
        (&|text, _| text["updates"]["trunk.1.running_mean"] = json!(1), "expected a trained tensor of the network"),
        (&|text, _| drop(text["updates"].as_object_mut().unwrap().remove(alpha)), "moments of what was updated"),
        (&|_, tensors| second(tensors)[0] = -1.0, "second moments that are squares, found -1"),
        (
            &|_, tensors| second(tensors).truncate(1),
            "second.trunk.2.alpha: expected F32 of 2 elements, found F32 of [1]",
        ),
        (&|_, tensors| drop(tensors.remove("first.trunk.2.alpha")), "moments of [2, 2] elements, found [0, 2]"),
        (&|_, tensors| drop(tensors.remove("model.trunk.2.alpha")), "tensors: expected 10 of the network, found 9"),
        (&|_, tensors| drop(tensors.insert("more".to_owned(), vec![0.0])), "more: expected what this crate writes"),
    ];
    for (change, expected) in cases {
        forge(&path, &forged, change);
        let kept = SavedFit::open(&forged).unwrap();
        let error = kept.restore(&mut other, &config(), STEPS).map(|state| state.epochs).unwrap_err().to_string();
        assert!(error.contains("forged.safetensors") && error.contains(expected), "{expected}: {error}");
        assert!(!error.contains("checksum") && !error.contains('\n'), "{expected}: {error}");
        assert!(Snapshot::of(&other).unwrap() == before, "{expected}");
    }
    // The file itself, and the same with nothing changed.
    forge(&path, &forged, &|_, _| {});
    let [first, second] =
        [&path, &forged].map(|path| SavedFit::open(path).unwrap().restore(&mut other, &config(), STEPS).unwrap());
    assert_eq!(first, second);
    assert!(Snapshot::of(&other).unwrap() == Snapshot::of(&network).unwrap());
}

#[test]
fn averages_are_those_of_the_tensors_that_move_and_of_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let [path, forged] = ["kept.safetensors", "forged.safetensors"].map(|name| folder.path().join(name));
    let averaged = FitConfig { average: Some(0.5), ..config() };
    let mut network = model::<TrunkAndHead<Trunk, Head>>();
    save_with(&mut network, &averaged, &path);
    let mut other = model::<TrunkAndHead<Trunk, Head>>();
    let mut restored = |config: &FitConfig, change: &dyn Fn(&mut Value, &mut Tensors)| {
        forge(&path, &forged, change);
        SavedFit::open(&forged).unwrap().restore(&mut other, config, STEPS)
    };
    assert!(restored(&averaged, &|_, _| ()).unwrap().average.is_some());
    let some = "average.trunk.2.alpha";
    let refused = [
        restored(&config(), &|_, _| ()),
        restored(&averaged, &|_, tensors| drop(tensors.remove(some).unwrap())),
        restored(&averaged, &|_, tensors| tensors.retain(|name, _| !name.starts_with(AVERAGE))),
        restored(&averaged, &|_, tensors| tensors.get_mut(some).unwrap().truncate(1)),
    ];
    for error in refused {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("average") && error.contains("expected"), "{error}");
    }
}

#[test]
fn a_file_from_before_trunk_and_head_had_names_is_gone_on_from() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = ["old.safetensors", "new.safetensors"].map(|name| folder.path().join(name));
    // The networks of the zoo were tuples, whose paths begin with 0 and 1.
    save(&mut model::<(Trunk, Head)>(), &old);
    assert!(TensorFile::open(&old).unwrap().entries().contains_key("first.1.1.weight"));
    save(&mut model::<TrunkAndHead<Trunk, Head>>(), &new);
    let restored = |path: &Path| {
        let mut model = model::<TrunkAndHead<Trunk, Head>>();
        let state = SavedFit::open(path).unwrap().restore(&mut model, &config(), STEPS).unwrap();
        let seconds = |state: FitState| FitState { seconds: 0.0, epochs: Vec::new(), ..state };
        (Snapshot::of(&model).unwrap(), seconds(state))
    };
    assert!(restored(&old) == restored(&new));
}

#[test]
fn a_training_of_another_arithmetic_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [saved, forged] = ["saved.safetensors", "forged.safetensors"].map(|name| folder.path().join(name));
    let mut network = model::<TrunkAndHead<Trunk, Head>>();
    save(&mut network, &saved);
    let mut restored = |change: &dyn Fn(&mut Value, &mut Tensors)| {
        forge(&saved, &forged, change);
        SavedFit::open(&forged).unwrap().restore(&mut network, &config(), STEPS).map(|state| state.steps)
    };
    let error = restored(&|text, _| text["numerics"] = 3.into()).unwrap_err().to_string();
    assert!(error.contains("numerics version") && error.ends_with("found 3"), "{error}");
    assert_eq!(restored(&|_, _| ()).unwrap(), 2);
    // Earlier files do not say it.
    let forget = |text: &mut Value, _: &mut Tensors| drop(text.as_object_mut().unwrap().remove("numerics"));
    assert_eq!(restored(&forget).unwrap(), 2);
}

#[test]
fn a_training_in_another_precision_is_refused_by_the_names_of_both() {
    let folder = tempfile::tempdir().unwrap();
    let [path, forged] = ["kept.safetensors", "forged.safetensors"].map(|name| folder.path().join(name));
    let network = |precision: Precision| {
        let mut network = model::<TrunkAndHead<Trunk, Head>>();
        network.set_precision(precision);
        network
    };
    let restored = |path: &Path, mut network: Box<dyn Model>| {
        let before = Snapshot::of(network.as_ref()).unwrap();
        let restored = SavedFit::open(path).unwrap().restore(network.as_mut(), &config(), STEPS);
        assert!(restored.is_ok() || Snapshot::of(network.as_ref()).unwrap() == before, "restored in part");
        restored.map(|state| state.steps)
    };
    for precision in Precision::ALL {
        save(&mut network(precision), &path);
        let state: Value = serde_json::from_str(&SavedFit::open(&path).unwrap().metadata()[STATE]).unwrap();
        let said =
            (precision != Precision::F32).then(|| json!({ "trunk.0": precision.name(), "head.1": precision.name() }));
        assert_eq!(state.get(PRECISION), said.as_ref());
        for other in Precision::ALL {
            match restored(&path, Box::new(network(other))) {
                Ok(steps) => assert_eq!((precision, steps), (other, 2)),
                Err(WeightsError::Precision { layer, kept, here, .. }) => {
                    assert_eq!((layer.as_str(), kept, here), ("head.1", precision, other));
                    assert_ne!(kept, here);
                }
                Err(error) => panic!("{precision} {other}: {error}"),
            }
        }
    }
    // One layer alone in another precision, and what no training writes.
    save(&mut network(Precision::Bf16), &path);
    let mut mixed = network(Precision::Bf16);
    mixed.net_mut().each_switch_at(|path, switches| {
        if let Switches::Weights { precision, .. } = switches
            && path == "trunk.0"
        {
            *precision = Precision::F32;
        }
    });
    let error = restored(&path, Box::new(mixed)).unwrap_err().to_string();
    let said = "kept.safetensors: a training in which the layer trunk.0 computed in bf16, and here it computes in f32";
    assert!(error.contains(said), "{error}");
    for wrong in [json!("bf16"), json!({ "trunk.0": "fp8" }), json!({ "trunk.0": "f32" }), json!({ "trunk.0": 1 })] {
        forge(&path, &forged, &|text, _| text[PRECISION] = wrong.clone());
        let error = restored(&forged, Box::new(network(Precision::Bf16))).unwrap_err().to_string();
        assert!(error.contains("forged.safetensors: precision: expected what this crate writes"), "{wrong}: {error}");
    }
}
