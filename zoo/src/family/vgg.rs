//! VGG networks (Simonyan and Zisserman 2015, configurations A, B, D and E), plain and with batch norm, as torchvision
//! builds them; Keras has D and E, plain, which are the same but for dropout in the head, which acts in training alone.

use pvlu::activation::Relu;
use pvlu::layer::builder::{
    Act, BatchNorm2D, Conv2D, Dropout, Flatten2D, Linear, LinearTo, MaxPool2D, NormedConv2D, TrunkAndHead,
};

use crate::cards::{Card, Paper, Weights};
use crate::family::entry::{Buildable, InParts, ModelEntry, Names, Sides};
use crate::image::Preprocessing;
use crate::names::{LayerNames, Part, WeightLayout};
use crate::source::Source;
use crate::weights::architecture;

/// A 3x3 convolution and its activation.
pub type Plain<A, const I: usize, const O: usize> = (Conv2D<I, O, 3, 1, 1>, Act<A, O>);

/// A 3x3 convolution, batch norm and activation.
pub type Normed<A, const I: usize, const O: usize> = (NormedConv2D<Conv2D<I, O, 3, 1, 1>, BatchNorm2D<O>>, Act<A, O>);

/// The ImageNet head on 7x7 feature maps, those of 224x224 images.
pub type Head<A, const CLASSES: usize> = (
    Flatten2D<512, 7, 7, 25088>,
    (Linear<25088, 4096>, Act<A, 4096>, Dropout<50>),
    (Linear<4096, 4096>, Act<A, 4096>, Dropout<50>),
    Linear<4096, CLASSES>,
);

/// The project's head on 1x1 feature maps, those of 32x32 images: for fine-tuning on CIFAR.
pub type SmallHead<A, const CLASSES: usize> =
    (Flatten2D<512, 1, 1, 512>, Linear<512, 512>, Act<A, 512>, Linear<512, CLASSES>);

/// [`Head`] for any number of classes, known when the program runs.
pub type OpenHead<A> = (
    Flatten2D<512, 7, 7, 25088>,
    (Linear<25088, 4096>, Act<A, 4096>, Dropout<50>),
    (Linear<4096, 4096>, Act<A, 4096>, Dropout<50>),
    LinearTo<4096>,
);

/// [`SmallHead`] for any number of classes, known when the program runs.
pub type OpenSmallHead<A> = (Flatten2D<512, 1, 1, 512>, Linear<512, 512>, Act<A, 512>, LinearTo<512>);

/// A stage of one to four blocks, of which the first changes the channels, and a 2x2 pool.
macro_rules! stage {
    (1, $block:ident, $a:ident, $i:literal, $o:literal) => {
        ($block<$a, $i, $o>, MaxPool2D<2, 2>)
    };
    (2, $block:ident, $a:ident, $i:literal, $o:literal) => {
        ($block<$a, $i, $o>, $block<$a, $o, $o>, MaxPool2D<2, 2>)
    };
    (3, $block:ident, $a:ident, $i:literal, $o:literal) => {
        ($block<$a, $i, $o>, $block<$a, $o, $o>, $block<$a, $o, $o>, MaxPool2D<2, 2>)
    };
    (4, $block:ident, $a:ident, $i:literal, $o:literal) => {
        ($block<$a, $i, $o>, $block<$a, $o, $o>, $block<$a, $o, $o>, $block<$a, $o, $o>, MaxPool2D<2, 2>)
    };
}

