//! Row-major order for kernels: a copy of a permuted or broadcast input, recorded on its tape.

use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{HasShape, Shape};
use dfdx::tensor::{Cpu, Tensor};

use super::tensor;
use crate::error::Error;
use crate::kernel::{Element, view};
use crate::tape::{Place, Track};

/// The tensor itself where it is contiguous, else a contiguous copy of it.
///
/// dfdx lays the gradient of a tensor out like its storage; the copy's gradient is added there, element by element.
pub(crate) fn contiguous<S: Shape, E: Element + dfdx::shapes::Unit, T: Track<E, Cpu>>(
    x: Tensor<S, E, Cpu, T>,
) -> Result<Tensor<S, E, Cpu, T>, Error> {
    let Some(offsets) = view::offsets(&x) else { return Ok(x) };
    let (x, mut tape) = x.split_tape();
    let y = tensor(x.device(), view::read(&x).into_owned(), *x.shape())?;
    if T::OWNS_TAPE && tape.requires_grad() {
        let (x_ghost, place) = (x.ghost(), Place::of(&y));
        tape.record(&[], move |flow| {
            let cotangent = place.take(flow)?;
            // A tensor that is not contiguous is a leaf or comes out of an operation of dfdx's own.
            let grad_x = flow.gradients().get_or_alloc_mut(&x_ghost)?;
            for (&offset, &g) in offsets.iter().zip(&cotangent) {
                grad_x[offset] = grad_x[offset] + g;
            }
            Ok(())
        });
    }
    Ok(y.put_tape(tape))
}
