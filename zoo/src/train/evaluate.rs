//! Evaluation over all images of a set.

use std::ops::ControlFlow;

use pvlu::Error;
use pvlu::kernel::cpu::CpuElement;
use pvlu::layer::Mode;

use super::mode::in_mode;
use super::{TrainError, ranks};
use crate::data::{Batch, Batches};
use crate::inference::Inference;
use crate::model::{Model, NotFinite, check_finite};

/// Accuracy and loss of a model on a split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Images evaluated: all of them, the last partial batch included.
    pub images: usize,
    /// Share of images whose largest logit is that of their label; NaN for an empty split.
    pub top1: f64,
    /// Share of images whose label is among the five largest logits.
    pub top5: f64,
    /// Mean cross-entropy, in natural units.
    pub loss: f64,
}

/// Evaluates a model on every image that a loader gives, in [`Mode::Eval`] and [compiled](Inference). `None` if
/// `interrupted` returned `Break`.
///
/// # Errors
///
/// An image that cannot be read, a label that is no class of the model, and an error of the model.
pub fn evaluate(
    model: &mut dyn Model,
    loader: &dyn Batches,
    interrupted: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<Option<Evaluation>, TrainError> {
    evaluate_as(model, loader, interrupted, false)
}

/// As [`evaluate`], for a model that is not being trained: a logit that is infinite or NaN is an error and not a wrong
/// answer.
///
/// # Errors
///
/// As for [`evaluate`], and [`TrainError::NotFinite`].
#[doc(hidden)]
pub fn evaluate_finite(
    model: &mut dyn Model,
    loader: &dyn Batches,
    interrupted: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<Option<Evaluation>, TrainError> {
    evaluate_as(model, loader, interrupted, true)
}

fn evaluate_as(
    model: &mut dyn Model,
    loader: &dyn Batches,
    interrupted: &mut dyn FnMut() -> ControlFlow<()>,
    finite: bool,
) -> Result<Option<Evaluation>, TrainError> {
    Ok(evaluate_all(model, [loader], interrupted, finite)?[0])
}

/// Evaluates a model on all images of each loader, compiled once for all of them, and not at all if there are none.
/// After an interrupt the rest is `None`.
pub(super) fn evaluate_all<const N: usize>(
    model: &mut dyn Model,
    loaders: [&dyn Batches; N],
    interrupted: &mut dyn FnMut() -> ControlFlow<()>,
    finite: bool,
) -> Result<[Option<Evaluation>; N], TrainError> {
    in_mode(model, Mode::Eval, |model| {
        let classes = model.classes();
        let any = loaders.iter().any(|loader| loader.batches() > 0);
        let inference = if any { Some(Inference::of(model)?) } else { None };
        let logits = |images| match &inference {
            Some(inference) => inference.logits(images),
            None => model.logits(images),
        };
        let own = ranks::evaluated();
        let all = loaders.map(|loader| {
            let own = own.clone();
            move || {
                let batches = own.map_or_else(|| loader.epoch(0), |own| loader.portion_from(0, 0, &own));
                batches.map(|batch| Ok(batch?))
            }
        });
        measure_all(classes, &logits, all, interrupted, finite)
    })
}

/// Compares the logits of the batches of each set with their labels; see [`measure`]. A set is opened when the one
/// before it is done.
pub(super) fn measure_all<const N: usize, I: Iterator<Item = Result<Batch, TrainError>>>(
    classes: usize,
    logits_of: &dyn Fn(Vec<f32>) -> Result<Vec<f32>, Error>,
    sets: [impl FnOnce() -> I; N],
    interrupted: &mut dyn FnMut() -> ControlFlow<()>,
    finite: bool,
) -> Result<[Option<Evaluation>; N], TrainError> {
    let mut evaluations = [None; N];
    for (open, evaluation) in sets.into_iter().zip(&mut evaluations) {
        *evaluation = measure(classes, logits_of, open(), interrupted, finite)?;
        if evaluation.is_none() {
            break;
        }
    }
    Ok(evaluations)
}

/// Compares the logits of batches with their labels. With `finite`, logits that are infinite or NaN are an error.
fn measure(
    classes: usize,
    logits_of: &dyn Fn(Vec<f32>) -> Result<Vec<f32>, Error>,
    batches: impl Iterator<Item = Result<Batch, TrainError>>,
    interrupted: &mut dyn FnMut() -> ControlFlow<()>,
    finite: bool,
) -> Result<Option<Evaluation>, TrainError> {
    let kernels = f32::cpu();
    let of_batch = |batch: Batch| {
        if let Some((index, &label)) = batch.labels.iter().enumerate().find(|(_, label)| **label >= classes) {
            return Err(Error::Label { index, label, classes }.into());
        }
        let count = batch.labels.len();
        let logits = logits_of(batch.images)?;
        if finite && let Err(NotFinite { image, class, value }) = check_finite(&logits, classes, 0) {
            return Ok([RUINED, count as f64, image as f64, class as f64, value.into()]);
        }
        let mut gradient = vec![0.0; logits.len()];
        let loss = (kernels.cross_entropy)(&logits, classes, &batch.labels, 0.0, &mut gradient) * count as f64;
        let correct = |k| (kernels.top_k_correct)(&logits, classes, &batch.labels, k) as f64;
        Ok::<_, TrainError>([MEASURED, count as f64, loss, correct(1), correct(5)])
    };
    let (mut images, mut top1, mut top5, mut loss) = (0, 0, 0, 0.0);
    let mut batches = batches;
    loop {
        let own = match batches.next() {
            None => [NONE, 0.0, 0.0, 0.0, 0.0],
            Some(_) if interrupted().is_break() => [STOPPED, 0.0, 0.0, 0.0, 0.0],
            Some(batch) => of_batch(batch?)?,
        };
        // The batches of all processes in this round, in their order.
        let round = ranks::gathered(own);
        if round.iter().any(|[state, ..]| *state == STOPPED) {
            return Ok(None);
        }
        let measured = || round.iter().filter(|[state, ..]| *state != NONE);
        for &[state, count, first, second, third] in measured() {
            if state == RUINED {
                let (image, class, value) = (images + first as usize, second as usize, third as f32);
                return Err(NotFinite { image, class, value }.into());
            }
            images += count as usize;
            loss += first;
            top1 += second as usize;
            top5 += third as usize;
        }
        if measured().next().is_none() {
            break;
        }
    }
    let share = |part: f64| part / images as f64;
    Ok(Some(Evaluation { images, top1: share(top1 as f64), top5: share(top5 as f64), loss: share(loss) }))
}

/// The states of a process in a round of an evaluation: it has no batch left, is to stop, has measured a batch (images,
/// loss, hits among one and among five), or found a logit that is not finite (images, and image, class and value).
const NONE: f64 = 0.0;
const STOPPED: f64 = 1.0;
const MEASURED: f64 = 2.0;
const RUINED: f64 = 3.0;
