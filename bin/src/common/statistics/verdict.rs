//! What paired differences say: whether an arm is better or worse than another one, or cannot be told from it.

use std::fmt;

use super::{bootstrap, sign_flip, summarize};

/// The probability of calling an arm better or worse that makes no difference: of the planned comparison, and of any
/// of the exploratory ones together.
pub const LEVEL: f64 = 0.05;

/// Whether a comparison was named before the runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The one comparison that the runs were made for, which is judged alone.
    Planned,
    /// One of several, which share the level by Holm's method.
    Exploratory,
}

impl Kind {
    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Planned => "planned",
            Kind::Exploratory => "exploratory",
        }
    }
}

/// The result of a comparison, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The mean is greater, and the adjusted p-value at most [`LEVEL`].
    Better,
    /// The mean is less, and the adjusted p-value at most [`LEVEL`].
    Worse,
    /// The adjusted p-value is above [`LEVEL`].
    Noise,
    /// So few pairs that no differences could have decided.
    TooFew {
        /// Pairs that there are.
        pairs: usize,
        /// Pairs that there must be.
        needed: usize,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Better => write!(f, "better"),
            Verdict::Worse => write!(f, "worse"),
            Verdict::Noise => write!(f, "cannot be told from noise"),
            Verdict::TooFew { pairs, needed } => {
                let (s, some) = if *pairs == 1 { ("", "1".to_owned()) } else { ("s", pairs.to_string()) };
                write!(f, "{some} seed{s} cannot decide: {needed} could")
            }
        }
    }
}

/// An arm against another one, by the differences of runs with the same seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Mean of the differences; NaN without any.
    pub mean: f64,
    /// Ends of its 95 % [interval](bootstrap::interval).
    pub interval: Option<(f64, f64)>,
    /// The [p-value](sign_flip::p_value) of the differences alone.
    pub p_value: f64,
    /// That of a planned comparison, and of an exploratory one Holm's.
    pub adjusted: f64,
    /// Whether it was planned.
    pub kind: Kind,
    /// The verdict; `None` without differences.
    pub verdict: Option<Verdict>,
}

/// Judges the comparisons of a network: differences and kind of each.
pub fn judge(all: &[(Vec<f64>, Kind)]) -> Vec<Comparison> {
    let p_values: Vec<f64> = all.iter().map(|(differences, _)| sign_flip::p_value(differences)).collect();
    let exploratory = |at: &usize| all[*at].1 == Kind::Exploratory && !p_values[*at].is_nan();
    let explored: Vec<usize> = (0..all.len()).filter(exploratory).collect();
    let mut adjusted = p_values.clone();
    for (at, value) in explored.iter().zip(holm(&explored.iter().map(|at| p_values[*at]).collect::<Vec<_>>())) {
        adjusted[*at] = value;
    }
    let judged =
        all.iter().zip(p_values.into_iter().zip(adjusted)).map(|((differences, kind), (p_value, adjusted))| {
            let mean = summarize(differences).mean;
            let shared = if *kind == Kind::Planned { 1 } else { explored.len() };
            let verdict = (!p_value.is_nan()).then(|| verdict(mean, adjusted, differences.len(), shared));
            Comparison { mean, interval: bootstrap::interval(differences), p_value, adjusted, kind: *kind, verdict }
        });
    judged.collect()
}

fn verdict(mean: f64, adjusted: f64, pairs: usize, shared: usize) -> Verdict {
    let needed = pairs_needed(shared);
    match adjusted <= LEVEL {
        true if mean > 0.0 => Verdict::Better,
        true => Verdict::Worse,
        false if pairs < needed => Verdict::TooFew { pairs, needed },
        false => Verdict::Noise,
    }
}

/// The least number of pairs with which one of some comparisons that share the level can be decided.
pub fn pairs_needed(comparisons: usize) -> usize {
    (1..).find(|pairs| sign_flip::least_p_value(*pairs) * comparisons as f64 <= LEVEL).unwrap_or(usize::MAX)
}

/// The p-values adjusted by S. Holm's sequentially rejective method (1979): at most the level where Holm rejects. They
/// hold for p-values that depend on each other, as those against one common arm do.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut so_far = 0.0_f64;
    for (rank, at) in order.into_iter().enumerate() {
        so_far = so_far.max((p_values.len() - rank) as f64 * p_values[at]).min(1.0);
        adjusted[at] = so_far;
    }
    adjusted
}

/// The probability that a run of one arm is better than a run of another, whatever their seeds, over all pairs of runs,
/// ties counted half: the statistic of Mann and Whitney over the number of pairs, as Agarwal et al. 2021 ("Deep
/// reinforcement learning at the edge of the statistical precipice") report it. NaN without runs.
pub fn improvement(runs: &[f64], others: &[f64]) -> f64 {
    let pairs = runs.iter().flat_map(|run| others.iter().map(move |other| (run, other)));
    let wins: f64 =
        pairs.map(|(run, other)| if run > other { 1.0 } else { f64::from(u8::from(run == other)) / 2.0 }).sum();
    wins / (runs.len() * others.len()) as f64
}

