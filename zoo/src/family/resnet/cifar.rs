//! ResNets for 32x32 images (He et al. 2015, section 4.2): three stages of basic blocks with 16, 32 and 64 channels.
//!
//! Shortcut A where a stage begins (subsample, and add channels of zeros) is the paper's own for CIFAR and has no
//! parameters, as in Idelbayev's `pytorch_resnet_cifar10`; shortcut B is a 1x1 convolution with batch norm, as in
//! Chen's `pytorch-cifar-models`. Both fit pretrained weights of those names.

use dfdx::nn::modules::Repeated;
use pvlu::activation::Relu;
use pvlu::layer::builder::{
    Act, BatchNorm2D, Conv2D, GlobalAvgPool2D, Linear, LinearTo, NormedConv2D, ProjectedResidual, Residual,
    SubsamplePad2D, TrunkAndHead,
};

use super::PAPER;
use crate::cards::{Card, Weights};
use crate::data::Normalization;
use crate::family::entry::{Buildable, InParts, ModelEntry, Names, Sides};
use crate::image::Preprocessing;
use crate::labels::LabelSet::{self, Cifar10, Cifar100};
use crate::names::LayerNames;
use crate::source::Source;
use crate::weights::architecture;

/// A 3x3 convolution without bias, with stride `S`, and its batch norm.
pub type ConvNorm<const I: usize, const O: usize, const S: usize> =
    NormedConv2D<Conv2D<I, O, 3, S, 1, false>, BatchNorm2D<O>>;

/// Two 3x3 convolutions, the first with stride `S`.
pub type Basic<A, const I: usize, const O: usize, const S: usize> = (ConvNorm<I, O, S>, Act<A, O>, ConvNorm<O, O, 1>);

/// A block that keeps the shape.
pub type Block<A, const C: usize> = (Residual<Basic<A, C, C, 1>>, Act<A, C>);

/// A block that halves the image and doubles the channels, with the shortcut `R`.
pub type FirstBlock<A, R, const I: usize, const O: usize> = (ProjectedResidual<Basic<A, I, O, 2>, R>, Act<A, O>);

/// A stage that halves the image; `MORE` blocks follow the first.
pub type Stage<A, R, const I: usize, const O: usize, const MORE: usize> =
    (FirstBlock<A, R, I, O>, Repeated<Block<A, O>, MORE>);

/// Images `(B, 3, 32, 32)` to feature maps `(B, 64, 8, 8)`, with the shortcuts `R2` and `R3`. A stage has `BLOCKS`
/// blocks, of which `MORE` follow the first: `MORE = BLOCKS - 1`.
pub type Trunk<A, R2, R3, const BLOCKS: usize, const MORE: usize> = (
    (ConvNorm<3, 16, 1>, Act<A, 16>),
    Repeated<Block<A, 16>, BLOCKS>,
    Stage<A, R2, 16, 32, MORE>,
    Stage<A, R3, 32, 64, MORE>,
);

/// The trunk with shortcut A.
pub type TrunkA<A, const BLOCKS: usize, const MORE: usize> =
    Trunk<A, SubsamplePad2D<16, 32, 2>, SubsamplePad2D<32, 64, 2>, BLOCKS, MORE>;

/// Shortcut B: a 1x1 convolution with stride 2, and batch norm.
pub type Projection<const I: usize, const O: usize> = NormedConv2D<Conv2D<I, O, 1, 2, 0, false>, BatchNorm2D<O>>;

/// The trunk with shortcut B.
pub type TrunkB<A, const BLOCKS: usize, const MORE: usize> =
    Trunk<A, Projection<16, 32>, Projection<32, 64>, BLOCKS, MORE>;

/// Mean over the image, and logits.
pub type Head<const CLASSES: usize> = (GlobalAvgPool2D, Linear<64, CLASSES>);

/// [`Head`] for any number of classes, known when the program runs.
pub type OpenHead = (GlobalAvgPool2D, LinearTo<64>);

/// Types, names and entries of each depth: `6 BLOCKS + 2` layers with weights and `3 BLOCKS` blocks, with each of the
/// shortcuts, each with published weights.
macro_rules! models {
    ($(
        $a:ident $trunk_a:ident $b:ident $trunk_b:ident = $layers:literal [$blocks:literal] $count:literal
        [$($weights_a:expr),* $(,)?] [$($weights_b:expr),* $(,)?];
    )*) => {
        $(
            const _: () = assert!($layers == 6 * $blocks + 2 && $count == 3 * $blocks);

            #[doc = concat!("ResNet-", $layers, " for 32x32 images, with shortcut A.")]
            pub type $a<A, const CLASSES: usize = 10> = TrunkAndHead<$trunk_a<A>, Head<CLASSES>>;
            #[doc = concat!("[`", stringify!($a), "`] without its head.")]
            pub type $trunk_a<A> = TrunkA<A, $blocks, { $blocks - 1 }>;
            #[doc = concat!("ResNet-", $layers, " for 32x32 images, with shortcut B.")]
            pub type $b<A, const CLASSES: usize = 10> = TrunkAndHead<$trunk_b<A>, Head<CLASSES>>;
            #[doc = concat!("[`", stringify!($b), "`] without its head.")]
            pub type $trunk_b<A> = TrunkB<A, $blocks, { $blocks - 1 }>;

            architecture!($a, names($blocks, false));
            architecture!($b, names($blocks, true));
        )*

        /// Registry entries of the ResNets for 32x32 images. A file that does not state its preprocessing gets
        /// Idelbayev's for shortcut A and Chen's for B.
        pub static MODELS: &[ModelEntry] = &[
            $(model::<$trunk_a<Relu>>(concat!("cifar_resnet", $layers), |_| names($blocks, false), Card {
                about: concat!($count, " basic blocks for 32x32 images, shortcuts without parameters (A)"),
                paper: Some(PAPER),
                preprocessing: IDELBAYEV,
                weights: &[$($weights_a),*],
            }),)*
            $(model::<$trunk_b<Relu>>(concat!("cifar_resnet", $layers, "_b"), |_| names($blocks, true), Card {
                about: concat!($count, " basic blocks for 32x32 images, convolutions as shortcuts (B)"),
                paper: Some(PAPER),
                preprocessing: CHEN_10,
                weights: &[$($weights_b),*],
            }),)*
        ];
    };
}

