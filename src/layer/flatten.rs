//! From images to features.

use dfdx::nn::{Module, NonMutableModule, ZeroSizedModule};
use dfdx::shapes::{Const, Dim, Dtype, HasShape};
use dfdx::tensor::Tensor;

use super::apply::{Keep, Operation, Pass, apply};
use super::layer_summary::{Extent, LayerKind};
use super::visit::nothing_to_visit;
use crate::backend::Backend;
use crate::dim::Is;
use crate::error::Error;
use crate::tape::{Flow, Track};

/// Lays images of `C` channels, `H` rows and `W` columns out as `WIDTH = C * H * W` features, channel by channel.
///
/// Shapes: `(B, C, H, W)` to `(B, WIDTH)`. Height and width are each `Const`, where another size is a compile error, or
/// `usize`, where it is an [`Error::Shape`]. A `WIDTH` that is not the product does not compile either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flatten2D<const C: usize, const H: usize, const W: usize, const WIDTH: usize>;

impl<const C: usize, const H: usize, const W: usize, const WIDTH: usize> Flatten2D<C, H, W, WIDTH> {
    const WIDTH_IS_THE_PRODUCT: () = assert!(C * H * W == WIDTH);
}

impl<const C: usize, const H: usize, const W: usize, const N: usize> ZeroSizedModule for Flatten2D<C, H, W, N> {}
impl<const C: usize, const H: usize, const W: usize, const WIDTH: usize> NonMutableModule
    for Flatten2D<C, H, W, WIDTH>
{
}
nothing_to_visit!(
    [const C: usize, const H: usize, const W: usize, const WIDTH: usize] Flatten2D<C, H, W, WIDTH>,
    |input: Extent| {
        let found = input.elements();
        let fits = input == Extent::image(C, H, W);
        let output = if fits { Ok(Extent::features(WIDTH)) } else { Err(Error::Shape { expected: WIDTH, found }) };
        (LayerKind::Flatten, output)
    }
);

impl<const C: usize, const H: usize, const W: usize, const WIDTH: usize, B, Height, Width, E, D, T>
    Module<Tensor<(B, Const<C>, Height, Width), E, D, T>> for Flatten2D<C, H, W, WIDTH>
where
    B: Dim,
    Height: Is<H>,
    Width: Is<W>,
    E: Dtype,
    D: Backend<E>,
    T: Track<E, D>,
{
    type Output = Tensor<(B, Const<WIDTH>), E, D, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<(B, Const<C>, Height, Width), E, D, T>) -> Result<Self::Output, Error> {
        let () = Self::WIDTH_IS_THE_PRODUCT;
        let (batch, _, height, width) = *x.shape();
        height.try_is()?;
        width.try_is()?;
        apply(x, (batch, Const), Box::new(Relabel))
    }
}

struct Relabel;

impl<E: Dtype, D: Backend<E>> Operation<E, D> for Relabel {
    fn kind(&self) -> &'static str {
        "flatten"
    }
    fn keeps(&self) -> Keep {
        Keep::Nothing
    }
    fn forward(&mut self, device: &D, x: D::View<'_>, y: D::ViewMut<'_>, _: bool) -> Result<(), D::Err> {
        device.copy(x, y)
    }
    fn backward(&self, pass: Pass<'_, E, D>, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        let Pass { grad_output, input, .. } = pass;
        if let Some(input) = input {
            input.hand_over(flow, grad_output)?;
        }
        Ok(())
    }
}
