//! A network that answers two questions about one image.

use dfdx::nn::{Module, ModuleMut};
use dfdx::shapes::{Dtype, Shape, Unit};
use dfdx::tensor::{Storage, Tensor};

use super::branches::fork;
use super::children;
use super::graph_builder::{GraphBuilder, Wires};
use super::parts::Part;
use super::visit::{Path, Visit};
use crate::backend::Backend;
use crate::container;
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
/// Shapes: the input of the trunk; a pair of the outputs of the heads.
#[derive(Clone, Debug, Default)]
pub struct TwoHeads<T, A, B> {
    /// The layers from images to features.
    pub trunk: T,
    /// The layers from features to the first output.
    pub first: A,
    /// The layers from features to the second output.
    pub second: B,
}

container!(
    TwoHeads { trunk: T = Part::Trunk.name(), first: A = "head.first", second: B = "head.second" },
    describe = describe_heads
);

/// Both heads take what the trunk gives.
fn describe_heads<E: Unit, D: Storage<E>>(
    path: &mut Path,
    input: Wires,
    graph: &mut GraphBuilder<'_>,
    parts: &[(&str, &dyn Visit<E, D>)],
) -> Result<Wires, Error> {
    let (trunk, heads) = parts.split_at(1);
    let features = children::describe(path, input, graph, trunk)?;
    children::describe_branches(path, features, graph, heads)
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
