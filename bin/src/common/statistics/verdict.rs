//! Verdicts on an arm by paired differences: better or worse than another one, or not to be told from it.

use std::cmp::Ordering;
use std::fmt;

use super::{sign_flip, summarize};

/// The probability of calling an arm better or worse that makes no difference: of the planned comparison, and of any
/// of the exploratory ones together.
pub const LEVEL: f64 = 0.05;

/// The part of a comparison in a study.
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
    /// So few pairs that no differences of theirs could have decided.
    TooFew {
        /// Seeds with which both arms lived.
        pairs: usize,
        /// Seeds that there must be for that.
        needed: usize,
    },
    /// No seed with which both arms lived.
    NoPairs,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Better => write!(f, "better"),
            Verdict::Worse => write!(f, "worse"),
            Verdict::Noise => write!(f, "cannot be told from noise"),
            Verdict::TooFew { pairs: 1, needed } => write!(f, "1 seed cannot decide: {needed} could"),
            Verdict::TooFew { pairs, needed } => write!(f, "{pairs} seeds cannot decide: {needed} could"),
            Verdict::NoPairs => write!(f, "no seed to compare"),
        }
    }
}

/// An arm against another one, by the differences of runs with the same seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The differences, by seed.
    pub differences: Vec<f64>,
    /// The [p-value](sign_flip::p_value) of the differences alone; NaN without any.
    pub p_value: f64,
    /// That of a planned comparison, and of an exploratory one Holm's.
    pub adjusted: f64,
    /// Its part in the study.
    pub kind: Kind,
    /// The result in words.
    pub verdict: Verdict,
}

impl Comparison {
    /// Mean of the differences; NaN without any.
    pub fn mean(&self) -> f64 {
        summarize(&self.differences).mean
    }
}

/// Judges the comparisons of a network: differences and kind of each. A network has [`LEVEL`] twice: for the planned
/// comparison, and for all exploratory ones together.
///
/// Pairs of which one run died are not among the differences. A verdict is on networks that live, then, and an arm that
/// dies where it would have been worse looks better than it is.
pub fn judge(all: Vec<(Vec<f64>, Kind)>) -> Vec<Comparison> {
    let p_values: Vec<f64> = all.iter().map(|(differences, _)| sign_flip::p_value(differences)).collect();
    let kinds: Vec<Kind> = all.iter().map(|(_, kind)| *kind).collect();
    let judged = all.into_iter().enumerate().map(|(at, (differences, kind))| {
        let adjusted = adjusted(&p_values, &kinds, at);
        // The value with other differences of this arm, of one sign, and those of the other arms as they are.
        let least = |pairs: usize| {
            let mut p_values = p_values.clone();
            p_values[at] = sign_flip::least_p_value(pairs);
            self::adjusted(&p_values, &kinds, at)
        };
        let (pairs, mean) = (differences.len(), summarize(&differences).mean);
        let verdict = match adjusted <= LEVEL {
            _ if adjusted.is_nan() => Verdict::NoPairs,
            true if mean > 0.0 => Verdict::Better,
            true => Verdict::Worse,
            false if least(pairs) <= LEVEL => Verdict::Noise,
            false => Verdict::TooFew { pairs, needed: (pairs..).find(|of| least(*of) <= LEVEL).unwrap_or(usize::MAX) },
        };
        Comparison { differences, p_value: p_values[at], adjusted, kind, verdict }
    });
    judged.collect()
}

