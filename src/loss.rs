//! Cross-entropy losses over class labels.

use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{Dim, Dtype, HasShape, Rank0};
use dfdx::tensor::{Tape, Tensor};

use crate::backend::Backend;
use crate::error::Error;
use crate::shard;
use crate::tape::{Place, Track};

/// Checks that there is a label for each of `rows` rows of logits, and that each is below `classes`.
///
/// # Errors
///
/// [`Error::LabelCount`], [`Error::Label`].
pub fn check_labels(labels: &[usize], rows: usize, classes: usize) -> Result<(), Error> {
    if labels.len() != rows {
        return Err(Error::LabelCount { rows, labels: labels.len() });
    }
    match labels.iter().enumerate().find(|(_, label)| **label >= classes) {
        Some((index, &label)) => Err(Error::Label { index, label, classes }),
        None => Ok(()),
    }
}

/// Mean over the batch of `-log softmax(logits)[label]`, in natural units.
///
/// Shapes: logits `(B, classes)` before softmax, one class index a row. Forward and backward are one fused kernel. The
/// loss of an empty batch is 0; logits that are not finite give a loss that is not finite. Of a [shard]
/// it is the part in the mean over the batch.
///
/// Errors: [`Error::LabelCount`], [`Error::Label`].
pub fn try_cross_entropy<B: Dim, C: Dim, E: Dtype, D: Backend<E>, T: Track<E, D>>(
    logits: Tensor<(B, C), E, D, T>,
    labels: &[usize],
) -> Result<Tensor<Rank0, E, D, T>, Error> {
    try_cross_entropy_smoothed(logits, labels, 0.0)
}

/// The cross-entropy with smoothed labels (Szegedy et al. 2016, section 7): the mean over the batch of `-sum_c q_c log
/// softmax(logits)[c]` with `q_c = smoothing / classes`, and at the label `1 - smoothing` more. PyTorch's
/// `CrossEntropyLoss(label_smoothing=smoothing)`.
///
/// With a smoothing of 0 it is [`try_cross_entropy`], to the bit.
///
/// Errors: [`Error::LabelCount`], [`Error::Label`]; [`Error::Smoothing`] if `smoothing` is not from 0 to 1.
pub fn try_cross_entropy_smoothed<B: Dim, C: Dim, E: Dtype, D: Backend<E>, T: Track<E, D>>(
    logits: Tensor<(B, C), E, D, T>,
    labels: &[usize],
    smoothing: f64,
) -> Result<Tensor<Rank0, E, D, T>, Error> {
    try_cross_entropy_mixed(logits, &Targets { labels, smoothing, mixed: None })
}

/// The labels of a batch, and how much each of them counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Targets<'a> {
    /// A class for each row of logits.
    pub labels: &'a [usize],
    /// Share of label smoothing, from 0 to 1: see [`try_cross_entropy_smoothed`].
    pub smoothing: f64,
    /// A second class for each row, and the share of the first one, from 0 to 1: for batches of images that are mixed
    /// of two.
    pub mixed: Option<(&'a [usize], f64)>,
}

