//! From images to features.

use dfdx::nn::{Module, NonMutableModule, ZeroSizedModule};
use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{Const, Dim, Dtype, HasShape};
use dfdx::tensor::{Cpu, Tape, Tensor};

use super::contiguous::contiguous;
use super::walk::nothing_to_walk;
use super::{take, tensor};
use crate::dim::Is;
use crate::error::Error;
use crate::kernel::cpu::add::add_assign;
use crate::kernel::{Element, view};
use crate::tape::Track;

/// Lays images of `C` channels, `H` rows and `W` columns out as `WIDTH = C * H * W` features, channel by channel.
///
/// Shapes: `(B, C, H, W)` to `(B, WIDTH)`. Height and width are each `Const`, where another size is a compile error, or
/// `usize`, where it is an [`Error::Shape`]. A `WIDTH` that is not the product does not compile either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flatten2D<const C: usize, const H: usize, const W: usize, const WIDTH: usize>;

impl<const C: usize, const H: usize, const W: usize, const WIDTH: usize> Flatten2D<C, H, W, WIDTH> {
    const WIDTH_IS_THE_PRODUCT: () = assert!(C * H * W == WIDTH);
}

impl<const C: usize, const H: usize, const W: usize, const WIDTH: usize> ZeroSizedModule for Flatten2D<C, H, W, WIDTH> {}
impl<const C: usize, const H: usize, const W: usize, const WIDTH: usize> NonMutableModule
    for Flatten2D<C, H, W, WIDTH>
{
}
nothing_to_walk!([const C: usize, const H: usize, const W: usize, const WIDTH: usize] Flatten2D<C, H, W, WIDTH>);

impl<const C: usize, const H: usize, const W: usize, const WIDTH: usize, B, Height, Width, E, T>
    Module<Tensor<(B, Const<C>, Height, Width), E, Cpu, T>> for Flatten2D<C, H, W, WIDTH>
where
    B: Dim,
    Height: Is<H>,
    Width: Is<W>,
    E: Element + Dtype,
    T: Track<E, Cpu>,
{
    type Output = Tensor<(B, Const<WIDTH>), E, Cpu, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<(B, Const<C>, Height, Width), E, Cpu, T>) -> Result<Self::Output, Error> {
        let () = Self::WIDTH_IS_THE_PRODUCT;
        let x = contiguous(x)?;
        let (batch, _, height, width) = *x.shape();
        height.try_is()?;
        width.try_is()?;
        let (x, mut tape) = x.split_tape();
        let y = tensor(x.device(), view::read(&x).into_owned(), (batch, Const))?;
        if <T as Tape<E, Cpu>>::OWNS_TAPE && tape.requires_grad() {
            let (x_ghost, y_ghost) = (x.ghost(), y.ghost());
            tape.record(&[], move |grads| {
                let cotangent = take(grads.get_or_alloc_mut(&y_ghost)?);
                add_assign(grads.get_or_alloc_mut(&x_ghost)?, &cotangent);
                Ok(())
            });
        }
        Ok(y.put_tape(tape))
    }
}
