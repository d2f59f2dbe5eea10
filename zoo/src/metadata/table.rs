//! The table of models.

use super::{Card, Origin, Paper, Weights};
use crate::data::Normalization;
use crate::image::{Fit, Interpolation, Preprocessing};
use crate::labels::LabelSet;

const PVLU: Paper = Paper {
    authors: "Gupta, Ahuja",
    title: "Parametric Variational Linear Units (PVLUs) in Deep Convolutional Networks",
    year: 2021,
    arxiv: Some("2110.12246"),
};
const VGG: Paper = Paper {
    authors: "Simonyan, Zisserman",
    title: "Very Deep Convolutional Networks for Large-Scale Image Recognition",
    year: 2015,
    arxiv: Some("1409.1556"),
};
const RESNET: Paper = Paper {
    authors: "He, Zhang, Ren, Sun",
    title: "Deep Residual Learning for Image Recognition",
    year: 2016,
    arxiv: Some("1512.03385"),
};
const RESNET_V2: Paper = Paper {
    authors: "He, Zhang, Ren, Sun",
    title: "Identity Mappings in Deep Residual Networks",
    year: 2016,
    arxiv: Some("1603.05027"),
};

/// timm's `a1_in1k` (Wightman et al. 2021): 288x288 without a margin, bicubic.
const TIMM_A1: Preprocessing = Preprocessing {
    input: (288, 288),
    fit: Fit::Crop { shorter: 288 },
    interpolation: Interpolation::Bicubic,
    ..Preprocessing::TORCHVISION
};

/// Idelbayev normalizes CIFAR-10 with the mean and standard deviation of ImageNet.
const IDELBAYEV: Preprocessing =
    Preprocessing::small(Normalization { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] });

/// The standard deviation is the mean of those of single images, as is common; users of Chen's weights pass these values,
/// which his readme does not state.
const CHEN_10: Preprocessing =
    Preprocessing::small(Normalization { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.2010] });

/// The values that Chen's CIFAR-100 weights were evaluated with.
const CHEN_100: Preprocessing =
    Preprocessing::small(Normalization { mean: [0.507, 0.4865, 0.4409], std: [0.2673, 0.2564, 0.2761] });

const fn torchvision(place: &'static str, preprocessing: Preprocessing, top1: f32) -> Weights {
    Weights {
        origin: Origin::Torchvision,
        place,
        labels: LabelSet::ImageNet,
        preprocessing,
        license: None,
        top1: Some(top1),
    }
}

const fn timm(place: &'static str, preprocessing: Preprocessing, license: &'static str) -> Weights {
    Weights {
        origin: Origin::Timm,
        place,
        labels: LabelSet::ImageNet,
        preprocessing,
        license: Some(license),
        top1: None,
    }
}

const fn keras(place: &'static str, preprocessing: Preprocessing, license: Option<&'static str>, top1: f32) -> Weights {
    Weights { origin: Origin::Keras, place, labels: LabelSet::ImageNet, preprocessing, license, top1: Some(top1) }
}

const fn idelbayev(place: &'static str, top1: f32) -> Weights {
    Weights {
        origin: Origin::Idelbayev,
        place,
        labels: LabelSet::Cifar10,
        preprocessing: IDELBAYEV,
        license: Some("BSD-2-Clause"),
        top1: Some(top1),
    }
}

const fn chen(place: &'static str, labels: LabelSet, top1: f32) -> Weights {
    let preprocessing = match labels {
        LabelSet::Cifar100 => CHEN_100,
        _ => CHEN_10,
    };
    Weights { origin: Origin::Chen, place, labels, preprocessing, license: Some("BSD-3-Clause"), top1: Some(top1) }
}

const fn imagenet(
    name: &'static str,
    about: &'static str,
    paper: Paper,
    preprocessing: Preprocessing,
    weights: &'static [Weights],
) -> Card {
    Card { name, about, paper, labels: LabelSet::ImageNet, preprocessing, weights }
}

/// With the shortcut A as Idelbayev trained it, with B as Chen did.
const fn cifar(name: &'static str, about: &'static str, projection: bool, weights: &'static [Weights]) -> Card {
    let preprocessing = if projection { CHEN_10 } else { IDELBAYEV };
    Card { name, about, paper: RESNET, labels: LabelSet::Cifar10, preprocessing, weights }
}

/// Keras says that its VGG weights are ported from those of Oxford under this license, and its ResNets' (v1) from He's
/// under MIT.
const CC_BY: Option<&str> = Some("CC-BY");
const MIT: Option<&str> = Some("MIT");
const BSD: &str = "BSD-3-Clause";

use LabelSet::{Cifar10, Cifar100};
use Preprocessing as P;