/// The standard deviation between runs that comes of the number of test images alone, if each image is classified right
/// with the same probability: `sqrt(top1 (1 - top1) / images)` (Bouthillier et al. 2021, "Accounting for variance in
/// machine learning benchmarks", section 3). Networks that were trained apart agree on most images, so that the observed
/// one may be less.
pub fn expected_spread(top1: f64, images: usize) -> f64 {
    (top1 * (1.0 - top1) / images as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::normal;
    use super::*;

    #[test]
    fn holms_values_are_those_of_the_definition() {
        // As `tests/fixtures/statistics.py` prints them.
        let found = holm(&[0.04, 0.01, 0.03, 0.02, 0.9]);
        for (found, expected) in found.iter().zip([0.09, 0.05, 0.09, 0.08, 0.9]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert_eq!(holm(&[]), [0.0; 0]);
        assert_eq!(holm(&[0.7, 0.6]), [1.0, 1.0]);
    }

    #[test]
    fn six_pairs_decide_one_comparison_and_eight_four_to_six() {
        let needed: Vec<usize> = (1..=7).map(pairs_needed).collect();
        assert_eq!(needed, [6, 7, 7, 8, 8, 8, 9]);
    }

    #[test]
    fn the_planned_comparison_is_judged_alone() {
        let better = |n: usize| (0..n).map(|i| 0.01 + 0.001 * i as f64).collect::<Vec<_>>();
        let worse = better(6).iter().map(|difference| -difference).collect::<Vec<_>>();
        // 2^-5 alone; times two it is above the level.
        let judged = judge(&[
            (better(6), Kind::Planned),
            (better(6), Kind::Exploratory),
            (worse.clone(), Kind::Exploratory),
            (Vec::new(), Kind::Exploratory),
        ]);
        let p_values: Vec<f64> = judged.iter().take(3).flat_map(|found| [found.p_value, found.adjusted]).collect();
        assert_eq!(p_values, [0.03125, 0.03125, 0.03125, 0.0625, 0.03125, 0.0625]);
        let verdicts: Vec<_> = judged.iter().map(|found| found.verdict.map(|verdict| verdict.to_string())).collect();
        let few = Some("6 seeds cannot decide: 7 could".to_owned());
        assert_eq!(verdicts, [Some("better".to_owned()), few.clone(), few, None]);
        assert_eq!(judge(&[(worse, Kind::Planned)])[0].verdict, Some(Verdict::Worse));
        let mixed = vec![0.01, -0.01, 0.02, -0.02, 0.03, -0.01];
        assert_eq!(judge(&[(mixed, Kind::Planned)])[0].verdict, Some(Verdict::Noise));
        let one = judge(&[(vec![0.1], Kind::Planned)]);
        assert_eq!(one[0].verdict.unwrap().to_string(), "1 seed cannot decide: 6 could");
        assert_eq!(one[0].interval, None);
    }

    #[test]
    fn improvement_is_mann_and_whitneys_share() {
        // scipy.stats.mannwhitneyu, as `tests/fixtures/statistics.py` prints it over the number of pairs.
        let cases: [(&[f64], &[f64], f64); 2] = [
            (&[0.51, 0.53, 0.50], &[0.50, 0.52, 0.49], 0.7222222222222222),
            (&[0.5, 0.4, 0.6, 0.9, 0.8], &[0.5, 0.5, 0.6, 0.7], 0.575),
        ];
        for (runs, others, expected) in cases {
            assert!((improvement(runs, others) - expected).abs() < 1e-12);
        }
        assert!(improvement(&[], &[0.5]).is_nan());
    }

    #[test]
    fn the_expected_spread_is_that_of_a_binomial_share() {
        assert!((expected_spread(0.9, 10_000) - 0.003).abs() < 1e-15);
        assert_eq!(expected_spread(1.0, 100), 0.0);
    }

    /// The share of experiments in which the planned comparison is declared, over differences of mean `shift` and
    /// standard deviation 1.
    fn declared(pairs: usize, shift: f64) -> f64 {
        let mut state = 7_u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
        };
        let mut count = 0;
        for _ in 0..10_000 {
            let differences: Vec<f64> = (0..pairs).map(|_| shift + normal::quantile(uniform())).collect();
            let found = judge_quickly(differences);
            count += u32::from(matches!(found, Verdict::Better | Verdict::Worse));
        }
        f64::from(count) / 10_000.0
    }

    /// The verdict of [`judge`] without the interval, which takes longest.
    fn judge_quickly(differences: Vec<f64>) -> Verdict {
        verdict(summarize(&differences).mean, sign_flip::p_value(&differences), differences.len(), 1)
    }

    #[test]
    fn of_ten_thousand_null_experiments_at_most_one_in_twenty_is_declared() {
        // 12 of the 256 choices of signs are as far out as p = 0.046875: that is the share to be expected.
        let share = declared(8, 0.0);
        assert!((0.04..=0.05).contains(&share), "{share}");
        println!("declared without a difference: {share}");
    }

    #[test]
    fn a_difference_of_one_and_a_half_deviations_is_declared_by_eight_seeds_and_never_by_five() {
        let share = declared(8, 1.5);
        assert!(share >= 0.5, "{share}");
        println!("declared with a difference of 1.5 deviations: {share}");
        assert_eq!(declared(5, 1.5), 0.0);
    }
}