/// The p-value of a comparison in its family: alone if it was planned, else by Holm's method among the exploratory
/// ones.
fn adjusted(p_values: &[f64], kinds: &[Kind], at: usize) -> f64 {
    if kinds[at] == Kind::Planned || p_values[at].is_nan() {
        return p_values[at];
    }
    let family = (0..kinds.len()).filter(|other| kinds[*other] == Kind::Exploratory && !p_values[*other].is_nan());
    let family: Vec<usize> = family.collect();
    let place = family.iter().position(|other| *other == at).unwrap_or_default();
    holm(&family.iter().map(|other| p_values[*other]).collect::<Vec<_>>())[place]
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
/// reinforcement learning at the edge of the statistical precipice") report it. NaN without runs, and of accuracies
/// that are NaN.
pub fn improvement(runs: &[f64], others: &[f64]) -> f64 {
    let pairs = runs.iter().flat_map(|run| others.iter().map(move |other| run.partial_cmp(other)));
    let wins = pairs.map(|order| match order {
        Some(Ordering::Greater) => 1.0,
        Some(Ordering::Equal) => 0.5,
        Some(Ordering::Less) => 0.0,
        None => f64::NAN,
    });
    wins.sum::<f64>() / (runs.len() * others.len()) as f64
}

/// The standard deviation between runs if each image were classified right with the same probability, independently of
/// the other images and of the other runs: `sqrt(top1 (1 - top1) / images)`. That networks of several seeds agree on
/// most images makes the observed one less, that their trainings differ makes it more.
pub fn expected_spread(top1: f64, images: usize) -> f64 {
    (top1 * (1.0 - top1) / images as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

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

    fn rising(n: usize) -> Vec<f64> {
        (0..n).map(|i| 0.01 + 0.001 * i as f64).collect()
    }

    fn falling(n: usize) -> Vec<f64> {
        rising(n).iter().map(|difference| -difference).collect()
    }

    fn verdicts(all: &[(Vec<f64>, Kind)]) -> Vec<String> {
        judge(all.to_vec()).iter().map(|found| found.verdict.to_string()).collect()
    }

    #[test]
    fn six_pairs_decide_one_comparison_and_eight_four_to_six() {
        for (comparisons, needed) in [(1, 6), (2, 7), (3, 7), (4, 8), (6, 8), (7, 9)] {
            let few = verdicts(&vec![(rising(needed - 1), Kind::Exploratory); comparisons]);
            let seeds = needed - 1;
            assert!(few.iter().all(|of| *of == format!("{seeds} seeds cannot decide: {needed} could")), "{few:?}");
            let enough = verdicts(&vec![(rising(needed), Kind::Exploratory); comparisons]);
            assert!(enough.iter().all(|of| of == "better"), "{enough:?}");
        }
    }

    #[test]
    fn the_planned_comparison_is_judged_alone() {
        // 2^-5 alone; times two it is above the level.
        let all = [
            (rising(6), Kind::Planned),
            (rising(6), Kind::Exploratory),
            (falling(6), Kind::Exploratory),
            (Vec::new(), Kind::Exploratory),
        ];
        let p_values: Vec<f64> =
            judge(all.to_vec()).iter().take(3).flat_map(|found| [found.p_value, found.adjusted]).collect();
        assert_eq!(p_values, [0.03125, 0.03125, 0.03125, 0.0625, 0.03125, 0.0625]);
        let few = "6 seeds cannot decide: 7 could";
        assert_eq!(verdicts(&all), ["better", few, few, "no seed to compare"]);
        assert_eq!(verdicts(&[(falling(6), Kind::Planned)]), ["worse"]);
        let mixed = vec![0.01, -0.01, 0.02, -0.02, 0.03, -0.01];
        assert_eq!(verdicts(&[(mixed, Kind::Planned)]), ["cannot be told from noise"]);
        let one = judge(vec![(vec![0.1], Kind::Planned)]);
        assert_eq!(one[0].verdict.to_string(), "1 seed cannot decide: 6 could");
    }

    /// By Holm's method an arm of few pairs can be decided after one of many, and cannot before.
    #[test]
    fn arms_with_unequal_pairs_have_verdicts_of_their_own() {
        let of = |pairs: [usize; 2]| verdicts(&pairs.map(|pairs| (rising(pairs), Kind::Exploratory)));
        assert_eq!(of([8, 6]), ["better", "better"]);
        assert_eq!(of([6, 6]), ["6 seeds cannot decide: 7 could"; 2]);
        let undecided = vec![0.01, -0.01, 0.02, -0.02, 0.03, -0.01];
        let mixed = [(rising(8), Kind::Exploratory), (undecided, Kind::Exploratory)];
        assert_eq!(verdicts(&mixed), ["better", "cannot be told from noise"]);
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
        assert!(improvement(&[], &[0.5]).is_nan() && improvement(&[f64::NAN, 0.9], &[0.5]).is_nan());
    }

    #[test]
    fn the_expected_spread_is_that_of_a_binomial_share() {
        assert!((expected_spread(0.9, 10_000) - 0.003).abs() < 1e-15);
        assert_eq!(expected_spread(1.0, 100), 0.0);
    }

    /// The shares of experiments in which the planned comparison is declared, and in which one of two others without
    /// any difference is, over differences of standard deviation 1, whose mean is `shift` in the planned one.
    fn declared(pairs: usize, shift: f64) -> [f64; 2] {
        let mut draws = ChaCha8Rng::seed_from_u64(2);
        let mut counts = [0.0; 2];
        for _ in 0..10_000 {
            let mut differences = |shift: f64| (0..pairs).map(|_| shift + normal::drawn(&mut draws)).collect();
            let judged = judge(vec![
                (differences(0.0), Kind::Exploratory),
                (differences(shift), Kind::Planned),
                (differences(0.0), Kind::Exploratory),
            ]);
            let is = |at: usize| matches!(judged[at].verdict, Verdict::Better | Verdict::Worse);
            counts[0] += f64::from(u8::from(is(1)));
            counts[1] += f64::from(u8::from(is(0) || is(2)));
        }
        counts.map(|count| count / 10_000.0)
    }

    #[test]
    fn of_ten_thousand_null_experiments_at_most_one_in_twenty_is_declared() {
        // 12 of the 256 choices of signs are as far out as p = 0.046875, and 6 as far as half of that.
        let [planned, explored] = declared(8, 0.0);
        // docs/reproducing.md has these shares.
        assert_eq!([planned, explored], [0.0483, 0.0471]);
    }

    #[test]
    fn a_difference_of_one_and_a_half_deviations_is_declared_by_eight_seeds_and_never_by_five() {
        let [planned, _] = declared(8, 1.5);
        assert_eq!(planned, 0.9376);
        assert_eq!(declared(5, 1.5), [0.0; 2]);
    }
}
