//! Pooling over the whole image.

use dfdx::nn::{Module, NonMutableModule, ZeroSizedModule};
use dfdx::shapes::{Const, Dim, Dtype, HasShape};
use dfdx::tensor::{Cpu, CpuError, Tensor};

use super::apply::{Keep, Operation, Pass, apply};
use super::outline::{Extent, LayerKind};
use super::walk::nothing_to_walk;
use crate::error::Error;
use crate::kernel::Element;
use crate::tape::{Flow, Track};

/// The mean of each channel over the image.
///
/// Shapes: `(B, C, H, W)` to `(B, C)`. The mean of an image without pixels is NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GlobalAvgPool2D;

impl ZeroSizedModule for GlobalAvgPool2D {}
impl NonMutableModule for GlobalAvgPool2D {}
nothing_to_walk!([] GlobalAvgPool2D, |input: Extent| {
    (LayerKind::GlobalPool2D, Ok(Extent::features(input.channels())))
});

impl<B: Dim, const C: usize, H: Dim, W: Dim, E: Element + Dtype, T: Track<E, Cpu>>
    Module<Tensor<(B, Const<C>, H, W), E, Cpu, T>> for GlobalAvgPool2D
{
    type Output = Tensor<(B, Const<C>), E, Cpu, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<(B, Const<C>, H, W), E, Cpu, T>) -> Result<Self::Output, Error> {
        let (batch, _, height, width) = *x.shape();
        let (planes, pixels) = (batch.size() * C, height.size() * width.size());
        apply(x, (batch, Const), Box::new(Mean { planes, pixels }))
    }
}

/// One application.
struct Mean {
    planes: usize,
    pixels: usize,
}

impl<E: Element + Dtype> Operation<E> for Mean {
    fn kind(&self) -> &'static str {
        "global pool"
    }
    fn output_len(&self) -> usize {
        self.planes
    }
    fn keeps(&self) -> Keep {
        Keep::Nothing
    }
    fn forward(&mut self, x: &[E], y: &mut [E], _: bool) {
        (E::cpu().global_average_pool)(self.pixels, x, y);
    }
    fn backward(&self, pass: Pass<'_, E>, flow: &mut Flow<'_, E, Cpu>) -> Result<(), CpuError> {
        let Pass { cotangent, input, .. } = pass;
        if let Some(input) = input {
            input.give(flow, |grad_x, write| {
                (E::cpu().global_average_pool_backward)(self.pixels, &cotangent, grad_x, write);
            })?;
        }
        Ok(())
    }
}
