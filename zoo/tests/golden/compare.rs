//! The tolerances of the golden files, as `tests/golden/README.md` states them.

use std::collections::BTreeMap;

use pvlu::layer::ParamKind;

use crate::file::Stats;

/// Tolerance of `f64` logits, as a share of the largest.
pub const LOGITS: f64 = 1e-9;
/// Tolerance of `f32` logits on running statistics, as a share of the largest.
pub const LOGITS_F32: f64 = 1e-4;
/// Tolerance of `f32` logits on batch statistics, as a share of the largest.
pub const LOGITS_F32_BATCH: f64 = 5e-3;
/// Tolerance of a gradient: of its sums as a share of the sum of its absolute values, of its entries as a share of
/// their mean absolute value.
const GRADIENT: f64 = 1e-6;
/// Largest mean absolute value of a gradient that is zero but for rounding, as a share of the median in its file.
const ROUNDING: f64 = 1e-3;

/// Comparisons of a model: the largest errors, as multiples of the tolerances, and the failures.
pub struct Comparison {
    model: &'static str,
    worst: BTreeMap<String, (f64, usize)>,
    failures: Vec<String>,
}

impl Comparison {
    pub fn new(model: &'static str) -> Self {
        Self { model, worst: BTreeMap::new(), failures: Vec::new() }
    }

    /// Notes an error as a multiple of what is tolerated.
    fn note(&mut self, what: &str, name: &str, error: f64) {
        let (worst, count) = self.worst.entry(what.to_owned()).or_default();
        *worst = worst.max(error);
        *count += 1;
        if error > 1.0 || error.is_nan() {
            self.failures.push(format!("{what}, {name}: {error:.3e} of what is tolerated"));
        }
    }

    /// Compares the logits of every image. The golden file may have only the first `kept` of each.
    pub fn logits<E: Copy + Into<f64>>(
        &mut self,
        what: &str,
        (found, expected): (&[E], &[f64]),
        (classes, kept): (usize, Option<usize>),
        tolerance: f64,
    ) {
        let kept = kept.unwrap_or(classes);
        assert_eq!(found.len() / classes, expected.len() / kept, "{}: images", self.model);
        let largest = largest(expected);
        for (image, (found, expected)) in found.chunks_exact(classes).zip(expected.chunks_exact(kept)).enumerate() {
            for (class, (&found, expected)) in found.iter().zip(expected).enumerate() {
                let error = (found.into() - expected).abs() / largest;
                self.note(what, &format!("image {image}, class {class}"), error / tolerance);
            }
        }
    }

    /// Compares a gradient, or running statistics.
    pub fn stats(&mut self, what: &str, name: &str, found: &Stats, expected: &Stats) {
        if found.shape != expected.shape || found.first.len() != expected.first.len() {
            self.failures.push(format!("{what}, {name}: shape {:?}, expected {:?}", found.shape, expected.shape));
            return;
        }
        let sums = [(found.sum, expected.sum), (found.abs_sum, expected.abs_sum)];
        for (found, sum) in sums {
            self.note(what, name, (found - sum).abs() / expected.abs_sum / GRADIENT);
        }
        for (found, entry) in found.first.iter().zip(&expected.first) {
            self.note(what, name, (found - entry).abs() / expected.mean() / GRADIENT);
        }
    }

    /// Compares gradients of parameters by name. With `zeros`, for a full file on batch statistics, those of biases may
    /// be zero but for rounding.
    pub fn parameters(
        &mut self,
        what: &str,
        found: &BTreeMap<String, (ParamKind, Stats)>,
        expected: &BTreeMap<String, Stats>,
        zeros: bool,
    ) {
        let mut means: Vec<f64> = expected.values().map(Stats::mean).collect();
        means.sort_by(f64::total_cmp);
        let rounding = ROUNDING * means[means.len() / 2];
        for (name, expected) in expected {
            let Some((kind, found)) = found.get(name) else {
                self.failures.push(format!("{what}, {name}: not there"));
                continue;
            };
            if zeros && *kind == ParamKind::Bias && expected.mean() < rounding {
                self.note("gradients of zero", name, found.mean() / rounding);
            } else {
                self.stats(what, name, found, expected);
            }
        }
    }

    /// Fails if anything did not fit.
    pub fn finish(self) {
        for (what, (worst, count)) in &self.worst {
            println!("{}: {what}: {count} compared, at most {worst:.1e} of what is tolerated", self.model);
        }
        let shown = self.failures.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n  ");
        assert!(self.failures.is_empty(), "{}: {} do not fit:\n  {shown}", self.model, self.failures.len());
        assert!(!self.worst.is_empty(), "{}: nothing was compared", self.model);
    }
}

/// The largest absolute value.
fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(compare: impl FnOnce(&mut Comparison)) -> usize {
        let mut comparison = Comparison::new("test");
        compare(&mut comparison);
        comparison.failures.len()
    }

    #[test]
    fn what_is_too_far_off_or_no_number_is_found() {
        let logits = |found: f64| {
            failures(|c| {
                c.logits("logits", (&[1.0, found, 9.0, -4.0, 0.5, 9.0], &[1.0, 2.0, -4.0, 0.5]), (3, Some(2)), 1e-9)
            })
        };
        assert_eq!([2.0, 2.0 + 3e-9, 2.0 + 5e-9, f64::NAN].map(logits), [0, 0, 1, 1]);

        let expected = Stats { shape: vec![2], sum: 1.0, abs_sum: 3.0, first: vec![2.0, -1.0] };
        let stats = |sum: f64, last: f64, shape: usize| {
            let found = Stats { shape: vec![shape], sum, abs_sum: 3.0, first: vec![2.0, last] };
            failures(|c| c.stats("gradients", "a", &found, &expected))
        };
        assert_eq!((stats(1.0 + 2e-6, -1.0 + 1e-6, 2), stats(1.0 + 4e-6, -1.0, 2)), (0, 1));
        assert_eq!((stats(1.0, -1.0 + 2e-6, 2), stats(f64::NAN, f64::NAN, 2), stats(1.0, -1.0, 3)), (1, 2, 1));
    }

    #[test]
    fn a_bias_whose_gradient_is_rounding_need_only_stay_small() {
        let stats = |abs_sum: f64| Stats { shape: vec![1], sum: abs_sum, abs_sum, first: vec![abs_sum] };
        let names = ["bias", "shift", "weight"].map(str::to_owned);
        let expected: BTreeMap<_, _> = names.iter().cloned().zip([1e-12, 1.0, 1.0].map(stats)).collect();
        let check = |found: f64, kind, zeros| {
            let found = names.iter().cloned().zip([
                (kind, stats(found)),
                (ParamKind::Shift, stats(1.0)),
                (ParamKind::Weight, stats(1.0)),
            ]);
            failures(|c| c.parameters("gradients", &found.collect(), &expected, zeros))
        };
        assert_eq!((check(9e-4, ParamKind::Bias, true), check(2e-3, ParamKind::Bias, true)), (0, 1));
        assert_eq!((check(9e-4, ParamKind::Shift, true), check(9e-4, ParamKind::Bias, false)), (3, 3));
    }
}