/// The cross-entropy of batches whose images are mixed of two (mixup, Zhang et al. 2018, section 2): `share` times the
/// loss at the first labels and `1 - share` times that at the second ones, each [smoothed](try_cross_entropy_smoothed).
///
/// Without second labels it is [`try_cross_entropy_smoothed`], to the bit. Of a [shard] it is the part in
/// the mean over the batch.
///
/// Errors: [`Error::LabelCount`], [`Error::Label`]; [`Error::Smoothing`] and [`Error::MixedShare`] of a share that is
/// not from 0 to 1.
pub fn try_cross_entropy_mixed<B: Dim, C: Dim, E: Dtype, D: Backend<E>, T: Track<E, D>>(
    logits: Tensor<(B, C), E, D, T>,
    targets: &Targets<'_>,
) -> Result<Tensor<Rank0, E, D, T>, Error> {
    let &Targets { labels, smoothing, mixed } = targets;
    if !(0.0..=1.0).contains(&smoothing) {
        return Err(Error::Smoothing { found: smoothing.to_string() });
    }
    let (rows, classes) = (logits.shape().0.size(), logits.shape().1.size());
    check_labels(labels, rows, classes)?;
    let (logits, mut tape) = D::try_contiguous(logits)?.split_tape();
    let device = logits.device();
    let loss_at = |labels: &[usize]| {
        let mut grad_logits = device.try_unspecified(rows * classes).map_err(Error::device)?;
        let gradient = D::memory_mut(&mut grad_logits);
        let loss = device.cross_entropy(D::view(&D::read(&logits)), classes, labels, smoothing, gradient);
        Ok::<_, Error>((loss.map_err(Error::device)?, grad_logits))
    };
    let (mut loss, mut grad_logits) = loss_at(labels)?;
    if let Some((others, share)) = mixed {
        if !(0.0..=1.0).contains(&share) {
            return Err(Error::MixedShare { found: share.to_string() });
        }
        check_labels(others, rows, classes)?;
        let (loss_of_others, mut grad_of_others) = loss_at(others)?;
        loss = share * loss + (1.0 - share) * loss_of_others;
        for (gradient, share) in [(&mut grad_logits, share), (&mut grad_of_others, 1.0 - share)] {
            let share = E::from_f64(share).unwrap_or_default();
            device.scale(D::memory_mut(gradient), share).map_err(Error::device)?;
        }
        let of_others = D::memory(&grad_of_others);
        device.add_assign(D::memory_mut(&mut grad_logits), of_others).map_err(Error::device)?;
    }
    // The part of a shard in the mean over its batch.
    if let Some(shard) = shard::current() {
        let share = shard.share();
        loss *= share;
        let share = E::from_f64(share).unwrap_or_default();
        device.scale(D::memory_mut(&mut grad_logits), share).map_err(Error::device)?;
    }
    // Both element types that a device has kernels for hold it, rounded once.
    let loss = E::from_f64(loss).unwrap_or_default();
    let loss: Tensor<Rank0, E, D> = device.try_tensor_from_vec(vec![loss], ()).map_err(Error::device)?;
    if <T as Tape<E, D>>::OWNS_TAPE && tape.requires_grad() {
        let (logits, total) = (Place::of(&logits), Place::of(&loss));
        tape.record(&[], move |flow| {
            let device = total.device();
            let grad_output = device.try_to_host(D::memory(&total.take(flow)?))?[0];
            device.scale(D::memory_mut(&mut grad_logits), grad_output)?;
            logits.hand_over(flow, grad_logits)
        });
    }
    Ok(loss.put_tape(tape))
}

impl<'a> Targets<'a> {
    /// Labels that count alone, without smoothing.
    #[must_use]
    pub fn of(labels: &'a [usize]) -> Self {
        Self { labels, smoothing: 0.0, mixed: None }
    }
}

/// [`try_cross_entropy`] that panics on an error.
pub fn cross_entropy<B: Dim, C: Dim, E: Dtype, D: Backend<E>, T: Track<E, D>>(
    logits: Tensor<(B, C), E, D, T>,
    labels: &[usize],
) -> Tensor<Rank0, E, D, T> {
    try_cross_entropy(logits, labels).unwrap_or_else(|error| panic!("cross entropy: {error}"))
}

/// [`try_cross_entropy_smoothed`] that panics on an error.
pub fn cross_entropy_smoothed<B: Dim, C: Dim, E: Dtype, D: Backend<E>, T: Track<E, D>>(
    logits: Tensor<(B, C), E, D, T>,
    labels: &[usize],
    smoothing: f64,
) -> Tensor<Rank0, E, D, T> {
    try_cross_entropy_smoothed(logits, labels, smoothing).unwrap_or_else(|error| panic!("cross entropy: {error}"))
}
