//! ResNets (He et al. 2015) with bottlenecks, as `keras.applications` and torchvision build them.
//!
//! The two differ in what a file of weights does not show. Keras' ResNet50 is the paper's (v1): the stride is on the
//! first 1x1 convolution of a stage, every convolution has a bias, and the stem's pool pads with zeros, which count.
//! torchvision's is "v1.5": the stride is on the 3x3 convolution, no convolution has a bias, and the pool pads with
//! minus infinity.

use dfdx::nn::modules::Repeated;
use pvlu::activation::Relu;
use pvlu::layer::builder::{
    Act, BatchNorm2D, Conv2D, GlobalAvgPool2D, Linear, LinearTo, MaxPool2D, NormedConv2D, ProjectedResidual, Residual,
    TrunkAndHead, ZeroPaddedMaxPool2D,
};
use pvlu::layer::{KerasResNet, Torch};

use super::{APACHE, BSD, PAPER, TIMM_A1};
use crate::cards::{Card, Weights};
use crate::family::entry::{Buildable, InParts, ModelEntry, Names, Sides};
use crate::image::Preprocessing;
use crate::names::LayerNames;
use crate::weights::architecture;

/// A convolution and its batch norm, with the constants `N`.
pub type ConvNorm<N, const I: usize, const O: usize, const K: usize, const S: usize, const P: usize, const BIAS: bool> =
    NormedConv2D<Conv2D<I, O, K, S, P, BIAS>, BatchNorm2D<O, N>>;

/// Three convolutions from `I` to `O` channels by way of `C`, with stride `S1` on the first and `S2` on the second.
pub type Bottleneck<
    A,
    N,
    const I: usize,
    const C: usize,
    const O: usize,
    const S1: usize,
    const S2: usize,
    const BIAS: bool,
> = (
    ConvNorm<N, I, C, 1, S1, 0, BIAS>,
    Act<A, C>,
    ConvNorm<N, C, C, 3, S2, 1, BIAS>,
    Act<A, C>,
    ConvNorm<N, C, O, 1, 1, 0, BIAS>,
);

/// The first block of a stage, which changes the channels and, with stride `S = S1 * S2`, the image size.
pub type FirstBlock<
    A,
    N,
    const I: usize,
    const C: usize,
    const O: usize,
    const S: usize,
    const S1: usize,
    const S2: usize,
    const BIAS: bool,
> = (ProjectedResidual<Bottleneck<A, N, I, C, O, S1, S2, BIAS>, ConvNorm<N, I, O, 1, S, 0, BIAS>>, Act<A, O>);

/// A block that keeps the shape.
pub type Block<A, N, const C: usize, const O: usize, const BIAS: bool> =
    (Residual<Bottleneck<A, N, O, C, O, 1, 1, BIAS>>, Act<A, O>);

/// A stage whose first block has stride `S = S1 * S2`; `MORE` blocks follow it.
pub type Stage<
    A,
    N,
    const I: usize,
    const C: usize,
    const O: usize,
    const S: usize,
    const S1: usize,
    const S2: usize,
    const BIAS: bool,
    const MORE: usize,
> = (FirstBlock<A, N, I, C, O, S, S1, S2, BIAS>, Repeated<Block<A, N, C, O, BIAS>, MORE>);

/// Stem, with the pool `Pool`, and four stages: images `(B, 3, H, W)` to feature maps `(B, 2048, H / 32, W / 32)`. From
/// the second stage on, the first block of a stage has stride `S1` on its first and `S2` on its second convolution.
pub type Trunk<
    A,
    N,
    Pool,
    const S1: usize,
    const S2: usize,
    const BIAS: bool,
    const M2: usize,
    const M3: usize,
    const M4: usize,
    const M5: usize,
> = (
    (ConvNorm<N, 3, 64, 7, 2, 3, BIAS>, Act<A, 64>, Pool),
    Stage<A, N, 64, 64, 256, 1, 1, 1, BIAS, M2>,
    Stage<A, N, 256, 128, 512, 2, S1, S2, BIAS, M3>,
    Stage<A, N, 512, 256, 1024, 2, S1, S2, BIAS, M4>,
    Stage<A, N, 1024, 512, 2048, 2, S1, S2, BIAS, M5>,
);

/// The trunk of `keras.applications`: v1, with biases and a pool that pads with zeros.
pub type KerasTrunk<A, const M2: usize, const M3: usize, const M4: usize, const M5: usize> =
    Trunk<A, KerasResNet, ZeroPaddedMaxPool2D<3, 2, 1>, 2, 1, true, M2, M3, M4, M5>;

/// The trunk of torchvision: v1.5, without biases and with a pool that pads with minus infinity.
pub type TorchTrunk<A, const M2: usize, const M3: usize, const M4: usize, const M5: usize> =
    Trunk<A, Torch, MaxPool2D<3, 2, 1>, 1, 2, false, M2, M3, M4, M5>;

/// Mean over the image, and logits.
pub type Head<const CLASSES: usize> = (GlobalAvgPool2D, Linear<2048, CLASSES>);

