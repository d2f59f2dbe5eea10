//! The shortcut without parameters.

use dfdx::nn::{Module, NonMutableModule, ZeroSizedModule};
use dfdx::shapes::{Const, Dim, Dtype, HasShape};
use dfdx::tensor::Tensor;

use super::apply::{Keep, Operation, Pass, apply};
use super::layer_summary::{Extent, LayerKind};
use super::visit::nothing_to_visit;
use crate::backend::Backend;
use crate::dim::Window;
use crate::error::Error;
use crate::kernel::shape::Subsample;
use crate::tape::{Flow, Track};

/// Takes every `S`-th row and column, and adds channels of zeros, half of them before the given ones and half after:
/// shortcut A of He et al. 2015 (section 3.3) as in Idelbayev's `pytorch_resnet_cifar10`.
///
/// Shapes: `(B, I, H, W)` to `(B, O, H', W')` with `H' = (H - 1) / S + 1`, rounded down. `O - I` is even and not
/// negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubsamplePad2D<const I: usize, const O: usize, const S: usize>;

impl<const I: usize, const O: usize, const S: usize> SubsamplePad2D<I, O, S> {
    const CHANNELS_ARE_ADDED_IN_HALVES: () = assert!(O >= I && (O - I).is_multiple_of(2));
}

impl<const I: usize, const O: usize, const S: usize> ZeroSizedModule for SubsamplePad2D<I, O, S> {}
impl<const I: usize, const O: usize, const S: usize> NonMutableModule for SubsamplePad2D<I, O, S> {}
nothing_to_visit!([const I: usize, const O: usize, const S: usize] SubsamplePad2D<I, O, S>, |input: Extent| {
    let output = input.expect_channels(I).and_then(|input| Ok(input.slide::<1, S, 0>()?.with_channels(O)));
    (LayerKind::Subsample { stride: S }, output)
});

impl<const I: usize, const O: usize, const S: usize, B, H, W, E, D, T> Module<Tensor<(B, Const<I>, H, W), E, D, T>>
    for SubsamplePad2D<I, O, S>
where
    B: Dim,
    H: Window<1, S, 0>,
    W: Window<1, S, 0>,
    E: Dtype,
    D: Backend<E>,
    T: Track<E, D>,
{
    type Output = Tensor<(B, Const<O>, H::Out, W::Out), E, D, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<(B, Const<I>, H, W), E, D, T>) -> Result<Self::Output, Error> {
        let () = Self::CHANNELS_ARE_ADDED_IN_HALVES;
        let (batch, _, height, width) = *x.shape();
        let out_shape = (batch, Const, height.try_slide()?, width.try_slide()?);
        let shape = Subsample {
            batch: batch.size(),
            in_channels: I,
            out_channels: O,
            height: height.size(),
            width: width.size(),
            stride: S,
        };
        apply(x, out_shape, Box::new(shape))
    }
}

impl<E: Dtype, D: Backend<E>> Operation<E, D> for Subsample {
    fn kind(&self) -> &'static str {
        "subsample"
    }
    fn keeps(&self) -> Keep {
        Keep::Nothing
    }
    fn forward(&mut self, device: &D, x: D::View<'_>, y: D::ViewMut<'_>, _: bool) -> Result<(), D::Err> {
        device.subsample(*self, x, y)
    }
    fn backward(&self, pass: Pass<'_, E, D>, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        let Pass { device, grad_output, input, .. } = pass;
        if let Some(input) = input {
            let grad_output = D::memory(&grad_output);
            input.give(flow, |grad_x, write| device.subsample_backward(*self, grad_output, grad_x, write))?;
        }
        Ok(())
    }
}
