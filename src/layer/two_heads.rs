//! A network that answers two questions about one image.

use dfdx::nn::{BuildOnDevice, Module, ModuleMut, ModuleVisitor, TensorCollection};
use dfdx::prelude::Device;
use dfdx::shapes::{Dtype, Shape, Unit};
use dfdx::tensor::{Storage, Tensor};

use super::SwapActivation;
use super::layer_summary::{Extent, LayerSummary};
use super::parts::Part;
use super::residual::fork;
use super::visit::{Path, Visit, Visitor, VisitorMut};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::error::Error;
use crate::tape::Track;

/// `(first(trunk(x)), second(trunk(x)))`: two heads on the features of one trunk, which is computed once.
///
/// Paths begin with `trunk`, `head.first` and `head.second`, so that what is said of the [head](Part::Head) of a
/// network is said of both.
///
/// What is recorded of the trunk is on the tape of the first output. A loss of both outputs, the sum of one of each for
/// example, trains the trunk by both; a loss of the first alone leaves the second head without gradients; one of the
/// second alone leaves the first head and the trunk without.
///
/// ```
/// use dfdx::prelude::*;
/// use pvlu::prelude::*;
///
/// // What is on the image, one of 10, and where: its row and column.
/// type Trunk = (nn::Conv2D<1, 8, 3, 1, 1>, nn::Act<Pvlu, 8>, nn::GlobalAvgPool2D);
/// type Net = nn::TwoHeads<Trunk, nn::Linear<8, 10>, nn::Linear<8, 2>>;
///
/// let dev = Cpu::seed_from_u64(0);
/// let net = dev.build_module::<Net, f32>();
/// let images: Tensor<Rank4<3, 1, 8, 8>, f32, _> = dev.sample_normal();
/// let places: Tensor<Rank2<3, 2>, f32, _> = dev.sample_uniform();
/// let (logits, found) = net.forward(images.track());
/// let mut gradients = try_backward(cross_entropy(logits, &[3, 7, 0]) + mse_loss(found, places))?;
/// assert!(gradients.reached(&net.trunk.0.weight) && gradients.reached(&net.second.weight));
/// # Ok::<(), pvlu::Error>(())
/// ```
///
/// Shapes: what the trunk takes; a pair of what the heads give.
#[derive(Clone, Debug, Default)]
pub struct TwoHeads<T, A, B> {
    /// From images to features.
    pub trunk: T,
    /// From features to the first output.
    pub first: A,
    /// From features to the second output.
    pub second: B,
}

/// The steps into the heads.
const FIRST: &str = "first";
const SECOND: &str = "second";

impl<T: BuildOnDevice<D, E>, A: BuildOnDevice<D, E>, B: BuildOnDevice<D, E>, E: Dtype, D: Device<E>> BuildOnDevice<D, E>
    for TwoHeads<T, A, B>
where
    TwoHeads<T::Built, A::Built, B::Built>: dfdx::nn::BuildModule<D, E>,
{
    type Built = TwoHeads<T::Built, A::Built, B::Built>;
}

impl<T, A, B, E: Dtype, D: Device<E>> TensorCollection<E, D> for TwoHeads<T, A, B>
where
    T: TensorCollection<E, D>,
    A: TensorCollection<E, D>,
    B: TensorCollection<E, D>,
{
    type To<E2: Dtype, D2: Device<E2>> = TwoHeads<T::To<E2, D2>, A::To<E2, D2>, B::To<E2, D2>>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        let [first, second] = [FIRST, SECOND].map(|head| format!("{}.{head}", Part::Head.name()));
        visitor.visit_fields(
            (
                Self::module(Part::Trunk.name(), |s| &s.trunk, |s| &mut s.trunk),
                Self::module(&first, |s| &s.first, |s| &mut s.first),
                Self::module(&second, |s| &s.second, |s| &mut s.second),
            ),
            |(trunk, first, second)| TwoHeads { trunk, first, second },
        )
    }
}

impl<T: Visit<E, D>, A: Visit<E, D>, B: Visit<E, D>, E: Unit, D: Storage<E>> Visit<E, D> for TwoHeads<T, A, B> {
    fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor<E, D>) -> Result<(), Error> {
        path.step(Part::Trunk.name(), |path| self.trunk.visit(path, visitor))?;
        path.step(Part::Head.name(), |path| {
            path.step(FIRST, |path| self.first.visit(path, visitor))?;
            path.step(SECOND, |path| self.second.visit(path, visitor))
        })
    }
    fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<E, D>) -> Result<(), Error> {
        path.step(Part::Trunk.name(), |path| self.trunk.visit_mut(path, visitor))?;
        path.step(Part::Head.name(), |path| {
            path.step(FIRST, |path| self.first.visit_mut(path, visitor))?;
            path.step(SECOND, |path| self.second.visit_mut(path, visitor))
        })
    }
    /// The extent returned is that of the second output.
    fn summarize(
        &self,
        path: &mut Path,
        input: Extent,
        show: &mut dyn FnMut(LayerSummary<'_>),
    ) -> Result<Extent, Error> {
        let features = path.step(Part::Trunk.name(), |path| self.trunk.summarize(path, input, show))?;
        path.step(Part::Head.name(), |path| {
            path.step(FIRST, |path| self.first.summarize(path, features, show))?;
            path.step(SECOND, |path| self.second.summarize(path, features, show))
        })
    }
}

impl<T, A, B, E: Dtype, D: Device<E>> SwapActivation<E, D> for TwoHeads<T, A, B>
where
    T: SwapActivation<E, D>,
    A: SwapActivation<E, D>,
    B: SwapActivation<E, D>,
{
    type Swapped<Other: Activation> = TwoHeads<T::Swapped<Other>, A::Swapped<Other>, B::Swapped<Other>>;

    fn try_swap_activation_on<Other: Activation>(self, device: &D) -> Result<Self::Swapped<Other>, Error> {
        let trunk = self.trunk.try_swap_activation_on::<Other>(device)?;
        let first = self.first.try_swap_activation_on::<Other>(device)?;
        Ok(TwoHeads { trunk, first, second: self.second.try_swap_activation_on::<Other>(device)? })
    }
}

impl<X, T, A, B, S: Shape, E: Dtype, D: Backend<E>, Tape: Track<E, D>> Module<X> for TwoHeads<T, A, B>
where
    T: Module<X, Output = Tensor<S, E, D, Tape>, Error = Error>,
    A: Module<Tensor<S, E, D, Tape>, Error = Error>,
    B: Module<Tensor<S, E, D, Tape>, Error = Error>,
{
    type Output = (A::Output, B::Output);
    type Error = Error;

    fn try_forward(&self, x: X) -> Result<Self::Output, Error> {
        let (features, again) = fork(self.trunk.try_forward(x)?);
        Ok((self.first.try_forward(features)?, self.second.try_forward(again)?))
    }
}

impl<X, T, A, B, S: Shape, E: Dtype, D: Backend<E>, Tape: Track<E, D>> ModuleMut<X> for TwoHeads<T, A, B>
where
    T: ModuleMut<X, Output = Tensor<S, E, D, Tape>, Error = Error>,
    A: ModuleMut<Tensor<S, E, D, Tape>, Error = Error>,
    B: ModuleMut<Tensor<S, E, D, Tape>, Error = Error>,
{
    type Output = (A::Output, B::Output);
    type Error = Error;

    fn try_forward_mut(&mut self, x: X) -> Result<Self::Output, Error> {
        let (features, again) = fork(self.trunk.try_forward_mut(x)?);
        Ok((self.first.try_forward_mut(features)?, self.second.try_forward_mut(again)?))
    }
}