const fn model<T>(name: &'static str, names: Names, card: Card) -> ModelEntry
where
    TrunkAndHead<T, OpenHead>: Buildable<InParts>,
{
    ModelEntry::standard::<TrunkAndHead<T, OpenHead>>(name, Sides::Any { least: 8, default: 32 }, 10, names)
        .with_card(card)
}

/// Idelbayev normalizes CIFAR-10 with the mean and standard deviation of ImageNet.
const IDELBAYEV: Preprocessing =
    Preprocessing::small(Normalization { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] });

/// Values that users of Chen's CIFAR-10 weights pass; his readme does not state them. The standard deviation is the
/// mean of those of single images, as is common.
const CHEN_10: Preprocessing =
    Preprocessing::small(Normalization { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.2010] });

/// The values that Chen's CIFAR-100 weights were evaluated with.
const CHEN_100: Preprocessing =
    Preprocessing::small(Normalization { mean: [0.507, 0.4865, 0.4409], std: [0.2673, 0.2564, 0.2761] });

const fn idelbayev(place: &'static str, top1: f32) -> Weights {
    let (source, labels) = (Source::Idelbayev, LabelSet::Cifar10);
    let license = Some(source.code_license());
    Weights { license, top1: Some(top1), ..Weights::new(source, place, labels, IDELBAYEV) }
}

const fn chen(place: &'static str, labels: LabelSet, top1: f32) -> Weights {
    let preprocessing = match labels {
        LabelSet::Cifar100 => CHEN_100,
        _ => CHEN_10,
    };
    let source = Source::Chen;
    let license = Some(source.code_license());
    Weights { license, top1: Some(top1), ..Weights::new(source, place, labels, preprocessing) }
}

models! {
    ResNet20 ResNet20Trunk ResNet20B ResNet20BTrunk = 20 [3] 9 [idelbayev("resnet20.th", 91.73)] [
        chen("resnet/cifar10_resnet20-4118986f.pt", Cifar10, 92.60),
        chen("resnet/cifar100_resnet20-23dac2f1.pt", Cifar100, 68.83),
    ];
    ResNet32 ResNet32Trunk ResNet32B ResNet32BTrunk = 32 [5] 15 [idelbayev("resnet32.th", 92.63)] [
        chen("resnet/cifar10_resnet32-ef93fc4d.pt", Cifar10, 93.53),
        chen("resnet/cifar100_resnet32-84213ce6.pt", Cifar100, 70.16),
    ];
    ResNet44 ResNet44Trunk ResNet44B ResNet44BTrunk = 44 [7] 21 [idelbayev("resnet44.th", 93.10)] [
        chen("resnet/cifar10_resnet44-2a3cabcb.pt", Cifar10, 94.01),
        chen("resnet/cifar100_resnet44-ffe32858.pt", Cifar100, 71.63),
    ];
    ResNet56 ResNet56Trunk ResNet56B ResNet56BTrunk = 56 [9] 27 [idelbayev("resnet56.th", 93.39)] [
        chen("resnet/cifar10_resnet56-187c023a.pt", Cifar10, 94.37),
        chen("resnet/cifar100_resnet56-f2eff4c8.pt", Cifar100, 72.63),
    ];
    ResNet110 ResNet110Trunk ResNet110B ResNet110BTrunk = 110 [18] 54 [idelbayev("resnet110.th", 93.68)] [];
}

/// Names of the layers of a depth with this many blocks a stage, in the order in which a visitor meets them.
pub fn names(blocks: usize, projection: bool) -> Vec<LayerNames> {
    let mut names = vec![LayerNames::torch("conv1"), LayerNames::torch("bn1")];
    for stage in 1..=3 {
        for block in 0..blocks {
            let projects = projection && stage > 1 && block == 0;
            let shortcut = ["downsample.0", "downsample.1"].into_iter().filter(|_| projects);
            let layers = ["conv1", "bn1", "conv2", "bn2"].into_iter().chain(shortcut);
            names.extend(layers.map(|layer| LayerNames::torch(format!("layer{stage}.{block}.{layer}"))));
        }
    }
    // Idelbayev calls the head `linear`, Chen calls it `fc`.
    names.push(
        LayerNames { aliases: &["linear", "fc"], ..LayerNames::torch(if projection { "fc" } else { "linear" }) }
            .as_classifier(),
    );
    names
}
