//! Softmax cross-entropy with class indices, and top-k accuracy.

use super::simd::{Kernel, Lane, Level, MAX_WIDTH, Real, Simd};
use super::sums::sum;
use super::tasks::{self, TASK};
use crate::kernel::Element;

/// The mean over the rows of `-log softmax(logits)[label]`, and its gradient.
///
/// `logits` and `grad_logits` are `[labels.len(), classes]`; `grad_logits = (softmax(logits) - onehot) / n` is
/// overwritten. Each row is shifted by its maximum, so that nothing overflows. A row with a NaN, an infinite maximum or
/// only minus infinities has loss NaN; a label whose logit is minus infinity, loss infinity. Without rows the loss is
/// 0.
///
/// Labels must be below `classes` (panics otherwise).
pub fn cross_entropy<E: Element>(logits: &[E], classes: usize, labels: &[usize], grad_logits: &mut [E]) -> f64 {
    cross_entropy_smoothed(logits, classes, labels, 0.0, grad_logits)
}

/// The mean over the rows of `-sum_c q_c log softmax(logits)[c]`, and its gradient `(softmax(logits) - q) / n`, with
/// `q_c = smoothing / classes` and at the label `1 - smoothing` more.
///
/// With a smoothing of 0 it is [`cross_entropy`], to the bit. With more, a row in which any logit is minus infinity has
/// loss infinity, for every class has a share. All else is as there. `smoothing` is from 0 to 1.
pub fn cross_entropy_smoothed<E: Element>(
    logits: &[E],
    classes: usize,
    labels: &[usize],
    smoothing: f64,
    grad_logits: &mut [E],
) -> f64 {
    cross_entropy_at(Level::current(), logits, classes, labels, smoothing, grad_logits)
}

pub(crate) fn cross_entropy_at<E: Element>(
    level: Level,
    logits: &[E],
    classes: usize,
    labels: &[usize],
    smoothing: f64,
    grad_logits: &mut [E],
) -> f64 {
    let n = labels.len();
    assert_eq!((logits.len(), grad_logits.len()), (n * classes, n * classes));
    if n == 0 {
        return 0.0;
    }
    assert!(labels.iter().all(|&label| label < classes), "labels are class indices");
    let rows = (TASK / classes).max(1);
    let mut losses = vec![0.0; n];
    let tensors = logits.chunks(rows * classes).zip(grad_logits.chunks_mut(rows * classes));
    let tasks = tensors.zip(labels.chunks(rows)).zip(losses.chunks_mut(rows));
    tasks::for_each(
        level,
        tasks.map(|(((logits, grad_logits), labels), losses)| Rows {
            logits,
            classes,
            labels,
            smoothing,
            scale: 1.0 / n as f64,
            grad_logits,
            losses,
        }),
    );
    losses.iter().sum::<f64>() / n as f64
}

struct Rows<'a, E> {
    logits: &'a [E],
    classes: usize,
    labels: &'a [usize],
    smoothing: f64,
    /// `1 / n` for a batch of `n` samples.
    scale: f64,
    grad_logits: &'a mut [E],
    losses: &'a mut [f64],
}

impl<E: Element> Kernel for Rows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let rows = self.logits.chunks_exact(self.classes).zip(self.grad_logits.chunks_exact_mut(self.classes));
        for (((logits, grad), &label), loss) in rows.zip(self.labels).zip(self.losses) {
            let max = max::<S, E>(logits);
            let sum = exponentials::<S, E>(logits, max, grad);
            *loss = libm::log(sum) + below(logits, max, label, self.smoothing);
            let (scale, uniform) =
                (E::of(self.scale / sum), E::of(self.scale * (self.smoothing / self.classes as f64)));
            for grad in &mut *grad {
                *grad = *grad * scale - uniform;
            }
            grad[label] = grad[label] - E::of(self.scale * (1.0 - self.smoothing));
        }
    }
}

/// The distance of the label's logit below the maximum, with the share `smoothing` of it replaced by the mean distance
/// of all logits.
#[inline(always)]
fn below<E: Element>(logits: &[E], max: E, label: usize, smoothing: f64) -> f64 {
    let own = max.wide() - logits[label].wide();
    if smoothing == 0.0 {
        return own;
    }
    // Differences of a sign, in `f64`: nothing cancels and, in `f32`, nothing overflows.
    let mean = logits.iter().map(|x| max.wide() - x.wide()).sum::<f64>() / logits.len() as f64;
    if smoothing == 1.0 { mean } else { (1.0 - smoothing) * own + smoothing * mean }
}

