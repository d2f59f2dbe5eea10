//! Losses.

use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{Const, Dim, Dtype, HasShape, Rank0};
use dfdx::tensor::{Cpu, Tape, Tensor, TensorFromVec};

use crate::error::Error;
use crate::kernel::{Element, view};
use crate::tape::Track;

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
    let offsets = view::offsets(&logits);
    let (logits, mut tape) = logits.split_tape();
    let values = view::read(&logits);
    let mut grad_logits = vec![E::default(); values.len()];
    let loss = (E::cpu().cross_entropy)(&values, CLASSES, labels, &mut grad_logits);
    drop(values);
    let loss: Tensor<Rank0, E, Cpu> = logits.device().try_tensor_from_vec(vec![E::of(loss)], ())?;
    if <T as Tape<E, Cpu>>::OWNS_TAPE && tape.requires_grad() {
        let (logits_ghost, loss_ghost) = (logits.ghost(), loss.ghost());
        tape.record(&[], move |grads| {
            let cotangent = grads.get_or_alloc_mut(&loss_ghost)?[0];
            let grad = grads.get_or_alloc_mut(&logits_ghost)?;
            for (i, &g) in grad_logits.iter().enumerate() {
                let at = offsets.as_ref().map_or(i, |offsets| offsets[i]);
                grad[at] += g * cotangent;
            }
            Ok(())
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