/// [`Head`] for any number of classes, known when the program runs.
pub type OpenHead = (GlobalAvgPool2D, LinearTo<2048>);

/// Types, names and entry of each depth, from the number of blocks in each stage, as in table 1 of He et al. 2015,
/// their sum, and published weights.
macro_rules! models {
    ($(
        $(#[$doc:meta])*
        $trunk:ident $net:ident $blocks:ident = $kind:ident $name:literal
        [$b2:literal, $b3:literal, $b4:literal, $b5:literal] $count:literal
        [$($weights:expr),* $(,)?];
    )*) => {
        $(
            $(#[$doc])*
            pub type $net<A, const CLASSES: usize = 1000> = TrunkAndHead<$trunk<A>, Head<CLASSES>>;

            #[doc = concat!("[`", stringify!($net), "`] without its head.")]
            pub type $trunk<A> = $kind<A, { $b2 - 1 }, { $b3 - 1 }, { $b4 - 1 }, { $b5 - 1 }>;

            #[doc = concat!("Blocks in the stages of [`", stringify!($net), "`].")]
            pub const $blocks: [usize; 4] = [$b2, $b3, $b4, $b5];
            const _: () = assert!($count == $b2 + $b3 + $b4 + $b5);

            architecture!($net, kind!($kind $blocks));
        )*

        /// Registry entries of the ResNets with bottlenecks and without pre-activation.
        pub static MODELS: &[ModelEntry] = &[$(
            kind!($kind $trunk $blocks $name $count &[$($weights),*]),
        )*];
    };
}

/// Differences between the depths of Keras and of torchvision beside their trunks: names, description and
/// preprocessing.
macro_rules! kind {
    (KerasTrunk $blocks:ident) => {
        keras_names($blocks)
    };
    (TorchTrunk $blocks:ident) => {
        torch_names($blocks)
    };
    (KerasTrunk $trunk:ident $blocks:ident $name:literal $count:literal $weights:expr) => {{
        let about = concat!($count, " bottlenecks, stride on the first 1x1 convolution, as Keras has it");
        model::<$trunk<Relu>>($name, |_| kind!(KerasTrunk $blocks), about, Preprocessing::KERAS_CAFFE, $weights)
    }};
    (TorchTrunk $trunk:ident $blocks:ident $name:literal $count:literal $weights:expr) => {{
        let about = concat!($count, " bottlenecks, stride on the 3x3 convolution, as torchvision has it");
        model::<$trunk<Relu>>($name, |_| kind!(TorchTrunk $blocks), about, Preprocessing::TORCHVISION, $weights)
    }};
}

const fn model<T>(
    name: &'static str,
    names: Names,
    about: &'static str,
    preprocessing: Preprocessing,
    weights: &'static [Weights],
) -> ModelEntry
where
    TrunkAndHead<T, OpenHead>: Buildable<InParts>,
{
    let card = Card { about, paper: Some(PAPER), preprocessing, weights };
    ModelEntry::standard::<TrunkAndHead<T, OpenHead>>(name, Sides::IMAGENET, 1000, names).with_card(card)
}

/// Keras says that the weights of its ResNets without pre-activation are ported from He's under this license.
const MIT: Option<&str> = Some("MIT");

models! {
    /// ResNet50 of `keras.applications`: 25,636,712 parameters with 1000 classes and ReLU, 49 activation sites.
    ResNet50Trunk ResNet50 BLOCKS_50 = KerasTrunk "resnet50" [3, 4, 6, 3] 16 [
        Weights::keras(
            "resnet/resnet50_weights_tf_dim_ordering_tf_kernels.h5",
            Preprocessing::KERAS_CAFFE,
            MIT,
            74.9,
            ["2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"],
        ),
    ];
    /// ResNet101 of `keras.applications`: 44,707,176 parameters with 1000 classes and ReLU, 100 activation sites.
    ResNet101Trunk ResNet101 BLOCKS_101 = KerasTrunk "resnet101" [3, 4, 23, 3] 33 [
        Weights::keras(
            "resnet/resnet101_weights_tf_dim_ordering_tf_kernels.h5",
            Preprocessing::KERAS_CAFFE,
            MIT,
            76.4,
            ["f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"],
        ),
    ];
    /// ResNet152 of `keras.applications`: 60,419,944 parameters with 1000 classes and ReLU, 151 activation sites.
    ResNet152Trunk ResNet152 BLOCKS_152 = KerasTrunk "resnet152" [3, 8, 36, 3] 50 [
        Weights::keras(
            "resnet/resnet152_weights_tf_dim_ordering_tf_kernels.h5",
            Preprocessing::KERAS_CAFFE,
            MIT,
            76.6,
            ["100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"],
        ),
    ];
    /// `resnet50` of torchvision: 25,557,032 parameters with 1000 classes and ReLU, 49 activation sites.
    ResNet50V1_5Trunk ResNet50V1_5 BLOCKS_50_V1_5 = TorchTrunk "resnet50_v1_5" [3, 4, 6, 3] 16 [
        Weights::torchvision("resnet50-0676ba61.pth", Preprocessing::TORCHVISION, 76.130, 97.781),
        Weights::torchvision("resnet50-11ad3fa6.pth", Preprocessing::TORCHVISION_V2, 80.858, 97.79),
        Weights::timm("timm/resnet50.tv_in1k", Preprocessing::TORCHVISION, BSD),
        Weights::timm("timm/resnet50.tv2_in1k", Preprocessing::TORCHVISION_V2, BSD),
        Weights::timm("timm/resnet50.a1_in1k", TIMM_A1, APACHE),
    ];
    /// `resnet101` of torchvision: 44,549,160 parameters with 1000 classes and ReLU, 100 activation sites.
    ResNet101V1_5Trunk ResNet101V1_5 BLOCKS_101_V1_5 = TorchTrunk "resnet101_v1_5" [3, 4, 23, 3] 33 [
        Weights::torchvision("resnet101-63fe2227.pth", Preprocessing::TORCHVISION, 77.374, 170.511),
        Weights::torchvision("resnet101-cd907fc2.pth", Preprocessing::TORCHVISION_V2, 81.886, 170.53),
        Weights::timm("timm/resnet101.tv_in1k", Preprocessing::TORCHVISION, BSD),
        Weights::timm("timm/resnet101.tv2_in1k", Preprocessing::TORCHVISION_V2, BSD),
        Weights::timm("timm/resnet101.a1_in1k", TIMM_A1, APACHE),
    ];
    /// `resnet152` of torchvision: 60,192,808 parameters with 1000 classes and ReLU, 151 activation sites.
    ResNet152V1_5Trunk ResNet152V1_5 BLOCKS_152_V1_5 = TorchTrunk "resnet152_v1_5" [3, 8, 36, 3] 50 [
        Weights::torchvision("resnet152-394f9c45.pth", Preprocessing::TORCHVISION, 78.312, 230.434),
        Weights::torchvision("resnet152-f82ba261.pth", Preprocessing::TORCHVISION_V2, 82.284, 230.474),
        Weights::timm("timm/resnet152.tv_in1k", Preprocessing::TORCHVISION, BSD),
        Weights::timm("timm/resnet152.tv2_in1k", Preprocessing::TORCHVISION_V2, BSD),
        Weights::timm("timm/resnet152.a1_in1k", TIMM_A1, APACHE),
    ];
}

/// Names of the layers of a Keras depth, in the order in which a visitor meets them.
pub fn keras_names(blocks: [usize; 4]) -> Vec<LayerNames> {
    let mut names = vec![LayerNames::keras("conv1_conv", 0), LayerNames::keras("conv1_bn", 1)];
    let mut rank = 2;
    for (stage, blocks) in (2..).zip(blocks) {
        for block in 1..=blocks {
            // Keras makes the projection before the third convolution; a visit meets it after the main branch.
            let main = [("1_conv", 0), ("1_bn", 1), ("2_conv", 2), ("2_bn", 3), ("3_conv", 5), ("3_bn", 7)];
            let projection = [("0_conv", 4), ("0_bn", 6)].into_iter().filter(|_| block == 1);
            let layers = main.into_iter().chain(projection);
            names.extend(
                layers.map(|(layer, at)| LayerNames::keras(format!("conv{stage}_block{block}_{layer}"), rank + at)),
            );
            rank += 8;
        }
    }
    names.push(keras_classifier(rank));
    names
}

/// The last layer of Keras' ResNets. Their files were published by version 1.0.8 of `keras_applications`, which called
/// it `probs`.
pub(super) fn keras_classifier(rank: usize) -> LayerNames {
    LayerNames { aliases: &["probs"], ..LayerNames::keras("predictions", rank).as_classifier() }
}

/// Names of the layers of a torchvision depth, in the order in which a visitor meets them. timm calls them the same.
pub fn torch_names(blocks: [usize; 4]) -> Vec<LayerNames> {
    torch_layers(blocks, 3, |_, block| block == 0)
}

/// Names of the layers of a torchvision ResNet whose blocks have this many convolutions. `projects` says which blocks,
/// by their stage and their position in it, have a convolution and batch norm as their shortcut.
pub(super) fn torch_layers(
    blocks: [usize; 4],
    convolutions: usize,
    projects: impl Fn(usize, usize) -> bool,
) -> Vec<LayerNames> {
    let named = |name: String| LayerNames::torch(name.clone()).timm(name);
    let mut names = vec![named("conv1".to_owned()), named("bn1".to_owned())];
    for (stage, blocks) in (1..).zip(blocks) {
        for block in 0..blocks {
            let main = (1..=convolutions).flat_map(|at| [format!("conv{at}"), format!("bn{at}")]);
            let projection = (0..2).filter(|_| projects(stage, block)).map(|at| format!("downsample.{at}"));
            names.extend(main.chain(projection).map(|layer| named(format!("layer{stage}.{block}.{layer}"))));
        }
    }
    names.push(named("fc".to_owned()).as_classifier());
    names
}