/// A card for each model of the [`registry`](crate::registry), in its order.
#[rustfmt::skip] // One line a fact.
pub static CARDS: [Card; 30] = [
    Card {
        name: "sequential6conv", about: "six 3x3 convolutions in three stages, two dense layers, for 32x32 images",
        paper: PVLU, labels: Cifar100, preprocessing: P::CIFAR100, weights: &[],
    },
    imagenet("vgg11", "8 3x3 convolutions in five stages, three dense layers", VGG, P::TORCHVISION, &[
        torchvision("vgg11-8a719046.pth", P::TORCHVISION, 69.02),
        timm("timm/vgg11.tv_in1k", P::TORCHVISION, BSD),
    ]),
    imagenet("vgg13", "10 3x3 convolutions in five stages, three dense layers", VGG, P::TORCHVISION, &[
        torchvision("vgg13-19584684.pth", P::TORCHVISION, 69.928),
        timm("timm/vgg13.tv_in1k", P::TORCHVISION, BSD),
    ]),
    imagenet("vgg16", "13 3x3 convolutions in five stages, three dense layers", VGG, P::TORCHVISION, &[
        torchvision("vgg16-397923af.pth", P::TORCHVISION, 71.592),
        timm("timm/vgg16.tv_in1k", P::TORCHVISION, BSD),
        keras("vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5", P::KERAS_CAFFE, CC_BY, 71.3),
    ]),
    imagenet("vgg19", "16 3x3 convolutions in five stages, three dense layers", VGG, P::TORCHVISION, &[
        torchvision("vgg19-dcbb9e9d.pth", P::TORCHVISION, 72.376),
        timm("timm/vgg19.tv_in1k", P::TORCHVISION, BSD),
        keras("vgg19/vgg19_weights_tf_dim_ordering_tf_kernels.h5", P::KERAS_CAFFE, CC_BY, 71.3),
    ]),
    imagenet("vgg11_bn", "8 3x3 convolutions with batch norm in five stages, three dense layers", VGG, P::TORCHVISION, &[
        torchvision("vgg11_bn-6002323d.pth", P::TORCHVISION, 70.37),
        timm("timm/vgg11_bn.tv_in1k", P::TORCHVISION, BSD),
    ]),
    imagenet("vgg13_bn", "10 3x3 convolutions with batch norm in five stages, three dense layers", VGG, P::TORCHVISION, &[
        torchvision("vgg13_bn-abd245e5.pth", P::TORCHVISION, 71.586),
        timm("timm/vgg13_bn.tv_in1k", P::TORCHVISION, BSD),
    ]),
    imagenet("vgg16_bn", "13 3x3 convolutions with batch norm in five stages, three dense layers", VGG, P::TORCHVISION, &[
        torchvision("vgg16_bn-6c64b313.pth", P::TORCHVISION, 73.36),
        timm("timm/vgg16_bn.tv_in1k", P::TORCHVISION, BSD),
    ]),
    imagenet("vgg19_bn", "16 3x3 convolutions with batch norm in five stages, three dense layers", VGG, P::TORCHVISION, &[
        torchvision("vgg19_bn-c79401a0.pth", P::TORCHVISION, 74.218),
        timm("timm/vgg19_bn.tv_in1k", P::TORCHVISION, BSD),
    ]),
    imagenet("resnet18", "8 basic blocks, as torchvision has it", RESNET, P::TORCHVISION, &[
        torchvision("resnet18-f37072fd.pth", P::TORCHVISION, 69.758),
        timm("timm/resnet18.tv_in1k", P::TORCHVISION, BSD),
        timm("timm/resnet18.a1_in1k", TIMM_A1, "Apache-2.0"),
    ]),
    imagenet("resnet34", "16 basic blocks, as torchvision has it", RESNET, P::TORCHVISION, &[
        torchvision("resnet34-b627a593.pth", P::TORCHVISION, 73.314),
        timm("timm/resnet34.tv_in1k", P::TORCHVISION, BSD),
        timm("timm/resnet34.a1_in1k", TIMM_A1, "Apache-2.0"),
    ]),
    imagenet("resnet50", "16 bottlenecks, stride on the first 1x1 convolution, as Keras has it", RESNET, P::KERAS_CAFFE, &[
        keras("resnet/resnet50_weights_tf_dim_ordering_tf_kernels.h5", P::KERAS_CAFFE, MIT, 74.9),
    ]),
    imagenet("resnet101", "33 bottlenecks, stride on the first 1x1 convolution, as Keras has it", RESNET, P::KERAS_CAFFE, &[
        keras("resnet/resnet101_weights_tf_dim_ordering_tf_kernels.h5", P::KERAS_CAFFE, MIT, 76.4),
    ]),
    imagenet("resnet152", "50 bottlenecks, stride on the first 1x1 convolution, as Keras has it", RESNET, P::KERAS_CAFFE, &[
        keras("resnet/resnet152_weights_tf_dim_ordering_tf_kernels.h5", P::KERAS_CAFFE, MIT, 76.6),
    ]),
    imagenet("resnet50_v1_5", "16 bottlenecks, stride on the 3x3 convolution, as torchvision has it", RESNET, P::TORCHVISION, &[
        torchvision("resnet50-0676ba61.pth", P::TORCHVISION, 76.130),
        torchvision("resnet50-11ad3fa6.pth", P::TORCHVISION_V2, 80.858),
        timm("timm/resnet50.tv_in1k", P::TORCHVISION, BSD),
        timm("timm/resnet50.tv2_in1k", P::TORCHVISION_V2, BSD),
        timm("timm/resnet50.a1_in1k", TIMM_A1, "Apache-2.0"),
    ]),
    imagenet("resnet101_v1_5", "33 bottlenecks, stride on the 3x3 convolution, as torchvision has it", RESNET, P::TORCHVISION, &[
        torchvision("resnet101-63fe2227.pth", P::TORCHVISION, 77.374),
        torchvision("resnet101-cd907fc2.pth", P::TORCHVISION_V2, 81.886),
        timm("timm/resnet101.tv_in1k", P::TORCHVISION, BSD),
        timm("timm/resnet101.tv2_in1k", P::TORCHVISION_V2, BSD),
        timm("timm/resnet101.a1_in1k", TIMM_A1, "Apache-2.0"),
    ]),
    imagenet("resnet152_v1_5", "50 bottlenecks, stride on the 3x3 convolution, as torchvision has it", RESNET, P::TORCHVISION, &[
        torchvision("resnet152-394f9c45.pth", P::TORCHVISION, 78.312),
        torchvision("resnet152-f82ba261.pth", P::TORCHVISION_V2, 82.284),
        timm("timm/resnet152.tv_in1k", P::TORCHVISION, BSD),
        timm("timm/resnet152.tv2_in1k", P::TORCHVISION_V2, BSD),
        timm("timm/resnet152.a1_in1k", TIMM_A1, "Apache-2.0"),
    ]),
    imagenet("resnet50v2", "16 bottlenecks with pre-activation, as Keras has it", RESNET_V2, P::KERAS_TF, &[
        keras("resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels.h5", P::KERAS_TF, None, 76.0),
    ]),
    imagenet("resnet101v2", "33 bottlenecks with pre-activation, as Keras has it", RESNET_V2, P::KERAS_TF, &[
        keras("resnet/resnet101v2_weights_tf_dim_ordering_tf_kernels.h5", P::KERAS_TF, None, 77.2),
    ]),
    imagenet("resnet152v2", "50 bottlenecks with pre-activation, as Keras has it", RESNET_V2, P::KERAS_TF, &[
        keras("resnet/resnet152v2_weights_tf_dim_ordering_tf_kernels.h5", P::KERAS_TF, None, 78.0),
    ]),
    cifar("cifar_resnet20", "9 basic blocks for 32x32 images, shortcuts without parameters (A)", false, &[
        idelbayev("resnet20.th", 91.73),
    ]),
    cifar("cifar_resnet32", "15 basic blocks for 32x32 images, shortcuts without parameters (A)", false, &[
        idelbayev("resnet32.th", 92.63),
    ]),
    cifar("cifar_resnet44", "21 basic blocks for 32x32 images, shortcuts without parameters (A)", false, &[
        idelbayev("resnet44.th", 93.10),
    ]),
    cifar("cifar_resnet56", "27 basic blocks for 32x32 images, shortcuts without parameters (A)", false, &[
        idelbayev("resnet56.th", 93.39),
    ]),
    cifar("cifar_resnet110", "54 basic blocks for 32x32 images, shortcuts without parameters (A)", false, &[
        idelbayev("resnet110.th", 93.68),
    ]),
    cifar("cifar_resnet20_b", "9 basic blocks for 32x32 images, convolutions as shortcuts (B)", true, &[
        chen("resnet/cifar10_resnet20-4118986f.pt", Cifar10, 92.60),
        chen("resnet/cifar100_resnet20-23dac2f1.pt", Cifar100, 68.83),
    ]),
    cifar("cifar_resnet32_b", "15 basic blocks for 32x32 images, convolutions as shortcuts (B)", true, &[
        chen("resnet/cifar10_resnet32-ef93fc4d.pt", Cifar10, 93.53),
        chen("resnet/cifar100_resnet32-84213ce6.pt", Cifar100, 70.16),
    ]),
    cifar("cifar_resnet44_b", "21 basic blocks for 32x32 images, convolutions as shortcuts (B)", true, &[
        chen("resnet/cifar10_resnet44-2a3cabcb.pt", Cifar10, 94.01),
        chen("resnet/cifar100_resnet44-ffe32858.pt", Cifar100, 71.63),
    ]),
    cifar("cifar_resnet56_b", "27 basic blocks for 32x32 images, convolutions as shortcuts (B)", true, &[
        chen("resnet/cifar10_resnet56-187c023a.pt", Cifar10, 94.37),
        chen("resnet/cifar100_resnet56-f2eff4c8.pt", Cifar100, 72.63),
    ]),
    cifar("cifar_resnet110_b", "54 basic blocks for 32x32 images, convolutions as shortcuts (B)", true, &[]),
];
