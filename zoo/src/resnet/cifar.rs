//! ResNets for 32x32 images (He et al. 2015, section 4.2): three stages of basic blocks with 16, 32 and 64 channels.
//!
//! Shortcut A where a stage begins (subsample, and add channels of zeros) is the paper's own for CIFAR and has no
//! parameters, as in Idelbayev's `pytorch_resnet_cifar10`; shortcut B is a 1x1 convolution with batch norm, as in Chen's
//! `pytorch-cifar-models`. Both fit pretrained weights of those names.

use dfdx::nn::modules::Repeated;
use pvlu::activation::Relu;
use pvlu::layer::builder::{
    Act, BatchNorm2D, Conv2D, GlobalAvgPool2D, Linear, LinearTo, NormedConv2D, ProjectedResidual, Residual,
    SubsamplePad2D, TrunkAndHead,
};

use crate::entry::{Entry, Sides};
use crate::names::LayerNames;

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

/// Images `(B, 3, 32, 32)` to feature maps `(B, 64, 8, 8)`, with the shortcuts `R2` and `R3`. A stage has `BLOCKS` blocks,
/// of which `MORE` follow the first: `MORE = BLOCKS - 1`.
pub type Trunk<A, R2, R3, const BLOCKS: usize, const MORE: usize> = (
    (ConvNorm<3, 16, 1>, Act<A, 16>),
    Repeated<Block<A, 16>, BLOCKS>,
    Stage<A, R2, 16, 32, MORE>,
    Stage<A, R3, 32, 64, MORE>,
);

/// With shortcut A.
pub type TrunkA<A, const BLOCKS: usize, const MORE: usize> =
    Trunk<A, SubsamplePad2D<16, 32, 2>, SubsamplePad2D<32, 64, 2>, BLOCKS, MORE>;

/// Shortcut B: a 1x1 convolution with stride 2, and batch norm.
pub type Projection<const I: usize, const O: usize> = NormedConv2D<Conv2D<I, O, 1, 2, 0, false>, BatchNorm2D<O>>;

/// With shortcut B.
pub type TrunkB<A, const BLOCKS: usize, const MORE: usize> =
    Trunk<A, Projection<16, 32>, Projection<32, 64>, BLOCKS, MORE>;

/// Mean over the image, and logits.
pub type Head<const CLASSES: usize> = (GlobalAvgPool2D, Linear<64, CLASSES>);

/// [`Head`] for any number of classes, known when the program runs.
pub type OpenHead = (GlobalAvgPool2D, LinearTo<64>);

/// A depth, `6 BLOCKS + 2` layers with weights, with each of the shortcuts.
macro_rules! depths {
    ($($a:ident $trunk_a:ident $b:ident $trunk_b:ident = $layers:literal [$blocks:literal];)*) => {$(
        #[doc = concat!("ResNet-", $layers, " for 32x32 images, with shortcut A.")]
        pub type $a<A, const CLASSES: usize = 10> = TrunkAndHead<$trunk_a<A>, Head<CLASSES>>;
        #[doc = concat!("[`", stringify!($a), "`] without its head.")]
        pub type $trunk_a<A> = TrunkA<A, $blocks, { $blocks - 1 }>;
        #[doc = concat!("ResNet-", $layers, " for 32x32 images, with shortcut B.")]
        pub type $b<A, const CLASSES: usize = 10> = TrunkAndHead<$trunk_b<A>, Head<CLASSES>>;
        #[doc = concat!("[`", stringify!($b), "`] without its head.")]
        pub type $trunk_b<A> = TrunkB<A, $blocks, { $blocks - 1 }>;
    )*};
}
depths! {
    ResNet20 ResNet20Trunk ResNet20B ResNet20BTrunk = 20 [3];
    ResNet32 ResNet32Trunk ResNet32B ResNet32BTrunk = 32 [5];
    ResNet44 ResNet44Trunk ResNet44B ResNet44BTrunk = 44 [7];
    ResNet56 ResNet56Trunk ResNet56B ResNet56BTrunk = 56 [9];
    ResNet110 ResNet110Trunk ResNet110B ResNet110BTrunk = 110 [18];
}

/// The family's models.
pub static MODELS: [Entry; 10] = [
    Entry::new::<TrunkAndHead<ResNet20Trunk<Relu>, OpenHead>>(
        "cifar_resnet20",
        Sides::Any { least: 8, default: 32 },
        10,
        |_| names(3, false),
    ),
    Entry::new::<TrunkAndHead<ResNet32Trunk<Relu>, OpenHead>>(
        "cifar_resnet32",
        Sides::Any { least: 8, default: 32 },
        10,
        |_| names(5, false),
    ),
    Entry::new::<TrunkAndHead<ResNet44Trunk<Relu>, OpenHead>>(
        "cifar_resnet44",
        Sides::Any { least: 8, default: 32 },
        10,
        |_| names(7, false),
    ),
    Entry::new::<TrunkAndHead<ResNet56Trunk<Relu>, OpenHead>>(
        "cifar_resnet56",
        Sides::Any { least: 8, default: 32 },
        10,
        |_| names(9, false),
    ),
    Entry::new::<TrunkAndHead<ResNet110Trunk<Relu>, OpenHead>>(
        "cifar_resnet110",
        Sides::Any { least: 8, default: 32 },
        10,
        |_| names(18, false),
    ),
    Entry::new::<TrunkAndHead<ResNet20BTrunk<Relu>, OpenHead>>(
        "cifar_resnet20_b",
        Sides::Any { least: 8, default: 32 },
        10,
        |_| names(3, true),
    ),
    Entry::new::<TrunkAndHead<ResNet32BTrunk<Relu>, OpenHead>>(
        "cifar_resnet32_b",
        Sides::Any { least: 8, default: 32 },
        10,
        |_| names(5, true),
    ),
    Entry::new::<TrunkAndHead<ResNet44BTrunk<Relu>, OpenHead>>(
        "cifar_resnet44_b",
        Sides::Any { least: 8, default: 32 },
        10,
        |_| names(7, true),
    ),
    Entry::new::<TrunkAndHead<ResNet56BTrunk<Relu>, OpenHead>>(
        "cifar_resnet56_b",
        Sides::Any { least: 8, default: 32 },
        10,
        |_| names(9, true),
    ),
    Entry::new::<TrunkAndHead<ResNet110BTrunk<Relu>, OpenHead>>(
        "cifar_resnet110_b",
        Sides::Any { least: 8, default: 32 },
        10,
        |_| names(18, true),
    ),
];

/// Names of the layers of a depth with this many blocks a stage, in the order of a walk.
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