/// Types, names and entries of each configuration: its layers with weights, its convolutions, in all and in its stages,
/// as in table 1 of the paper, and its networks, plain and with batch norm, each with published weights.
macro_rules! models {
    ($(
        $configuration:literal $layers:literal $count:literal
        $convolutions:ident = [$n1:tt, $n2:tt, $n3:tt, $n4:tt, $n5:tt] {
            $(#[$doc:meta])* $net:ident $small:ident $trunk:ident [$($weights:expr),* $(,)?];
            $(#[$bn_doc:meta])* $bn_net:ident $bn_small:ident $bn_trunk:ident [$($bn_weights:expr),* $(,)?];
        }
    )*) => {
        $(
            #[doc = concat!("Convolutions in the stages of configuration ", $configuration, ".")]
            pub const $convolutions: [usize; 5] = [$n1, $n2, $n3, $n4, $n5];
            const _: () = assert!($count == $n1 + $n2 + $n3 + $n4 + $n5 && $layers == $count + 3);

            networks!($convolutions false [$n1, $n2, $n3, $n4, $n5] $(#[$doc])* $net $small $trunk = Plain);
            networks!($convolutions true [$n1, $n2, $n3, $n4, $n5] $(#[$bn_doc])* $bn_net $bn_small $bn_trunk = Normed);
        )*

        /// Registry entries of the VGG networks, each with both heads.
        pub static MODELS: &[ModelEntry] = &[
            $(model::<$trunk<Relu>>(
                concat!("vgg", $layers),
                concat!($count, " 3x3 convolutions in five stages, three dense layers"),
                |image| names($convolutions, false, image == (32, 32)),
                &[$($weights),*],
            ),)*
            $(model::<$bn_trunk<Relu>>(
                concat!("vgg", $layers, "_bn"),
                concat!($count, " 3x3 convolutions with batch norm in five stages, three dense layers"),
                |image| names($convolutions, true, image == (32, 32)),
                &[$($bn_weights),*],
            ),)*
        ];
    };
}

/// The networks of a configuration with a kind of block.
macro_rules! networks {
    (
        $convolutions:ident $batch_norm:literal [$n1:tt, $n2:tt, $n3:tt, $n4:tt, $n5:tt]
        $(#[$doc:meta])* $net:ident $small:ident $trunk:ident = $block:ident
    ) => {
        $(#[$doc])*
        pub type $net<A, const CLASSES: usize = 1000> = TrunkAndHead<$trunk<A>, Head<A, CLASSES>>;

        #[doc = concat!("[`", stringify!($net), "`]'s trunk with the head for 32x32 images.")]
        pub type $small<A, const CLASSES: usize = 10> = TrunkAndHead<$trunk<A>, SmallHead<A, CLASSES>>;

        #[doc = concat!("[`", stringify!($net), "`] without its head: images `(B, 3, H, W)` to feature maps ")]
        #[doc = "`(B, 512, H / 32, W / 32)`."]
        pub type $trunk<A> = (
            stage!($n1, $block, A, 3, 64),
            stage!($n2, $block, A, 64, 128),
            stage!($n3, $block, A, 128, 256),
            stage!($n4, $block, A, 256, 512),
            stage!($n5, $block, A, 512, 512),
        );

        architecture!($net, names($convolutions, $batch_norm, false));
        architecture!($small, names($convolutions, $batch_norm, true), head {
            let layers = names($convolutions, $batch_norm, false).into_iter();
            layers.filter(|layer| layer.part != Part::Trunk).collect()
        });
    };
}

/// A model with this trunk and both heads.
const fn model<T>(name: &'static str, about: &'static str, names: Names, weights: &'static [Weights]) -> ModelEntry
where
    TrunkAndHead<T, OpenHead<Relu>>: Buildable<InParts>,
    TrunkAndHead<T, OpenSmallHead<Relu>>: Buildable<InParts>,
{
    let paper = Paper {
        authors: "Simonyan, Zisserman",
        title: "Very Deep Convolutional Networks for Large-Scale Image Recognition",
        year: 2015,
        arxiv: Some("1409.1556"),
    };
    ModelEntry::standard::<TrunkAndHead<T, OpenHead<Relu>>>(name, Sides::Square(&[224, 32]), 1000, names)
        .with_standard_head::<TrunkAndHead<T, OpenSmallHead<Relu>>>()
        .with_card(Card { about, paper: Some(paper), preprocessing: Preprocessing::TORCHVISION, weights })
}

/// License that timm states for the weights that torchvision trained.
const BSD: &str = "BSD-3-Clause";

/// VGG weights of Keras, which states that they are ported from those of Oxford under this license, and one accuracy
/// for VGG16 and VGG19.
const fn oxford(place: &'static str, md5: [&'static str; 2]) -> Weights {
    Weights::keras(place, Preprocessing::KERAS_CAFFE, Some("CC-BY"), 71.3, md5)
}

models! {
    "A" 11 8 CONVOLUTIONS_11 = [1, 1, 2, 2, 2] {
        /// VGG11: 132,863,336 parameters with 1000 classes and ReLU, 10 activation sites.
        Vgg11 Vgg11Small Vgg11Trunk [
            Weights::torchvision("vgg11-8a719046.pth", Preprocessing::TORCHVISION, 69.02, 506.84),
            Weights::timm("timm/vgg11.tv_in1k", Preprocessing::TORCHVISION, BSD),
        ];
        /// VGG11 with batch norm: 132,868,840 parameters with 1000 classes and ReLU, 10 activation sites.
        Vgg11Bn Vgg11BnSmall Vgg11BnTrunk [
            Weights::torchvision("vgg11_bn-6002323d.pth", Preprocessing::TORCHVISION, 70.37, 506.881),
            Weights::timm("timm/vgg11_bn.tv_in1k", Preprocessing::TORCHVISION, BSD),
        ];
    }
    "B" 13 10 CONVOLUTIONS_13 = [2, 2, 2, 2, 2] {
        /// VGG13: 133,047,848 parameters with 1000 classes and ReLU, 12 activation sites.
        Vgg13 Vgg13Small Vgg13Trunk [
            Weights::torchvision("vgg13-19584684.pth", Preprocessing::TORCHVISION, 69.928, 507.545),
            Weights::timm("timm/vgg13.tv_in1k", Preprocessing::TORCHVISION, BSD),
        ];
        /// VGG13 with batch norm: 133,053,736 parameters with 1000 classes and ReLU, 12 activation sites.
        Vgg13Bn Vgg13BnSmall Vgg13BnTrunk [
            Weights::torchvision("vgg13_bn-abd245e5.pth", Preprocessing::TORCHVISION, 71.586, 507.59),
            Weights::timm("timm/vgg13_bn.tv_in1k", Preprocessing::TORCHVISION, BSD),
        ];
    }
    "D" 16 13 CONVOLUTIONS_16 = [2, 2, 3, 3, 3] {
        /// VGG16: 138,357,544 parameters with 1000 classes and ReLU, 15 activation sites.
        Vgg16 Vgg16Small Vgg16Trunk [
            Weights::torchvision("vgg16-397923af.pth", Preprocessing::TORCHVISION, 71.592, 527.796),
            Weights::timm("timm/vgg16.tv_in1k", Preprocessing::TORCHVISION, BSD),
            oxford(
                "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5",
                ["64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc"],
            ),
        ];
        /// VGG16 with batch norm: 138,365,992 parameters with 1000 classes and ReLU, 15 activation sites.
        Vgg16Bn Vgg16BnSmall Vgg16BnTrunk [
            Weights::torchvision("vgg16_bn-6c64b313.pth", Preprocessing::TORCHVISION, 73.36, 527.866),
            Weights::timm("timm/vgg16_bn.tv_in1k", Preprocessing::TORCHVISION, BSD),
        ];
    }
    "E" 19 16 CONVOLUTIONS_19 = [2, 2, 4, 4, 4] {
        /// VGG19: 143,667,240 parameters with 1000 classes and ReLU, 18 activation sites.
        Vgg19 Vgg19Small Vgg19Trunk [
            Weights::torchvision("vgg19-dcbb9e9d.pth", Preprocessing::TORCHVISION, 72.376, 548.051),
            Weights::timm("timm/vgg19.tv_in1k", Preprocessing::TORCHVISION, BSD),
            oxford(
                "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels.h5",
                ["cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6"],
            ),
        ];
        /// VGG19 with batch norm: 143,678,248 parameters with 1000 classes and ReLU, 18 activation sites.
        Vgg19Bn Vgg19BnSmall Vgg19BnTrunk [
            Weights::torchvision("vgg19_bn-c79401a0.pth", Preprocessing::TORCHVISION, 74.218, 548.143),
            Weights::timm("timm/vgg19_bn.tv_in1k", Preprocessing::TORCHVISION, BSD),
        ];
    }
}

/// Names of the layers of the trunk with the ImageNet head or the small one, in the order in which a visitor meets
/// them.
///
/// torchvision and timm number every module of the trunk; Keras has the plain networks of configurations D and E alone.
/// The small head is the project's own and has the same names everywhere, so that it goes with the trunk of any source.
pub fn names(convolutions: [usize; 5], batch_norm: bool, small_head: bool) -> Vec<LayerNames> {
    let in_keras = !batch_norm && [CONVOLUTIONS_16, CONVOLUTIONS_19].contains(&convolutions);
    let layer = |torch: &str, timm: &str, keras: &str, keras_rank: usize| {
        let layer = if in_keras { LayerNames::keras(keras, keras_rank) } else { LayerNames::default() };
        layer.by(Source::Torchvision, torch).timm(timm)
    };
    let mut names = Vec::new();
    let mut index = 0;
    for (stage, convolutions) in (1..).zip(convolutions) {
        for convolution in 1..=convolutions {
            let features = format!("features.{index}");
            names.push(layer(&features, &features, &format!("block{stage}_conv{convolution}"), names.len()));
            if batch_norm {
                let features = format!("features.{}", index + 1);
                names.push(LayerNames::torch(features.clone()).timm(features));
            }
            index += if batch_norm { 3 } else { 2 };
        }
        index += 1;
    }
    let head: &[(&str, &str, &str, WeightLayout)] = if small_head {
        &[("head.0", "head.0", "head.0", WeightLayout::Usual), ("head.2", "head.2", "head.2", WeightLayout::Usual)]
    } else {
        &[
            ("classifier.0", "pre_logits.fc1", "fc1", WeightLayout::FlattenedImage { channels: 512, side: 7 }),
            ("classifier.3", "pre_logits.fc2", "fc2", WeightLayout::FlattenedImage { channels: 4096, side: 1 }),
            ("classifier.6", "head.fc", "predictions", WeightLayout::Usual),
        ]
    };
    for (position, &(torch, timm, keras, layout)) in (1..).zip(head) {
        let part = if position == head.len() { Part::Classifier } else { Part::Head };
        names.push(LayerNames { part, layout, ..layer(torch, timm, keras, names.len()) });
    }
    names
}
