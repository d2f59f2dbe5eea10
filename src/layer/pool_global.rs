//! Pooling over the whole image.

use dfdx::nn::{Module, NonMutableModule, ZeroSizedModule};
use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{Const, Dim, Dtype, HasShape};
use dfdx::tensor::{Cpu, Tape, Tensor};

use super::contiguous::contiguous;
use super::walk::nothing_to_walk;
use super::{take, tensor};
use crate::error::Error;
use crate::kernel::cpu::pool2d;
use crate::kernel::{Element, view};
use crate::tape::Track;

/// The mean of each channel over the image.
///
/// Shapes: `(B, C, H, W)` to `(B, C)`. The mean of an image without pixels is NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GlobalAvgPool2D;

impl ZeroSizedModule for GlobalAvgPool2D {}
impl NonMutableModule for GlobalAvgPool2D {}
nothing_to_walk!([] GlobalAvgPool2D);

impl<B: Dim, const C: usize, H: Dim, W: Dim, E: Element + Dtype, T: Track<E, Cpu>>
    Module<Tensor<(B, Const<C>, H, W), E, Cpu, T>> for GlobalAvgPool2D
{
    type Output = Tensor<(B, Const<C>), E, Cpu, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<(B, Const<C>, H, W), E, Cpu, T>) -> Result<Self::Output, Error> {
        let x = contiguous(x)?;
        let (batch, _, height, width) = *x.shape();
        let inner = height.size() * width.size();
        let (x, mut tape) = x.split_tape();
        let mut y = vec![E::default(); batch.size() * C];
        pool2d::global_average_pool(inner, &view::read(&x), &mut y);
        let y = tensor(x.device(), y, (batch, Const))?;
        if <T as Tape<E, Cpu>>::OWNS_TAPE && tape.requires_grad() {
            let (x_ghost, y_ghost) = (x.ghost(), y.ghost());
            tape.record(&[], move |grads| {
                let cotangent = take(grads.get_or_alloc_mut(&y_ghost)?);
                pool2d::global_average_pool_backward(inner, &cotangent, grads.get_or_alloc_mut(&x_ghost)?);
                Ok(())
            });
        }
        Ok(y.put_tape(tape))
    }
}
