//! Images enlarged by repeating rows and columns.

use dfdx::nn::{Module, NonMutableModule, ZeroSizedModule};
use dfdx::shapes::{Const, Dim, Dtype, HasShape};
use dfdx::tensor::Tensor;

use super::apply::{Keep, Operation, Pass, apply};
use super::layer_summary::{Extent, LayerKind};
use super::visit::nothing_to_visit;
use crate::backend::Backend;
use crate::dim::Enlarge;
use crate::error::Error;
use crate::kernel::shape::MAX_KERNEL;
use crate::kernel::shape::Upsample;
use crate::tape::{Flow, Track};

/// Repeats every row and every column `F` times: the nearest neighbor, as torch's `Upsample(scale_factor=F)` and Keras'
/// `UpSampling2D(F)`.
///
/// Shapes: `(B, C, H, W)` to `(B, C, F H, F W)`. Height and width are each `usize`, or, with `F = 2`, `Const` up to
/// 128. `F` is 1 to 15; another does not compile.
///
/// Joined with a map of an odd side, which a pool has rounded down, it does not fit:
///
/// ```compile_fail,E0277
/// use dfdx::prelude::*;
/// use pvlu::prelude::*;
///
/// type Level = (nn::Branches<(nn::Identity, (nn::MaxPool2D<2, 2>, nn::Upsample2D<2>))>, nn::Concat<6>);
///
/// let dev = Cpu::seed_from_u64(0);
/// let net = dev.build_module::<Level, f32>();
/// let images: Tensor<Rank4<2, 3, 5, 5>, f32, _> = dev.sample_normal();
/// net.forward(images);
/// ```
///
/// ```
/// use dfdx::prelude::*;
/// use pvlu::prelude::*;
///
/// let dev = Cpu::default();
/// let layer = dev.build_module::<nn::Upsample2D<2>, f32>();
/// let y = layer.forward(dev.tensor([[[[1.0, 2.0]]]]));
/// assert_eq!(y.array(), [[[[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]]]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upsample2D<const F: usize>;

impl<const F: usize> ZeroSizedModule for Upsample2D<F> {}
impl<const F: usize> NonMutableModule for Upsample2D<F> {}
nothing_to_visit!([const F: usize] Upsample2D<F>, |input: Extent| {
    let output = match input {
        Extent::Image { channels, height, width } => Ok(Extent::image(channels, F * height, F * width)),
        Extent::Features { width } => Err(Error::Shape { expected: F, found: width }),
        Extent::Several(several) => Err(Error::TensorCount { expected: "one", found: several.parts().len() }),
    };
    (LayerKind::Upsample2D { factor: F }, output)
});

impl<const F: usize, const C: usize, B, H, W, E, D, T> Module<Tensor<(B, Const<C>, H, W), E, D, T>> for Upsample2D<F>
where
    B: Dim,
    H: Enlarge<F>,
    W: Enlarge<F>,
    E: Dtype,
    D: Backend<E>,
    T: Track<E, D>,
{
    type Output = Tensor<(B, Const<C>, H::Out, W::Out), E, D, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<(B, Const<C>, H, W), E, D, T>) -> Result<Self::Output, Error> {
        const { assert!(F >= 1 && F <= MAX_KERNEL, "a factor of 1 to 15") };
        let (batch, _, height, width) = *x.shape();
        let shape = Upsample { planes: batch.size() * C, height: height.size(), width: width.size(), factor: F };
        apply(x, (batch, Const, height.enlarge(), width.enlarge()), Box::new(shape))
    }
}

impl<E: Dtype, D: Backend<E>> Operation<E, D> for Upsample {
    fn kind(&self) -> &'static str {
        "upsample"
    }
    fn keeps(&self) -> Keep {
        Keep::Nothing
    }
    fn forward(&mut self, device: &D, x: D::View<'_>, y: D::ViewMut<'_>, _: bool) -> Result<(), D::Err> {
        device.upsample(*self, x, y)
    }
    fn backward(&self, pass: Pass<'_, E, D>, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        let Pass { device, grad_output, input, .. } = pass;
        if let Some(input) = input {
            let grad_output = D::memory(&grad_output);
            input.give(flow, |grad_x, write| device.upsample_backward(*self, grad_output, grad_x, write))?;
        }
        Ok(())
    }
}
