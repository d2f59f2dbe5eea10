//! Losses.

use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{Const, Dim, Dtype, HasShape, Rank0};
use dfdx::tensor::{Cpu, Tape, Tensor, TensorFromVec};

use crate::error::Error;
use crate::kernel::{Element, view};
use crate::layer::contiguous::contiguous;
use crate::tape::{Place, Track};

/// Mean over the batch of `-log softmax(logits)[label]`, in natural units.
///
/// Shapes: logits `(B, CLASSES)` before softmax, one class index a row. Forward and backward are one fused kernel. The
/// loss of an empty batch is 0; logits that are not finite give a loss that is not finite.
///
/// Errors: [`Error::LabelCount`], [`Error::Label`].
pub fn try_cross_entropy<B: Dim, const CLASSES: usize, E: Element + Dtype, T: Track<E, Cpu>>(
    logits: Tensor<(B, Const<CLASSES>), E, Cpu, T>,
    labels: &[usize],
) -> Result<Tensor<Rank0, E, Cpu, T>, Error> {
    let rows = logits.shape().0.size();
    if labels.len() != rows {
        return Err(Error::LabelCount { rows, labels: labels.len() });
    }
    if let Some((index, &label)) = labels.iter().enumerate().find(|(_, label)| **label >= CLASSES) {
        return Err(Error::Label { index, label, classes: CLASSES });
    }
    let (logits, mut tape) = contiguous(logits)?.split_tape();
    let values = view::read(&logits);
    let mut grad_logits = vec![E::default(); values.len()];
    let loss = (E::cpu().cross_entropy)(&values, CLASSES, labels, &mut grad_logits);
    drop(values);
    let loss: Tensor<Rank0, E, Cpu> = logits.device().try_tensor_from_vec(vec![E::of(loss)], ())?;
    if <T as Tape<E, Cpu>>::OWNS_TAPE && tape.requires_grad() {
        let (logits, total) = (Place::of(&logits), Place::of(&loss));
        tape.record(&[], move |flow| {
            let cotangent = total.take(flow)?[0];
            grad_logits.iter_mut().for_each(|g| *g *= cotangent);
            logits.hand_over(flow, grad_logits)
        });
    }
    Ok(loss.put_tape(tape))
}

/// [`try_cross_entropy`] that panics on an error.
pub fn cross_entropy<B: Dim, const CLASSES: usize, E: Element + Dtype, T: Track<E, Cpu>>(
    logits: Tensor<(B, Const<CLASSES>), E, Cpu, T>,
    labels: &[usize],
) -> Tensor<Rank0, E, Cpu, T> {
    try_cross_entropy(logits, labels).unwrap_or_else(|error| panic!("cross entropy: {error}"))
}
