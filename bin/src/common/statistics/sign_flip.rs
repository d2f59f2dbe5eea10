//! The exact test of paired differences by flipping their signs.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Differences up to which all signs are counted; of more, [`DRAWN`] are drawn.
const COUNTED: usize = 40;

/// Choices of signs that are drawn of many differences.
const DRAWN: u32 = 100_000;

/// Differences between sums that are rounding, as a share of the sum of all magnitudes.
const ROUNDING: f64 = 1e-12;

/// The two-sided p-value of a mean difference, by R. A. Fisher's randomization of signs ("The design of experiments",
/// 1935, section 21): the share of the `2^n` choices of signs whose sum is as far from zero as that of the differences
/// or farther.
///
/// If the two members of each pair are exchangeable, as two arms under one seed are if the activation makes no
/// difference, values up to `p` occur with probability `p` at most, whatever the distribution. The least that `n`
/// differences can give is `2^(1 - n)`. With more than 40 differences other than zero the share is that of the given
/// signs and 100,000 drawn ones. NaN of no differences or of some that are not finite.
pub fn p_value(differences: &[f64]) -> f64 {
    if differences.is_empty() || !differences.iter().all(|difference| difference.is_finite()) {
        return f64::NAN;
    }
    // The sign of a zero changes no sum.
    let magnitudes: Vec<f64> = differences.iter().map(|difference| difference.abs()).filter(|of| *of > 0.0).collect();
    // Differences of accuracies, which are at most 1, have their rounding.
    let rounding = ROUNDING * magnitudes.iter().sum::<f64>() + 4.0 * f64::EPSILON * magnitudes.len() as f64;
    let least = differences.iter().sum::<f64>().abs() - rounding;
    if least <= 0.0 {
        return 1.0;
    }
    if magnitudes.len() > COUNTED {
        return by_draws(&magnitudes, least);
    }
    // All sums of each half, and for each of one the share of the other with which it is far enough above zero. There
    // are as many sums below zero as above.
    let (first, second) = magnitudes.split_at(magnitudes.len() / 2);
    let (first, second) = (sums(first), sums(second));
    let mut smaller = second.len();
    let mut far = 0;
    for sum in &first {
        while smaller > 0 && sum + second[smaller - 1] >= least {
            smaller -= 1;
        }
        far += second.len() - smaller;
    }
    2.0 * far as f64 / (first.len() as f64 * second.len() as f64)
}

/// The share of choices of signs with a sum of at least `least` in magnitude, among the given ones and drawn ones.
fn by_draws(magnitudes: &[f64], least: f64) -> f64 {
    let mut draws = ChaCha8Rng::seed_from_u64(0);
    let mut sum = || magnitudes.iter().map(|of| if draws.next_u64() >> 63 == 0 { *of } else { -of }).sum::<f64>();
    let far = (0..DRAWN).filter(|_| sum().abs() >= least).count();
    (far + 1) as f64 / f64::from(DRAWN + 1)
}

/// The least p-value that this number of differences can give.
pub fn least_p_value(differences: usize) -> f64 {
    libm::ldexp(1.0, 1 - differences.clamp(1, 2000) as i32)
}

/// The sums of numbers with all choices of their signs, in ascending order.
fn sums(magnitudes: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for magnitude in magnitudes {
        sums = sums.iter().flat_map(|sum| [sum - magnitude, sum + magnitude]).collect();
    }
    sums.sort_unstable_by(f64::total_cmp);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_those_of_scipy() {
        // scipy.stats.permutation_test with all choices of signs, as `tests/fixtures/statistics.py` prints it with
        // SciPy 1.17.1.
        let found: [(&[f64], f64); 5] = [
            (&[0.02, -0.01, 0.04], 0.5),
            (&[0.012, 0.030, -0.004, 0.018, 0.025], 0.125),
            (&[0.003, 0.003, 0.010, 0.025, -0.006, 0.014, 0.008, 0.090], 0.0390625),
            (&[0.01, -0.02, 0.03, -0.04, 0.05, -0.06, 0.07, 0.08, 0.02, 0.4], 0.193359375),
            (&[0.01, 0.01, -0.01, 0.02, -0.02, 0.0, 0.0], 1.0),
        ];
        for (differences, expected) in found {
            assert!((p_value(differences) - expected).abs() < 1e-12, "{differences:?}: {}", p_value(differences));
        }
    }

    /// Fisher's differences in height of Darwin's maize, in eighths of an inch: 1,726 of the 32,768 choices of signs
    /// give a sum of 314 or more in magnitude.
    #[test]
    fn darwins_maize_has_fishers_value() {
        let differences = [49., -67., 8., 16., 6., 23., 28., 41., 14., 29., 56., 24., 75., 60., -48.];
        assert_eq!(p_value(&differences), 1726.0 / 32_768.0);
    }

    #[test]
    fn the_least_value_is_reached_by_differences_of_one_sign() {
        for n in 1..=12_usize {
            let differences: Vec<f64> = (1..=n).map(|i| i as f64 / 7.0).collect();
            assert_eq!(p_value(&differences), least_p_value(n), "{n}");
            let negative: Vec<f64> = differences.iter().map(|difference| -difference).collect();
            assert_eq!(p_value(&negative), least_p_value(n), "{n}");
        }
    }

    /// Images of 50,000 by which two arms differ: sums that are equal as numbers of images count as equal.
    #[test]
    fn ties_are_seen_through_the_rounding_of_accuracies() {
        let relu = [0.91234, 0.90112, 0.91778, 0.92002, 0.91006, 0.90508];
        let images = [-2.0, -1.0, -1.0, -3.0, 1.0, 3.0];
        let accuracy = |at: f64| (at * 50_000.0).round() / 50_000.0;
        let differences: Vec<f64> =
            relu.iter().zip(images).map(|(at, by)| accuracy(at + by / 50_000.0) - accuracy(*at)).collect();
        assert_eq!(p_value(&differences), p_value(&images));
    }

    #[test]
    fn no_difference_is_no_evidence() {
        assert_eq!(p_value(&[0.0, 0.0, 0.0]), 1.0);
        assert_eq!(p_value(&[0.25, -0.25]), 1.0);
        assert!(p_value(&[]).is_nan() && p_value(&[f64::NAN, 1.0]).is_nan());
    }

    #[test]
    fn more_than_forty_are_drawn_to_about_the_counted_value() {
        let differences: Vec<f64> = (0..40).map(|i| f64::from(i * 37 % 101) / 50.0 - 0.7).collect();
        let counted = p_value(&differences);
        let magnitudes: Vec<f64> = differences.iter().map(|difference| difference.abs()).collect();
        let drawn = by_draws(&magnitudes, differences.iter().sum::<f64>().abs());
        assert!(counted > 0.001 && (counted - drawn).abs() < counted / 5.0, "{counted} {drawn}");
        let more = [differences, vec![0.3]].concat();
        assert!((p_value(&more) - counted).abs() < 0.05 && p_value(&more) != counted);
    }

    /// Zeros are no evidence: of four equal gains two of the sixteen choices of signs are as far out.
    #[test]
    fn zeros_among_many_differences_leave_the_value_as_it_is() {
        let mut differences = vec![0.0; 41];
        differences.extend([0.0025; 4]);
        assert_eq!(p_value(&differences), 0.125);
        assert_eq!(p_value(&[vec![0.0; 60], vec![0.01]].concat()), 1.0);
    }
}
