//! The standard normal distribution.

use std::f64::consts::SQRT_2;

/// The probability of a value up to `x`.
pub fn cdf(x: f64) -> f64 {
    libm::erfc(-x / SQRT_2) / 2.0
}

/// The quantile of a probability: infinite at 0 and 1, and NaN outside.
pub fn quantile(probability: f64) -> f64 {
    if !(0.0..=1.0).contains(&probability) {
        return f64::NAN;
    }
    // Of the upper half by the lower one, whose small probabilities have all their digits.
    if probability > 0.5 {
        return -quantile(1.0 - probability);
    }
    if probability == 0.0 {
        return f64::NEG_INFINITY;
    }
    // The distribution function is below the least positive number beyond.
    let (mut low, mut high) = (-39.0, 0.0);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return high;
        }
        if cdf(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// A value, by the quantile of a probability that is neither 0 nor 1.
#[cfg(test)]
pub fn drawn(draws: &mut impl rand_chacha::rand_core::RngCore) -> f64 {
    quantile(((draws.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_scipy() {
        // scipy.stats.norm.ppf, as `tests/fixtures/statistics.py` prints it with SciPy 1.17.1.
        for (probability, expected) in
            [(0.025, -1.9599639845400545), (0.5, 0.0), (0.8, 0.8416212335729143), (1e-12, -7.034483825301131)]
        {
            let found = quantile(probability);
            assert!((found - expected).abs() < 1e-12, "{probability}: {found}");
            assert!((cdf(found) / probability - 1.0).abs() < 1e-12, "{probability}");
        }
        assert_eq!((quantile(0.0), quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(quantile(f64::NAN).is_nan() && quantile(-0.1).is_nan());
    }
}
