//! The typed instances behind the names.

use dfdx::nn::BuildOnDevice;
#[cfg(feature = "cuda")]
use dfdx::nn::TensorCollection;
use dfdx::tensor::Cpu;
#[cfg(feature = "cuda")]
use dfdx::tensor::Cuda;
use pvlu::activation::{Activation, Elu, LeakyRelu, PRelu, Pvlu, Relu, SineRelu, Swish, Vlu};
#[cfg(feature = "cuda")]
use pvlu::kernel::cuda::open;
use pvlu::layer::{SwapActivation, try_build_unfilled};

use super::{Entry, Options, RegistryError, Start};
#[cfg(feature = "cuda")]
use crate::device::Mirror;
use crate::device::{Device, DeviceError};
use crate::init;
#[cfg(feature = "cuda")]
use crate::model::NetworkOn;
use crate::model::{Classifier, Model, Network, Swaps};
use crate::resnet::{basic, cifar, v1, v2};
use crate::{sequential, vgg};

/// Builds a model for images of the given height and width, which were checked.
pub type Build = fn(&'static Entry, &Options<'_>, (usize, usize)) -> Result<Box<dyn Model>, RegistryError>;

/// A network that can be moved to every device that this crate is built for.
#[cfg(not(feature = "cuda"))]
pub trait Movable<const CLASSES: usize>: Network<usize, usize, CLASSES> {}
#[cfg(not(feature = "cuda"))]
impl<N: Network<usize, usize, CLASSES>, const CLASSES: usize> Movable<CLASSES> for N {}

/// A network that can be moved to every device that this crate is built for.
#[cfg(feature = "cuda")]
pub trait Movable<const CLASSES: usize>:
    Network<usize, usize, CLASSES>
    + Clone
    + TensorCollection<f32, Cpu, To<f32, Cuda>: NetworkOn<Cuda, usize, usize, CLASSES>>
{
}
#[cfg(feature = "cuda")]
impl<N, const CLASSES: usize> Movable<CLASSES> for N where
    N: Network<usize, usize, CLASSES>
        + Clone
        + TensorCollection<f32, Cpu, To<f32, Cuda>: NetworkOn<Cuda, usize, usize, CLASSES>>
{
}

/// Moves a model to a device other than the CPU.
#[cfg(feature = "cuda")]
fn moved<N: Movable<CLASSES>, const CLASSES: usize>(
    model: Classifier<N, usize, usize, CLASSES>,
    device: Device,
) -> Result<Box<dyn Model>, DeviceError> {
    let Device::Cuda(number) = device else { return Ok(Box::new(model)) };
    Ok(Box::new(Mirror::try_new(model, device, move || open(number, 0))?))
}

/// There is no other device.
#[cfg(not(feature = "cuda"))]
fn moved<N: Movable<CLASSES>, const CLASSES: usize>(
    _: Classifier<N, usize, usize, CLASSES>,
    device: Device,
) -> Result<Box<dyn Model>, DeviceError> {
    Err(DeviceError::NotCompiled(device))
}

/// One network, with start values as asked for.
fn network<A: Activation, N, const CLASSES: usize>(
    options: &Options<'_>,
    (height, width): (usize, usize),
    swaps: Swaps<N::Built, usize, usize, CLASSES>,
) -> Result<Box<dyn Model>, RegistryError>
where
    N: BuildOnDevice<Cpu, f32>,
    N::Built: Movable<CLASSES>,
{
    let mut net = try_build_unfilled::<N, f32, Cpu>(&Cpu::default())?;
    if let Start::Seed(seed) = options.weights {
        init::he::<A>(&mut net, seed)?;
    }
    let mut model = Classifier::new(net, height, width).with_swaps(swaps).with_move(moved);
    if let Start::Seed(seed) = options.weights {
        model.seed_dropout(seed);
    }
    Ok(Box::new(model))
}

/// A swap as a [`Model`].
fn swap<N, B: Activation, const CLASSES: usize>(
    model: Classifier<N, usize, usize, CLASSES>,
) -> Result<Box<dyn Model>, pvlu::Error>
where
    N: Network<usize, usize, CLASSES> + SwapActivation<f32, Cpu>,
    N::Swapped<B>: Movable<CLASSES>,
{
    Ok(Box::new(model.try_swap_activation::<B>()?.with_move(moved)))
}

