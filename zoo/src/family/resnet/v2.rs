//! ResNets with pre-activation (He et al. 2016), as `keras.applications.resnet_v2` builds them.
//!
//! Details that a reader of the paper would not expect: the stride is in the *last* block of the second to fourth
//! stage, whose shortcut is a 1x1 max pool with that stride; a projection reads the pre-activated tensor while the
//! identity reads the raw one; the stem has neither batch norm nor activation, and its pool pads with zeros, which
//! count; stem, projections and third convolutions have biases, the other convolutions do not.

use crate::cards::{Card, Paper, Weights};
use crate::family::entry::{ModelEntry, Sides};
use crate::image::Preprocessing;
use crate::names::LayerNames;
use crate::weights::architecture;
use dfdx::nn::modules::Repeated;
use pvlu::activation::Relu;
use pvlu::layer::KerasResNet;
use pvlu::layer::builder::{
    Act, BatchNorm2D, Conv2D, GlobalAvgPool2D, Linear, LinearTo, MaxPool2D, NormedConv2D, ProjectedResidual, Residual,
    TrunkAndHead, ZeroPaddedMaxPool2D,
};

/// Batch norm and activation.
pub type PreAct<A, const C: usize> = (BatchNorm2D<C, KerasResNet>, Act<A, C>);

/// A convolution without bias, and the batch norm that begins the next pre-activation.
pub type ConvNorm<const I: usize, const O: usize, const K: usize, const S: usize, const P: usize> =
    NormedConv2D<Conv2D<I, O, K, S, P, false>, BatchNorm2D<O, KerasResNet>>;

/// Three convolutions from `I` to `O` channels by way of `C`, with stride `S` on the 3x3 convolution.
pub type Bottleneck<A, const I: usize, const C: usize, const O: usize, const S: usize> =
    (ConvNorm<I, C, 1, 1, 0>, Act<A, C>, ConvNorm<C, C, 3, S, 1>, Act<A, C>, Conv2D<C, O, 1>);

/// The first block of a stage: its projection reads the pre-activated tensor.
pub type FirstBlock<A, const I: usize, const C: usize, const O: usize> =
    (PreAct<A, I>, ProjectedResidual<Bottleneck<A, I, C, O, 1>, Conv2D<I, O, 1>>);

/// A block that keeps the shape.
pub type Block<A, const C: usize, const O: usize> = Residual<(PreAct<A, O>, Bottleneck<A, O, C, O, 1>)>;

/// A block that halves the image.
pub type LastBlock<A, const C: usize, const O: usize> =
    ProjectedResidual<(PreAct<A, O>, Bottleneck<A, O, C, O, 2>), MaxPool2D<1, 2>>;

/// A stage that halves the image in its last block; `MIDDLE` blocks lie between the first and the last.
pub type Stage<A, const I: usize, const C: usize, const O: usize, const MIDDLE: usize> =
    (FirstBlock<A, I, C, O>, Repeated<Block<A, C, O>, MIDDLE>, LastBlock<A, C, O>);

/// The last stage, which keeps the image size; `MORE` blocks follow the first.
pub type LastStage<A, const I: usize, const C: usize, const O: usize, const MORE: usize> =
    (FirstBlock<A, I, C, O>, Repeated<Block<A, C, O>, MORE>);

/// Convolution and pool: images `(B, 3, H, W)` to feature maps `(B, 64, H / 4, W / 4)`.
pub type Stem = (Conv2D<3, 64, 7, 2, 3>, ZeroPaddedMaxPool2D<3, 2, 1>);

/// Stem, four stages and the closing activation: images `(B, 3, H, W)` to feature maps `(B, 2048, H / 32, W / 32)`.
pub type Trunk<A, const M2: usize, const M3: usize, const M4: usize, const M5: usize> = (
    Stem,
    Stage<A, 64, 64, 256, M2>,
    Stage<A, 256, 128, 512, M3>,
    Stage<A, 512, 256, 1024, M4>,
    LastStage<A, 1024, 512, 2048, M5>,
    PreAct<A, 2048>,
);

/// Mean over the image, and logits.
pub type Head<const CLASSES: usize> = (GlobalAvgPool2D, Linear<2048, CLASSES>);

/// [`Head`] for any number of classes, known when the program runs.
pub type OpenHead = (GlobalAvgPool2D, LinearTo<2048>);

