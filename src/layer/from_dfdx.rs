//! Modules of dfdx's among these layers.

use dfdx::nn::{Module, NonMutableModule, ZeroSizedModule};
use dfdx::shapes::{Dtype, Shape};
use dfdx::tensor::{Storage, Tensor};

use super::layer_summary::{Extent, LayerKind};
use super::visit::nothing_to_visit;
use crate::error::Error;

/// A module of dfdx's that has no tensors and keeps the shape, `FromDfdx<Tanh>`: its activations, softmax among them.
/// It differs from `M` in its error, which a tuple wants to be that of the other layers, and can be visited.
///
/// Shapes: any, to the same. dfdx computes it, by several passes and with the system's elementary functions, and its
/// tape does not know what is frozen: where it takes part, all gradients from the loss down to it are kept in dfdx's
/// collection. [`Act`](super::builder::Act) is one fused kernel. [`SwapActivation`](super::SwapActivation) leaves it
/// as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FromDfdx<M>(pub M);

impl<M: ZeroSizedModule> ZeroSizedModule for FromDfdx<M> {}
impl<M: ZeroSizedModule + NonMutableModule> NonMutableModule for FromDfdx<M> {}
nothing_to_visit!([M: ZeroSizedModule] FromDfdx<M>, |input: Extent| (LayerKind::Dfdx { name: name::<M>() }, Ok(input)));

/// The type's name without the path to it.
fn name<M>() -> &'static str {
    let name = std::any::type_name::<M>();
    let path = name.split('<').next().unwrap_or(name);
    path.rfind("::").map_or(name, |end| &name[end + 2..])
}

impl<M, S: Shape, E: Dtype, D: Storage<E>, T> Module<Tensor<S, E, D, T>> for FromDfdx<M>
where
    M: ZeroSizedModule + NonMutableModule + Module<Tensor<S, E, D, T>, Output = Tensor<S, E, D, T>>,
    M::Error: std::fmt::Display,
{
    type Output = Tensor<S, E, D, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<S, E, D, T>) -> Result<Self::Output, Error> {
        self.0.try_forward(x).map_err(Error::device)
    }
}
