//! The typed instances behind the names.

use dfdx::nn::BuildOnDevice;
#[cfg(feature = "cuda")]
use dfdx::nn::TensorCollection;
use dfdx::tensor::Cpu;
#[cfg(feature = "cuda")]
use dfdx::tensor::Cuda;
use pvlu::activation::{Activation, Chosen, Definition, Pvlu, Relu};
#[cfg(feature = "cuda")]
use pvlu::kernel::cuda::open;
use pvlu::layer::{SwapActivation, TrunkAndHead, choose_activation, try_build_unfilled};

use super::{Entry, Options, RegistryError, Start};
#[cfg(feature = "cuda")]
use crate::device::Mirror;
use crate::device::{Device, DeviceError};
use crate::init;
#[cfg(feature = "cuda")]
use crate::model::NetworkOn;
use crate::model::{Classifier, Model, Network, Swap};
use crate::resnet::{basic, cifar, v1, v2};
use crate::{sequential, vgg};

/// Builds a model for images of the given height and width, which were checked, with an activation.
pub type Build =
    fn(&'static Entry, &Options<'_>, (usize, usize), &'static Definition) -> Result<Box<dyn Model>, RegistryError>;

/// A network that can be moved to every device that this crate is built for.
#[cfg(not(feature = "cuda"))]
pub trait Movable: Network<usize, usize, usize> {}
#[cfg(not(feature = "cuda"))]
impl<N: Network<usize, usize, usize>> Movable for N {}

/// A network that can be moved to every device that this crate is built for.
#[cfg(feature = "cuda")]
pub trait Movable:
    Network<usize, usize, usize> + Clone + TensorCollection<f32, Cpu, To<f32, Cuda>: NetworkOn<Cuda, usize, usize, usize>>
{
}
#[cfg(feature = "cuda")]
impl<N> Movable for N where
    N: Network<usize, usize, usize>
        + Clone
        + TensorCollection<f32, Cpu, To<f32, Cuda>: NetworkOn<Cuda, usize, usize, usize>>
{
}

/// A network for images and classes of any number.
type Open<N> = Classifier<N, usize, usize, usize>;

/// Moves a model to a device other than the CPU.
#[cfg(feature = "cuda")]
fn moved<N: Movable>(model: Open<N>, device: Device) -> Result<Box<dyn Model>, DeviceError> {
    let Device::Cuda(number) = device else { return Ok(Box::new(model)) };
    Ok(Box::new(Mirror::try_new(model, device, move || open(number, 0))?))
}

/// There is no other device.
#[cfg(not(feature = "cuda"))]
fn moved<N: Movable>(_: Open<N>, device: Device) -> Result<Box<dyn Model>, DeviceError> {
    Err(DeviceError::NotCompiled(device))
}

/// One network, with start values as asked for. `swap` says how it gets another activation, if it can.
fn network<N>(
    options: &Options<'_>,
    (height, width): (usize, usize),
    activation: &'static Definition,
    swap: Option<Swap<N::Built, usize, usize, usize>>,
) -> Result<Box<dyn Model>, RegistryError>
where
    N: BuildOnDevice<Cpu, f32>,
    N::Built: Movable,
{
    let mut net = try_build_unfilled::<N, f32, Cpu>(&Cpu::default())?;
    choose_activation(&mut net, activation, |param| param.start)?;
    let mut model = Classifier::try_with_classes(net, height, width, options.classes)?.with_move(moved);
    if let Start::Seed(seed) = options.weights {
        let moment = init::second_moment(activation);
        if !moment.is_normal() {
            return Err(RegistryError::Moment { activation: activation.text(), moment });
        }
        init::he_for(&mut model.net, activation, seed)?;
        model.seed_dropout(seed);
    }
    Ok(Box::new(match swap {
        Some(swap) => model.with_swap(swap),
        None => model,
    }))
}

/// Another activation in the place of ReLU: at the type level, and chosen where it is neither of those with types.
fn swap<N>(model: Open<N>, activation: &'static Definition) -> Result<Box<dyn Model>, pvlu::Error>
where
    N: Network<usize, usize, usize> + SwapActivation<f32, Cpu>,
    N::Swapped<Relu>: Movable,
    N::Swapped<Pvlu>: Movable,
    N::Swapped<Chosen>: Movable,
{
    fn typed<N, B: Activation>(model: Open<N>) -> Result<Box<dyn Model>, pvlu::Error>
    where
        N: Network<usize, usize, usize> + SwapActivation<f32, Cpu>,
        N::Swapped<B>: Movable,
    {
        Ok(Box::new(model.try_swap_activation::<B>()?.with_move(moved)))
    }
    if activation == Definition::of::<Relu>() {
        return typed::<N, Relu>(model);
    }
    if activation == Definition::of::<Pvlu>() {
        return typed::<N, Pvlu>(model);
    }
    let mut model = model.try_swap_activation::<Chosen>()?;
    choose_activation(&mut model.net, activation, |param| param.swapped)?;
    Ok(Box::new(model.with_move(moved)))
}

/// The instances of a network: one typed with ReLU, from which swaps start, one with PVLU, and one for all others.
macro_rules! instances {
    ($($build:ident: $trunk:path, $head:ty;)*) => {$(
        pub fn $build(
            _: &'static Entry,
            options: &Options<'_>,
            image: (usize, usize),
            activation: &'static Definition,
        ) -> Result<Box<dyn Model>, RegistryError> {
            use $trunk as Trunk;
            type Net<A> = TrunkAndHead<Trunk<A>, $head>;
            if activation == Definition::of::<Relu>() {
                network::<Net<Relu>>(options, image, activation, Some(swap))
            } else if activation == Definition::of::<Pvlu>() {
                network::<Net<Pvlu>>(options, image, activation, None)
            } else {
                network::<Net<Chosen>>(options, image, activation, None)
            }
        }
    )*};
}
instances! {
    sequential6conv: sequential::PaperTrunk, sequential::OpenHead<A>;
    vgg11_large: vgg::Vgg11Trunk, vgg::OpenHead<A>;
    vgg11_small: vgg::Vgg11Trunk, vgg::OpenSmallHead<A>;
    vgg13_large: vgg::Vgg13Trunk, vgg::OpenHead<A>;
    vgg13_small: vgg::Vgg13Trunk, vgg::OpenSmallHead<A>;
    vgg16_large: vgg::Vgg16Trunk, vgg::OpenHead<A>;
    vgg16_small: vgg::Vgg16Trunk, vgg::OpenSmallHead<A>;
    vgg19_large: vgg::Vgg19Trunk, vgg::OpenHead<A>;
    vgg19_small: vgg::Vgg19Trunk, vgg::OpenSmallHead<A>;
    vgg11_bn_large: vgg::Vgg11BnTrunk, vgg::OpenHead<A>;
    vgg11_bn_small: vgg::Vgg11BnTrunk, vgg::OpenSmallHead<A>;
    vgg13_bn_large: vgg::Vgg13BnTrunk, vgg::OpenHead<A>;
    vgg13_bn_small: vgg::Vgg13BnTrunk, vgg::OpenSmallHead<A>;
    vgg16_bn_large: vgg::Vgg16BnTrunk, vgg::OpenHead<A>;
    vgg16_bn_small: vgg::Vgg16BnTrunk, vgg::OpenSmallHead<A>;
    vgg19_bn_large: vgg::Vgg19BnTrunk, vgg::OpenHead<A>;
    vgg19_bn_small: vgg::Vgg19BnTrunk, vgg::OpenSmallHead<A>;
    resnet18: basic::ResNet18Trunk, basic::OpenHead;
    resnet34: basic::ResNet34Trunk, basic::OpenHead;
    resnet50: v1::ResNet50Trunk, v1::OpenHead;
    resnet101: v1::ResNet101Trunk, v1::OpenHead;
    resnet152: v1::ResNet152Trunk, v1::OpenHead;
    resnet50_v1_5: v1::ResNet50V1_5Trunk, v1::OpenHead;
    resnet101_v1_5: v1::ResNet101V1_5Trunk, v1::OpenHead;
    resnet152_v1_5: v1::ResNet152V1_5Trunk, v1::OpenHead;
    resnet50v2: v2::ResNet50V2Trunk, v2::OpenHead;
    resnet101v2: v2::ResNet101V2Trunk, v2::OpenHead;
    resnet152v2: v2::ResNet152V2Trunk, v2::OpenHead;
    cifar_resnet20: cifar::ResNet20Trunk, cifar::OpenHead;
    cifar_resnet32: cifar::ResNet32Trunk, cifar::OpenHead;
    cifar_resnet44: cifar::ResNet44Trunk, cifar::OpenHead;
    cifar_resnet56: cifar::ResNet56Trunk, cifar::OpenHead;
    cifar_resnet110: cifar::ResNet110Trunk, cifar::OpenHead;
    cifar_resnet20_b: cifar::ResNet20BTrunk, cifar::OpenHead;
    cifar_resnet32_b: cifar::ResNet32BTrunk, cifar::OpenHead;
    cifar_resnet44_b: cifar::ResNet44BTrunk, cifar::OpenHead;
    cifar_resnet56_b: cifar::ResNet56BTrunk, cifar::OpenHead;
    cifar_resnet110_b: cifar::ResNet110BTrunk, cifar::OpenHead;
}

/// VGG networks: the ImageNet head for 224x224, the small one for 32x32.
macro_rules! two_heads {
    ($($build:ident: $large:ident, $small:ident;)*) => {$(
        pub fn $build(
            entry: &'static Entry,
            options: &Options<'_>,
            image: (usize, usize),
            activation: &'static Definition,
        ) -> Result<Box<dyn Model>, RegistryError> {
            if image == (32, 32) {
                $small(entry, options, image, activation)
            } else {
                $large(entry, options, image, activation)
            }
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
