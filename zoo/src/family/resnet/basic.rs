//! ResNets with basic blocks for ImageNet (He et al. 2015), as torchvision builds them.
//!
//! A basic block has its stride on its first convolution, in the paper and in torchvision, so that v1 and v1.5, which
//! differ in the stride of bottlenecks, are one network here. The first stage keeps the channels of the stem and has no
//! projection; the others begin with shortcut B.

use dfdx::nn::modules::Repeated;
use pvlu::activation::Relu;
use pvlu::layer::Torch;
use pvlu::layer::builder::{Act, GlobalAvgPool2D, Linear, LinearTo, MaxPool2D, TrunkAndHead};

use super::cifar::{Block, Projection, Stage};
use super::v1::{ConvNorm, torch_layers};
use super::{APACHE, BSD, PAPER, TIMM_A1};
use crate::cards::{Card, Weights};
use crate::family::entry::{ModelEntry, Sides};
use crate::image::Preprocessing;
use crate::names::LayerNames;
use crate::weights::architecture;

/// Convolution, activation and pool: images `(B, 3, H, W)` to feature maps `(B, 64, H / 4, W / 4)`.
pub type Stem<A> = (ConvNorm<Torch, 3, 64, 7, 2, 3, false>, Act<A, 64>, MaxPool2D<3, 2, 1>);

/// Stem and four stages: images `(B, 3, H, W)` to feature maps `(B, 512, H / 32, W / 32)`. The first stage has `B2`
/// blocks; of the others, `M3`, `M4` and `M5` follow the first.
pub type Trunk<A, const B2: usize, const M3: usize, const M4: usize, const M5: usize> = (
    Stem<A>,
    Repeated<Block<A, 64>, B2>,
    Stage<A, Projection<64, 128>, 64, 128, M3>,
    Stage<A, Projection<128, 256>, 128, 256, M4>,
    Stage<A, Projection<256, 512>, 256, 512, M5>,
);

/// Mean over the image, and logits.
pub type Head<const CLASSES: usize> = (GlobalAvgPool2D, Linear<512, CLASSES>);

/// [`Head`] for any number of classes, known when the program runs.
pub type OpenHead = (GlobalAvgPool2D, LinearTo<512>);

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
            pub type $trunk<A> = Trunk<A, $b2, { $b3 - 1 }, { $b4 - 1 }, { $b5 - 1 }>;

            #[doc = concat!("Blocks in the stages of [`", stringify!($net), "`].")]
            pub const $blocks: [usize; 4] = [$b2, $b3, $b4, $b5];
            const _: () = assert!($count == $b2 + $b3 + $b4 + $b5);

            architecture!($net, names($blocks));
        )*

        /// Registry entries of the ResNets with basic blocks.
        pub static MODELS: &[ModelEntry] = &[$(
            ModelEntry::standard::<TrunkAndHead<$trunk<Relu>, OpenHead>>($name, Sides::IMAGENET, 1000, |_| {
                names($blocks)
            })
                .with_card(Card {
                    about: concat!($count, " basic blocks, as torchvision has it"),
                    paper: Some(PAPER),
                    preprocessing: Preprocessing::TORCHVISION,
                    weights: &[$($weights),*],
                }),
        )*];
    };
}
models! {
    /// `resnet18` of torchvision: 11,689,512 parameters with 1000 classes and ReLU, 17 activation sites.
    ResNet18Trunk ResNet18 BLOCKS_18 = "resnet18" [2, 2, 2, 2] 8 [
        Weights::torchvision("resnet18-f37072fd.pth", Preprocessing::TORCHVISION, 69.758, 44.661),
        Weights::timm("timm/resnet18.tv_in1k", Preprocessing::TORCHVISION, BSD),
        Weights::timm("timm/resnet18.a1_in1k", TIMM_A1, APACHE),
    ];
    /// `resnet34` of torchvision: 21,797,672 parameters with 1000 classes and ReLU, 33 activation sites.
    ResNet34Trunk ResNet34 BLOCKS_34 = "resnet34" [3, 4, 6, 3] 16 [
        Weights::torchvision("resnet34-b627a593.pth", Preprocessing::TORCHVISION, 73.314, 83.275),
        Weights::timm("timm/resnet34.tv_in1k", Preprocessing::TORCHVISION, BSD),
        Weights::timm("timm/resnet34.a1_in1k", TIMM_A1, APACHE),
    ];
}

/// Names of the layers of a depth, in the order in which a visitor meets them. timm calls them as torchvision does.
pub fn names(blocks: [usize; 4]) -> Vec<LayerNames> {
    torch_layers(blocks, 2, |stage, block| stage > 1 && block == 0)
}