/// The instances of a network for all class counts and the given activations. Swaps start from ReLU, the first.
macro_rules! instances {
    ($($build:ident: $net:path, [$first:ident $(, $more:ident)*];)*) => {$(
        pub fn $build(
            entry: &'static Entry,
            options: &Options<'_>,
            image: (usize, usize),
        ) -> Result<Box<dyn Model>, RegistryError> {
            use $net as Net;
            fn instance<const CLASSES: usize>(
                entry: &'static Entry,
                options: &Options<'_>,
                image: (usize, usize),
            ) -> Result<Box<dyn Model>, RegistryError> {
                match options.activation {
                    $first::NAME => network::<$first, Net<$first, CLASSES>, CLASSES>(
                        options,
                        image,
                        &[$(($more::NAME, swap::<_, $more, CLASSES>)),*],
                    ),
                    $($more::NAME => network::<$more, Net<$more, CLASSES>, CLASSES>(options, image, &[]),)*
                    other => Err(RegistryError::Activation {
                        model: entry.name,
                        name: other.to_owned(),
                        known: entry.activations,
                    }),
                }
            }
            match options.classes {
                10 => instance::<10>(entry, options, image),
                100 => instance::<100>(entry, options, image),
                1000 => instance::<1000>(entry, options, image),
                classes => Err(RegistryError::Classes { model: entry.name, classes }),
            }
        }
    )*};
}
instances! {
    sequential6conv: sequential::Sequential6Conv, [Relu, LeakyRelu, Elu, PRelu, SineRelu, Swish, Vlu, Pvlu];
    vgg11_large: vgg::Vgg11, [Relu, PRelu, Pvlu];
    vgg11_small: vgg::Vgg11Small, [Relu, PRelu, Pvlu];
    vgg13_large: vgg::Vgg13, [Relu, PRelu, Pvlu];
    vgg13_small: vgg::Vgg13Small, [Relu, PRelu, Pvlu];
    vgg16_large: vgg::Vgg16, [Relu, PRelu, Pvlu];
    vgg16_small: vgg::Vgg16Small, [Relu, PRelu, Pvlu];
    vgg19_large: vgg::Vgg19, [Relu, PRelu, Pvlu];
    vgg19_small: vgg::Vgg19Small, [Relu, PRelu, Pvlu];
    vgg11_bn_large: vgg::Vgg11Bn, [Relu, PRelu, Pvlu];
    vgg11_bn_small: vgg::Vgg11BnSmall, [Relu, PRelu, Pvlu];
    vgg13_bn_large: vgg::Vgg13Bn, [Relu, PRelu, Pvlu];
    vgg13_bn_small: vgg::Vgg13BnSmall, [Relu, PRelu, Pvlu];
    vgg16_bn_large: vgg::Vgg16Bn, [Relu, PRelu, Pvlu];
    vgg16_bn_small: vgg::Vgg16BnSmall, [Relu, PRelu, Pvlu];
    vgg19_bn_large: vgg::Vgg19Bn, [Relu, PRelu, Pvlu];
    vgg19_bn_small: vgg::Vgg19BnSmall, [Relu, PRelu, Pvlu];
    resnet18: basic::ResNet18, [Relu, Pvlu];
    resnet34: basic::ResNet34, [Relu, Pvlu];
    resnet50: v1::ResNet50, [Relu, Pvlu];
    resnet101: v1::ResNet101, [Relu, Pvlu];
    resnet152: v1::ResNet152, [Relu, Pvlu];
    resnet50_v1_5: v1::ResNet50V1_5, [Relu, Pvlu];
    resnet101_v1_5: v1::ResNet101V1_5, [Relu, Pvlu];
    resnet152_v1_5: v1::ResNet152V1_5, [Relu, Pvlu];
    resnet50v2: v2::ResNet50V2, [Relu, Pvlu];
    resnet101v2: v2::ResNet101V2, [Relu, Pvlu];
    resnet152v2: v2::ResNet152V2, [Relu, Pvlu];
    cifar_resnet20: cifar::ResNet20, [Relu, PRelu, Vlu, Pvlu];
    cifar_resnet32: cifar::ResNet32, [Relu, PRelu, Vlu, Pvlu];
    cifar_resnet44: cifar::ResNet44, [Relu, PRelu, Vlu, Pvlu];
    cifar_resnet56: cifar::ResNet56, [Relu, PRelu, Vlu, Pvlu];
    cifar_resnet110: cifar::ResNet110, [Relu, PRelu, Vlu, Pvlu];
    cifar_resnet20_b: cifar::ResNet20B, [Relu, PRelu, Vlu, Pvlu];
    cifar_resnet32_b: cifar::ResNet32B, [Relu, PRelu, Vlu, Pvlu];
    cifar_resnet44_b: cifar::ResNet44B, [Relu, PRelu, Vlu, Pvlu];
    cifar_resnet56_b: cifar::ResNet56B, [Relu, PRelu, Vlu, Pvlu];
    cifar_resnet110_b: cifar::ResNet110B, [Relu, PRelu, Vlu, Pvlu];
}

/// VGG networks: the ImageNet head for 224x224, the small one for 32x32.
macro_rules! two_heads {
    ($($build:ident: $large:ident, $small:ident;)*) => {$(
        pub fn $build(
            entry: &'static Entry,
            options: &Options<'_>,
            image: (usize, usize),
        ) -> Result<Box<dyn Model>, RegistryError> {
            if image == (32, 32) { $small(entry, options, image) } else { $large(entry, options, image) }
        }
    )*};
}
two_heads! {
    vgg11: vgg11_large, vgg11_small;
    vgg13: vgg13_large, vgg13_small;
    vgg16: vgg16_large, vgg16_small;
    vgg19: vgg19_large, vgg19_small;
    vgg11_bn: vgg11_bn_large, vgg11_bn_small;
    vgg13_bn: vgg13_bn_large, vgg13_bn_small;
    vgg16_bn: vgg16_bn_large, vgg16_bn_small;
    vgg19_bn: vgg19_bn_large, vgg19_bn_small;
}
