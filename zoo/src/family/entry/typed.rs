//! Construction of models from typed networks.

#[cfg(feature = "cuda")]
use dfdx::nn::TensorCollection as Tensors;
use dfdx::nn::{BuildOnDevice, Module, ModuleMut};
use dfdx::shapes::Shape;
use dfdx::tensor::Cpu;
#[cfg(feature = "cuda")]
use dfdx::tensor::Cuda;
use pvlu::Error;
use pvlu::activation::{Chosen, Definition, Pvlu, Relu};
#[cfg(feature = "cuda")]
use pvlu::kernel::cuda::open;
use pvlu::layer::{BuildUnfilled, Extent, SwapActivation, TrunkAndHead, choose_activation};
use pvlu::tape::GradTape;

use super::error::RegistryError;
use super::options::{Options, Start};
#[cfg(feature = "cuda")]
use crate::device::Mirror;
use crate::device::{Device, DeviceError};
use crate::init;
#[cfg(feature = "cuda")]
use crate::model::NetworkOn;
use crate::model::{Classifier, Features, Images, Logits, Model, Network, Swap};

/// Builds a model for images of the given height and width, which were checked, with an activation.
pub type Build = fn(&Options<'_>, (usize, usize), &'static Definition) -> Result<Box<dyn Model>, RegistryError>;

/// A network, written with ReLU, that the registry can build with any activation and any number of classes: what
/// [`ModelEntry::new`](super::ModelEntry::new) takes. Every network whose layers are those of [`pvlu`] and whose head
/// ends in a [`LinearTo`](pvlu::layer::LinearTo) is one.
///
/// It is instantiated three times: with ReLU, with PVLU, and with [`Chosen`] for all others.
///
/// `K` says what is made use of: of [`InParts`] that the head can be trained alone, on features that are computed once.
pub trait Buildable<K = AnyNetwork> {
    /// Builds the model for images of the given height and width with an activation.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Moment`], and [`RegistryError::Device`] where memory is lacking.
    fn build(
        options: &Options<'_>,
        image: (usize, usize),
        activation: &'static Definition,
    ) -> Result<Box<dyn Model>, RegistryError>;
}

/// A network that can be moved to every device that this crate is built for.
#[cfg(not(feature = "cuda"))]
pub trait Movable: Network<usize, usize, usize> {}
#[cfg(not(feature = "cuda"))]
impl<N: Network<usize, usize, usize>> Movable for N {}

/// A network that can be moved to every device that this crate is built for.
#[cfg(feature = "cuda")]
pub trait Movable:
    Network<usize, usize, usize> + Clone + Tensors<f32, Cpu, To<f32, Cuda>: NetworkOn<Cuda, usize, usize, usize>>
{
}
#[cfg(feature = "cuda")]
impl<N> Movable for N where
    N: Network<usize, usize, usize> + Clone + Tensors<f32, Cpu, To<f32, Cuda>: NetworkOn<Cuda, usize, usize, usize>>
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

/// Refuses to move a model: without the feature `cuda` there is no device but the CPU.
#[cfg(not(feature = "cuda"))]
fn moved<N: Movable>(_: Open<N>, device: Device) -> Result<Box<dyn Model>, DeviceError> {
    Err(DeviceError::NotCompiled(device))
}

/// A kind of networks, by what is known of their types.
pub trait Kind<N> {
    /// The model that makes use of it.
    fn tell(model: Open<N>) -> Open<N>;
}

/// A network of which nothing is known.
pub struct AnyNetwork;

impl<N> Kind<N> for AnyNetwork {
    fn tell(model: Open<N>) -> Open<N> {
        model
    }
}

/// A [`TrunkAndHead`] whose head can be run by itself, on features of the shape that its trunk gives.
pub struct InParts;

impl<T, H, S: Shape> Kind<TrunkAndHead<T, H>> for InParts
where
    TrunkAndHead<T, H>: Movable,
    T: Module<Images<usize, usize>, Output = Features<S>>,
    H: Module<Features<S>, Output = Logits<usize>, Error = Error>
        + ModuleMut<Features<S, GradTape<f32, Cpu>>, Output = Logits<usize, GradTape<f32, Cpu>>, Error = Error>,
{
    fn tell(model: Open<TrunkAndHead<T, H>>) -> Open<TrunkAndHead<T, H>> {
        model.in_parts()
    }
}

