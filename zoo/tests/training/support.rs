//! A small network, a few images, and the values of a model.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use dfdx::nn::{BuildOnDevice, DeviceBuildExt};
use dfdx::shapes::Const;
use dfdx::tensor::Cpu;
use pvlu::activation::Pvlu;
use pvlu::layer::ParamKind;
use pvlu::layer::builder::{Act, BatchNorm2D, Conv2D, Dropout, Flatten2D, Linear, MaxPool2D};
use pvlu_zoo::data::{Augmentation, Dataset, Loader, LoaderConfig, Normalization, Split};
use pvlu_zoo::model::{Classifier, Model, Network};
use pvlu_zoo::train::{Event, FitConfig, OptimizerConfig, Schedule, Splits};

/// A network with a tensor of every kind: weights, biases, batch norm, activation.
pub type Small = (Stage, Flatten2D<8, 8, 8, 512>, Dropout<25>, Linear<512, 10>);
type Stage = (Conv2D<3, 8, 3, 2, 1>, BatchNorm2D<8>, Act<Pvlu, 8>, MaxPool2D<2, 2>);

/// Builds a network for 32x32 images and 10 classes.
pub fn build<N: BuildOnDevice<Cpu, f32>>(seed: u64) -> Classifier<N::Built, Const<32>, Const<32>, Const<10>>
where
    N::Built: Network<Const<32>, Const<32>, Const<10>>,
{
    let mut model = Classifier::cifar(Cpu::seed_from_u64(seed).build_module::<N, f32>());
    model.seed_dropout(seed);
    model
}

/// The first procedural images of 10 classes.
pub fn images(count: usize) -> Arc<Split> {
    Arc::new(Dataset::procedural(10, count, 0, 2024).unwrap().train)
}

/// Batches in file order, as they are.
pub fn in_order(split: &Arc<Split>, batch_size: usize) -> Loader {
    let normalization = Normalization::measured(split).unwrap();
    Loader::new(split.clone(), LoaderConfig::evaluation(batch_size, normalization)).unwrap()
}

/// Training, held-out and test images, all the same ones: the tests ask how training goes, not what it is worth.
pub fn splits(count: usize, batch_size: usize, augmentation: Augmentation) -> Splits {
    let split = images(count);
    let normalization = Normalization::measured(&split).unwrap();
    let shuffled = LoaderConfig::training(batch_size, 5, normalization, augmentation);
    Splits {
        train: Loader::new(split.clone(), shuffled).unwrap(),
        validation: in_order(&split, batch_size),
        test: in_order(&split, 128),
    }
}

/// A run of some epochs at a constant learning rate.
pub fn config(epochs: u64, optimizer: OptimizerConfig, learning_rate: f64) -> FitConfig {
    FitConfig::new(epochs, optimizer, learning_rate, Schedule::Constant)
}

/// Continues the training at every event.
pub fn go_on(_: Event<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A tensor of a model: kind, and the bits of its values.
pub type Bits = (ParamKind, Vec<u32>);

/// Every tensor of a model by its path, to the bit.
pub fn bits(model: &dyn Model) -> BTreeMap<String, Bits> {
    let mut all = BTreeMap::new();
    model
        .tensors(&mut |tensor| {
            let values = tensor.values.iter().map(|value| value.to_bits()).collect();
            assert!(all.insert(tensor.slot.path.to_owned(), (tensor.slot.kind, values)).is_none());
        })
        .unwrap();
    all
}

/// The paths whose values differ, with their roles.
pub fn changed(before: &BTreeMap<String, Bits>, after: &BTreeMap<String, Bits>) -> Vec<(String, ParamKind)> {
    assert!(before.keys().eq(after.keys()));
    let differing = before.iter().filter(|(path, bits)| after[*path] != **bits);
    differing.map(|(path, (kind, _))| (path.clone(), *kind)).collect()
}
