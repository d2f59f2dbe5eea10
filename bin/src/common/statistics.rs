//! Means, standard errors and intervals over seeds, their text, and what differences between arms say.

pub mod bootstrap;
pub mod normal;
pub mod sign_flip;
pub mod verdict;

/// Mean and standard error (sample deviation over the root of the count).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Mean of the values; NaN if there are none.
    pub mean: f64,
    /// Standard error of the mean; NaN for fewer than two values.
    pub standard_error: f64,
}

/// Mean and standard error of values, both NaN if there are none.
pub fn summarize(values: &[f64]) -> Summary {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (n - 1.0);
    Summary { mean, standard_error: (variance / n).sqrt() }
}

/// The distribution of some values; all NaN if there are none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distribution {
    /// Least of the values.
    pub minimum: f64,
    /// First quartile, interpolated between neighbors as the other ones.
    pub first_quartile: f64,
    /// Second quartile: half of the values are less.
    pub median: f64,
    /// Third quartile of the values.
    pub third_quartile: f64,
    /// Greatest of the values.
    pub maximum: f64,
    /// Mean of the values.
    pub mean: f64,
    /// Standard deviation of the values themselves: the root of their mean squared distance from the mean.
    pub deviation: f64,
}

impl Distribution {
    /// The distribution of values in any order.
    pub fn of(values: &[f32]) -> Self {
        let mut sorted: Vec<f64> = values.iter().copied().map(f64::from).collect();
        sorted.sort_by(f64::total_cmp);
        let quantile = |share: f64| {
            let at = share * sorted.len().saturating_sub(1) as f64;
            let (below, above) = (sorted.get(at.floor() as usize), sorted.get(at.ceil() as usize));
            match (below, above) {
                (Some(below), Some(above)) => below + (above - below) * at.fract(),
                _ => f64::NAN,
            }
        };
        let count = sorted.len() as f64;
        let mean = sorted.iter().sum::<f64>() / count;
        let variance = sorted.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
        Self {
            minimum: quantile(0.0),
            first_quartile: quantile(0.25),
            median: quantile(0.5),
            third_quartile: quantile(0.75),
            maximum: quantile(1.0),
            mean,
            deviation: variance.sqrt(),
        }
    }
}

/// The relative decrease of the error rate, `(e0 - e) / e0` with the error rates `e` of an arm and `e0` of ReLU; NaN if
/// ReLU makes no errors.
pub fn rel_error_decrease(relu_top1: f64, top1: f64) -> f64 {
    if relu_top1 < 1.0 { (top1 - relu_top1) / (1.0 - relu_top1) } else { f64::NAN }
}

/// A number for CSV files, with six decimals; empty for NaN.
pub fn number(value: f64) -> String {
    if value.is_nan() { String::new() } else { format!("{value:.6}") }
}

/// Mean and standard error in percent, with two decimals; `-` without a mean, and the mean alone without an error.
pub fn percent(summary: &Summary) -> String {
    match (summary.mean.is_nan(), summary.standard_error.is_nan()) {
        (true, _) => "-".to_owned(),
        (false, true) => format!("{:.2}", 100.0 * summary.mean),
        (false, false) => format!("{:.2} +- {:.2}", 100.0 * summary.mean, 100.0 * summary.standard_error),
    }
}

/// A p-value with four decimals; `-` for NaN.
pub fn p_value_text(value: f64) -> String {
    match value {
        _ if value.is_nan() => "-".to_owned(),
        _ if value < 0.00005 => "<0.0001".to_owned(),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_mean_and_standard_error_of_the_mean() {
        // The paper's PVLU column of table 1: 56.9 and 0.2 as printed.
        let summary = summarize(&[0.566, 0.566, 0.578, 0.567, 0.567]);
        assert!((summary.mean - 0.5688).abs() < 1e-12);
        assert!((summary.standard_error - 0.002_310_844).abs() < 1e-8);
        assert!(summarize(&[0.5]).standard_error.is_nan());
        assert!(summarize(&[]).mean.is_nan());
    }

    #[test]
    fn quartiles_are_interpolated() {
        let found = Distribution::of(&[4.0, 1.0, 3.0, 2.0]);
        let quartiles = [found.minimum, found.first_quartile, found.median, found.third_quartile, found.maximum];
        assert_eq!((quartiles, found.mean, found.deviation), ([1.0, 1.75, 2.5, 3.25, 4.0], 2.5, 1.25_f64.sqrt()));
        let one = Distribution::of(&[7.0]);
        assert_eq!([one.minimum, one.median, one.maximum, one.mean, one.deviation], [7.0, 7.0, 7.0, 7.0, 0.0]);
        let none = Distribution::of(&[]);
        assert!(none.minimum.is_nan() && none.median.is_nan() && none.mean.is_nan() && none.deviation.is_nan());
    }

    #[test]
    fn small_p_values_are_not_zero() {
        assert_eq!([0.5, 0.00006, 2e-9, f64::NAN].map(p_value_text), ["0.5000", "0.0001", "<0.0001", "-"]);
    }

    #[test]
    fn the_relative_decrease_is_that_of_the_error_rate() {
        // The paper's table 3: VGG-16 from 86.95 % to 88.19 %, 9.5 %.
        assert!((rel_error_decrease(0.8695, 0.8819) - 0.095).abs() < 1e-4);
        assert!(rel_error_decrease(0.9, 0.8) < 0.0);
        assert!(rel_error_decrease(1.0, 0.9).is_nan());
    }
}