/// Gives a model the start values that the options ask for. It is not generic, so that it is compiled once for all
/// networks.
fn start(model: &mut dyn Model, options: &Options<'_>, activation: &'static Definition) -> Result<(), RegistryError> {
    // A swap has set those whose start values are the same; to write zeros again would take memory for slopes of every
    // element.
    if activation.params().iter().any(|param| param.start != param.swapped) {
        let (height, width) = model.image();
        let image = Extent::image(model.channels(), height, width);
        choose_activation(model.net_mut(), activation, image, |param| param.start)?;
    }
    if let Start::Seed(seed) = options.weights {
        let moment = init::second_moment(activation);
        if !moment.is_normal() {
            return Err(RegistryError::Moment { activation: activation.text(), moment });
        }
        init::he_for(model.net_mut(), activation, seed)?;
        model.seed_dropout(seed);
    }
    Ok(())
}

impl<M, K> Buildable<K> for M
where
    M: BuildOnDevice<Cpu, f32>,
    M::Built: Movable + BuildUnfilled<f32, Cpu> + SwapActivation<f32, Cpu>,
    <M::Built as SwapActivation<f32, Cpu>>::Swapped<Pvlu>: Movable,
    <M::Built as SwapActivation<f32, Cpu>>::Swapped<Chosen>: Movable,
    K: Kind<M::Built>
        + Kind<<M::Built as SwapActivation<f32, Cpu>>::Swapped<Pvlu>>
        + Kind<<M::Built as SwapActivation<f32, Cpu>>::Swapped<Chosen>>,
{
    fn build(
        options: &Options<'_>,
        image: (usize, usize),
        activation: &'static Definition,
    ) -> Result<Box<dyn Model>, RegistryError> {
        built::<M::Built, K>(options, image, activation)
    }
}

/// Builds a network of a kind, with ReLU, and swaps that, so that the code that builds a network is compiled once and
/// not three times.
fn built<N, K>(
    options: &Options<'_>,
    (height, width): (usize, usize),
    activation: &'static Definition,
) -> Result<Box<dyn Model>, RegistryError>
where
    N: Movable + BuildUnfilled<f32, Cpu> + SwapActivation<f32, Cpu>,
    N::Swapped<Pvlu>: Movable,
    N::Swapped<Chosen>: Movable,
    K: Kind<N> + Kind<N::Swapped<Pvlu>> + Kind<N::Swapped<Chosen>>,
{
    let net = N::try_unfilled(&Cpu::default())?;
    let model = Classifier::try_with_classes(net, height, width, options.classes)?.with_move(moved);
    let mut model = swap::<N, K>(model, activation)?;
    start(&mut *model, options, activation)?;
    Ok(model)
}

/// Swaps ReLU for another activation: for PVLU at the type level, for all others as [`Chosen`]. ReLU itself stays.
fn swap<N, K>(model: Open<N>, activation: &'static Definition) -> Result<Box<dyn Model>, Error>
where
    N: Movable + SwapActivation<f32, Cpu>,
    N::Swapped<Pvlu>: Movable,
    N::Swapped<Chosen>: Movable,
    K: Kind<N> + Kind<N::Swapped<Pvlu>> + Kind<N::Swapped<Chosen>>,
{
    if activation == Definition::of::<Relu>() {
        return Ok(Box::new(K::tell(model).with_swap(swap::<N, K> as Swap<_, _, _, _>)));
    }
    if activation == Definition::of::<Pvlu>() {
        return Ok(Box::new(K::tell(model.try_swap_activation::<Pvlu>()?).with_move(moved)));
    }
    let mut model = K::tell(model.try_swap_activation::<Chosen>()?);
    let (height, width) = model.size();
    choose_activation(&mut model.net, activation, Extent::image(3, height, width), |param| param.swapped)?;
    Ok(Box::new(model.with_move(moved)))
}