/// The elements of a chunk shorter than a register, followed by minus infinities.
#[inline(always)]
fn padded<L: Lane>(chunk: &[L::Elem]) -> L {
    let mut full = [L::Elem::of(f64::NEG_INFINITY); MAX_WIDTH];
    for (full, &x) in full.iter_mut().zip(chunk) {
        *full = x;
    }
    L::load(&full)
}

/// The largest element; NaNs are passed over, and show in the exponentials.
#[inline(always)]
fn max<S: Simd, E: Element>(x: &[E]) -> E {
    let width = <E::Lane<S>>::WIDTH;
    let mut largest = <E::Lane<S>>::of(f64::NEG_INFINITY);
    let mut vectors = x.chunks_exact(width);
    for vector in &mut vectors {
        let x = <E::Lane<S>>::load(vector);
        largest = (x - largest).if_positive(x, largest);
    }
    let x = padded::<E::Lane<S>>(vectors.remainder());
    largest = (x - largest).if_positive(x, largest);
    let mut elements = [E::zero(); MAX_WIDTH];
    largest.store(&mut elements);
    let mut largest = elements[0];
    for &x in &elements[1..width] {
        largest = if x > largest { x } else { largest };
    }
    largest
}

/// Writes `e^(x - max)` and returns its sum.
#[inline(always)]
fn exponentials<S: Simd, E: Element>(x: &[E], max: E, y: &mut [E]) -> f64 {
    let width = <E::Lane<S>>::WIDTH;
    let origin = <E::Lane<S>>::splat(max);
    let (mut xs, mut ys) = (x.chunks_exact(width), y.chunks_exact_mut(width));
    for (x, y) in (&mut xs).zip(&mut ys) {
        (<E::Lane<S>>::load(x) - origin).exp().store(y);
    }
    let power = (padded::<E::Lane<S>>(xs.remainder()) - origin).exp();
    power.store_partial(ys.into_remainder());
    sum::<S, E>(y)
}

/// Rows whose label is among the `k` largest logits.
///
/// A label is if fewer than `k` logits are greater, or equal with a lower index. A row with a NaN never counts.
pub fn top_k_correct<E: Element>(logits: &[E], classes: usize, labels: &[usize], k: usize) -> usize {
    top_k_correct_at(Level::current(), logits, classes, labels, k)
}

pub(crate) fn top_k_correct_at<E: Element>(
    level: Level,
    logits: &[E],
    classes: usize,
    labels: &[usize],
    k: usize,
) -> usize {
    assert_eq!(logits.len(), labels.len() * classes);
    assert!(labels.iter().all(|&label| label < classes), "labels are class indices");
    if labels.is_empty() {
        return 0;
    }
    let rows = (TASK / classes).max(1);
    let mut counts = vec![0; labels.len().div_ceil(rows)];
    let tasks = logits.chunks(rows * classes).zip(labels.chunks(rows)).zip(&mut counts);
    tasks::for_each(level, tasks.map(|((logits, labels), correct)| TopK { logits, classes, labels, k, correct }));
    counts.iter().sum()
}

struct TopK<'a, E> {
    logits: &'a [E],
    classes: usize,
    labels: &'a [usize],
    k: usize,
    correct: &'a mut usize,
}

impl<E: Element> Kernel for TopK<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for (logits, &label) in self.logits.chunks_exact(self.classes).zip(self.labels) {
            let own = logits[label];
            // Written as plain loops over counters, which the compiler vectorizes.
            let (mut ahead, mut nans) = (0, 0);
            for &x in &logits[..label] {
                ahead += usize::from(x >= own);
                nans += usize::from(x.is_nan());
            }
            for &x in &logits[label..] {
                ahead += usize::from(x > own);
                nans += usize::from(x.is_nan());
            }
            *self.correct += usize::from(nans == 0 && ahead < self.k);
        }
    }
}

#[cfg(test)]
mod tests;