/// Types, names and entry of each depth, from the number of blocks in each stage, as in table 1 of He et al. 2015,
/// their sum, and published weights.
macro_rules! models {
    ($(
        $(#[$doc:meta])*
        $trunk:ident $net:ident $blocks:ident = $name:literal
        [$b2:literal, $b3:literal, $b4:literal, $b5:literal] $count:literal
        [$($weights:expr),* $(,)?];
    )*) => {
        $(
            $(#[$doc])*
            pub type $net<A, const CLASSES: usize = 1000> = TrunkAndHead<$trunk<A>, Head<CLASSES>>;

            #[doc = concat!("[`", stringify!($net), "`] without its head.")]
            pub type $trunk<A> = Trunk<A, { $b2 - 2 }, { $b3 - 2 }, { $b4 - 2 }, { $b5 - 1 }>;

            #[doc = concat!("Blocks in the stages of [`", stringify!($net), "`].")]
            pub const $blocks: [usize; 4] = [$b2, $b3, $b4, $b5];
            const _: () = assert!($count == $b2 + $b3 + $b4 + $b5);

            architecture!($net, names($blocks));
        )*

        /// Registry entries of the ResNets with pre-activation.
        pub static MODELS: &[ModelEntry] = &[$(
            ModelEntry::standard::<TrunkAndHead<$trunk<Relu>, OpenHead>>($name, Sides::IMAGENET, 1000, |_| {
                names($blocks)
            })
                .with_card(Card {
                    about: concat!($count, " bottlenecks with pre-activation, as Keras has it"),
                    paper: Some(PAPER),
                    preprocessing: Preprocessing::KERAS_TF,
                    weights: &[$($weights),*],
                }),
        )*];
    };
}

const PAPER: Paper = Paper {
    authors: "He, Zhang, Ren, Sun",
    title: "Identity Mappings in Deep Residual Networks",
    year: 2016,
    arxiv: Some("1603.05027"),
};

models! {
    /// ResNet50V2 of `keras.applications`: 25,613,800 parameters with 1000 classes and ReLU, 49 activation sites.
    ResNet50V2Trunk ResNet50V2 BLOCKS_50 = "resnet50v2" [3, 4, 6, 3] 16 [
        Weights::keras(
            "resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels.h5",
            Preprocessing::KERAS_TF,
            None,
            76.0,
            ["3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"],
        ),
    ];
    /// ResNet101V2 of `keras.applications`: 44,675,560 parameters with 1000 classes and ReLU, 100 activation sites.
    ResNet101V2Trunk ResNet101V2 BLOCKS_101 = "resnet101v2" [3, 4, 23, 3] 33 [
        Weights::keras(
            "resnet/resnet101v2_weights_tf_dim_ordering_tf_kernels.h5",
            Preprocessing::KERAS_TF,
            None,
            77.2,
            ["6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"],
        ),
    ];
    /// ResNet152V2 of `keras.applications`: 60,380,648 parameters with 1000 classes and ReLU, 151 activation sites.
    ResNet152V2Trunk ResNet152V2 BLOCKS_152 = "resnet152v2" [3, 8, 36, 3] 50 [
        Weights::keras(
            "resnet/resnet152v2_weights_tf_dim_ordering_tf_kernels.h5",
            Preprocessing::KERAS_TF,
            None,
            78.0,
            ["a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"],
        ),
    ];
}

/// Names of the layers of a depth, in the order in which a visitor meets them.
pub fn names(blocks: [usize; 4]) -> Vec<LayerNames> {
    let mut names = vec![LayerNames::keras("conv1_conv", 0)];
    let mut rank = 1;
    for (stage, blocks) in (2..).zip(blocks) {
        for block in 1..=blocks {
            // Keras makes the projection before the third convolution; a visit meets it after the main branch.
            let main = [("preact_bn", 0), ("1_conv", 1), ("1_bn", 2), ("2_conv", 3), ("2_bn", 4), ("3_conv", 6)];
            let projection = (block == 1).then_some(("0_conv", 5));
            let layers = main.into_iter().chain(projection);
            names.extend(
                layers.map(|(layer, at)| LayerNames::keras(format!("conv{stage}_block{block}_{layer}"), rank + at)),
            );
            rank += 7;
        }
    }
    names.push(LayerNames::keras("post_bn", rank));
    names.push(super::v1::keras_classifier(rank + 1));
    names
}
