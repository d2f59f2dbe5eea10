//! The branch without a layer.

use dfdx::nn::{Module, NonMutableModule, ZeroSizedModule};
use dfdx::shapes::{Dtype, Shape};
use dfdx::tensor::Tensor;

use super::layer_summary::{Extent, LayerKind};
use super::visit::nothing_to_visit;
use crate::backend::Backend;
use crate::error::Error;
use crate::tape::Track;

/// `y = x`, the same buffer: a skip connection among [`Branches`](super::Branches).
///
/// Shapes: any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity;

impl ZeroSizedModule for Identity {}
impl NonMutableModule for Identity {}
nothing_to_visit!([] Identity, |input: Extent| (LayerKind::Identity, Ok(input)));

impl<S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D>> Module<Tensor<S, E, D, T>> for Identity {
    type Output = Tensor<S, E, D, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<S, E, D, T>) -> Result<Self::Output, Error> {
        Ok(x)
    }
}
