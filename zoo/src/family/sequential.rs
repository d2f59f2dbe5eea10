//! The six-convolution network of the paper's section 4.1.
//!
//! The paper names "six convolutional layers, each followed by a ReLU", max pooling, dropout and dense layers, adapted
//! from a Keras example. The project chose (as an assumption) the CIFAR example that Keras shipped, with a third stage
//! of the same pattern: 3x3 convolutions of 32-32, 64-64 and 128-128 channels, each pair followed by a 2x2 pool and
//! dropout 0.25; then dense 512, dropout 0.5, dense classes. No batch norm; He start values.

use crate::cards::{Card, Paper};
use crate::family::entry::{ModelEntry, Sides};
use crate::image::Preprocessing;
use crate::names::LayerNames;
use crate::weights::architecture;
use pvlu::activation::Relu;
use pvlu::layer::builder::{Act, Conv2D, Dropout, Flatten2D, Linear, LinearTo, MaxPool2D, TrunkAndHead};

/// A 3x3 convolution that keeps the image size, and its activation.
pub type ConvAct<A, const I: usize, const O: usize> = (Conv2D<I, O, 3, 1, 1>, Act<A, O>);

/// Two convolutions with activations, a pool that halves the image, and dropout.
pub type Stage<A, const I: usize, const O: usize> = (ConvAct<A, I, O>, ConvAct<A, O, O>, MaxPool2D<2, 2>, Dropout<25>);

/// Three stages: images `(B, 3, 32, 32)` to feature maps `(B, C3, 4, 4)`.
pub type Trunk<A, const C1: usize, const C2: usize, const C3: usize> =
    (Stage<A, 3, C1>, Stage<A, C1, C2>, Stage<A, C2, C3>);

/// Dense layers on the flattened 4x4 image.
pub type Head<A, const CHANNELS: usize, const FLAT: usize, const DENSE: usize, const CLASSES: usize> =
    (Flatten2D<CHANNELS, 4, 4, FLAT>, Linear<FLAT, DENSE>, Act<A, DENSE>, Dropout<50>, Linear<DENSE, CLASSES>);

/// The trunk with the paper's channels.
pub type PaperTrunk<A> = Trunk<A, 32, 64, 128>;

/// [`Head`] for the paper's trunk and any number of classes, known when the program runs.
pub type OpenHead<A> = (Flatten2D<128, 4, 4, 2048>, Linear<2048, 512>, Act<A, 512>, Dropout<50>, LinearTo<512>);

/// The six-convolution network for 3x32x32 images: 1,387,396 parameters with 100 classes and ReLU, 7 activation sites.
///
/// Each activation site owns its parameters. `FLAT` must be `16 * C3`: three pools leave a 4x4 image.
pub type Sequential6Conv<
    A,
    const CLASSES: usize = 100,
    const C1: usize = 32,
    const C2: usize = 64,
    const C3: usize = 128,
    const FLAT: usize = 2048,
    const DENSE: usize = 512,
> = TrunkAndHead<Trunk<A, C1, C2, C3>, Head<A, C3, FLAT, DENSE, CLASSES>>;

architecture!(Sequential6Conv, names());

/// Registry entry of the six-convolution network.
pub static MODELS: &[ModelEntry] = &[ModelEntry::standard::<TrunkAndHead<PaperTrunk<Relu>, OpenHead<Relu>>>(
    "sequential6conv",
    Sides::Square(&[32]),
    100,
    |_| names(),
)
.with_card(Card {
    about: "six 3x3 convolutions in three stages, two dense layers, for 32x32 images",
    paper: Some(Paper {
        authors: "Gupta, Ahuja",
        title: "Parametric Variational Linear Units (PVLUs) in Deep Convolutional Networks",
        year: 2021,
        arxiv: Some("2110.12246"),
    }),
    preprocessing: Preprocessing::CIFAR100,
    weights: &[],
})];

/// Names of the layers, in the order in which a visitor meets them. The network is the project's own; they follow
/// torchvision's conventions.
pub fn names() -> Vec<LayerNames> {
    let convolutions = (1..=6).map(|i| LayerNames::torch(format!("conv{i}")));
    let dense = [LayerNames::torch("dense1").in_head(), LayerNames::torch("dense2").as_classifier()];
    convolutions.chain(dense).collect()
}
