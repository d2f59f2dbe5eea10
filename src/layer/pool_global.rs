//! Pooling over the whole image.

use dfdx::nn::{Module, NonMutableModule, ZeroSizedModule};
use dfdx::shapes::{Const, Dim, Dtype, HasShape};
use dfdx::tensor::Tensor;

use super::apply::{Keep, Operation, Pass, apply};
use super::layer_summary::{Extent, LayerKind};
use super::visit::nothing_to_visit;
use crate::backend::Backend;
use crate::error::Error;
use crate::tape::{Flow, Track};

/// The mean of each channel over the image.
///
/// Shapes: `(B, C, H, W)` to `(B, C)`. The mean of an image without pixels is NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GlobalAvgPool2D;

impl ZeroSizedModule for GlobalAvgPool2D {}
impl NonMutableModule for GlobalAvgPool2D {}
nothing_to_visit!([] GlobalAvgPool2D, |input: Extent| {
    (LayerKind::GlobalPool2D, Ok(Extent::features(input.channels())))
});

impl<B: Dim, const C: usize, H: Dim, W: Dim, E: Dtype, D: Backend<E>, T: Track<E, D>>
    Module<Tensor<(B, Const<C>, H, W), E, D, T>> for GlobalAvgPool2D
{
    type Output = Tensor<(B, Const<C>), E, D, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<(B, Const<C>, H, W), E, D, T>) -> Result<Self::Output, Error> {
        let (batch, _, height, width) = *x.shape();
        apply(x, (batch, Const), Box::new(Mean { pixels: height.size() * width.size() }))
    }
}

struct Mean {
    pixels: usize,
}

impl<E: Dtype, D: Backend<E>> Operation<E, D> for Mean {
    fn kind(&self) -> &'static str {
        "global pool"
    }
    fn keeps(&self) -> Keep {
        Keep::Nothing
    }
    fn forward(&mut self, device: &D, x: D::View<'_>, y: D::ViewMut<'_>, _: bool) -> Result<(), D::Err> {
        device.global_average_pool(self.pixels, x, y)
    }
    fn backward(&self, pass: Pass<'_, E, D>, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        let Pass { device, grad_output, input, .. } = pass;
        if let Some(input) = input {
            input.give(flow, |grad_x, write| {
                device.global_average_pool_backward(self.pixels, D::memory(&grad_output), grad_x, write)
            })?;
        }
        Ok(())
    }
}
