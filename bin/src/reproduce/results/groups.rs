//! The runs of a table by model and arm, and what they say of the arm.

use crate::common::statistics::verdict::{self, Comparison, Kind};
use crate::common::statistics::{Summary, bootstrap, rel_error_decrease, summarize};
use crate::reproduce::protocol::definition::Protocol;
use crate::reproduce::protocol::paper::Table;
use crate::reproduce::protocol::published::{self, Paper};
use crate::reproduce::runs::record::Record;

/// The runs of a table, to be compared to each other.
pub struct Report<'a> {
    /// The table that the runs are of.
    pub table: Table,
    /// All runs, also those that died.
    pub records: &'a [Record],
    /// Models and arms, in the order of the table, with the comparison to the base.
    pub groups: Vec<Arm<'a>>,
}

/// An arm of a model.
pub struct Arm<'a> {
    model: &'a str,
    arm: &'a str,
    /// The comparison to the base, and the interval of its mean; `None` of the base itself.
    comparison: Option<(Comparison, Option<(f64, f64)>)>,
}

/// Results of the runs of an arm that lived, together.
pub struct Group<'a> {
    /// The first run of the arm.
    pub first: &'a Record,
    /// Runs of the arm.
    pub all: usize,
    /// Runs of the arm that lived.
    pub lived: usize,
    /// Test accuracy before the runs.
    pub before: Summary,
    /// Test accuracy after the last epoch.
    pub last: Summary,
    /// Test accuracy at the selected epoch.
    pub selected: Summary,
    /// The best test accuracy after any epoch.
    pub peak: Summary,
    /// Relative decrease of the base's error rate.
    pub decrease: Summary,
    /// The comparison to the base, at the selected epochs.
    pub comparison: Option<Comparison>,
    /// Ends of the 95 % [interval](bootstrap::interval) of the mean difference.
    pub interval: Option<(f64, f64)>,
    /// The probability that a run is better than one of the base, at the selected epochs; NaN of the base itself.
    pub improvement: f64,
    /// Standard deviation of the accuracy at the selected epoch between seeds; NaN for fewer than two.
    pub spread: f64,
    /// The one of [independent images](verdict::expected_spread).
    pub expected_spread: f64,
    /// Mean time of the runs by their training steps, evaluations included, in seconds; NaN of networks that were only
    /// measured.
    pub step_seconds: f64,
    /// The numbers that the paper prints.
    pub paper: Paper,
}

impl<'a> Report<'a> {
    /// The report on some runs.
    pub fn of(table: Table, records: &'a [Record]) -> Self {
        let mut groups: Vec<(&str, &str)> = Vec::new();
        for record in records {
            let group = (record.config.model.as_str(), record.config.arm.as_str());
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        // All arms of a model together, in the order in which they came.
        let models: Vec<&str> = groups.iter().map(|(model, _)| *model).collect();
        groups.sort_by_key(|(model, _)| models.iter().position(|other| other == model));
        let mut report = Self { table, records, groups: Vec::new() };
        let Protocol { base, proposed, .. } = table.protocol();
        let of_protocol = |arm: &str| table.protocol().arm(arm, None).map(|arm| arm.activation.text());
        for of_model in groups.chunk_by(|(a, _), (b, _)| a == b) {
            // The arms of a network are a family: the planned one is judged alone, the other ones together.
            let compared: Vec<_> = of_model.iter().filter(|(_, arm)| arm != base).collect();
            let differences = |(model, arm): &&(&str, &str)| {
                // Not with other start values, which an arm's name does not tell.
                let is_own = |arm: &str| {
                    let text = of_protocol(arm);
                    report.runs(model, arm).all(|run| run.config.activation.as_deref() == text)
                };
                let is_planned = arm == proposed && is_own(arm) && is_own(base);
                let kind = if is_planned { Kind::Planned } else { Kind::Exploratory };
                (report.pairs(model, arm).map(|(base, top1)| top1 - base).collect(), kind)
            };
            let judged = verdict::judge(compared.iter().map(&differences).collect());
            let mut judged = compared.into_iter().zip(judged).collect::<Vec<_>>();
            report.groups.extend(of_model.iter().map(|&(model, arm)| {
                let at = judged.iter().position(|((_, other), _)| *other == arm);
                let comparison = at.map(|at| judged.swap_remove(at).1);
                let comparison = comparison.map(|found| {
                    let interval = bootstrap::interval(&found.differences);
                    (found, interval)
                });
                Arm { model, arm, comparison }
            }));
        }
        report
    }

    fn runs(&self, model: &str, arm: &str) -> impl Iterator<Item = &'a Record> {
        self.records.iter().filter(move |run| run.config.model == model && run.config.arm == arm)
    }

    fn lived(&self, model: &str, arm: &str) -> impl Iterator<Item = &'a Record> {
        self.runs(model, arm).filter(|run| run.lived())
    }

    /// Accuracies at the selected epochs, of the base and of the arm, by seed.
    fn pairs(&self, model: &str, arm: &str) -> impl Iterator<Item = (f64, f64)> {
        self.lived(model, arm).filter_map(|run| Some((self.base(run)?.selected(), run.selected())))
    }

    /// The results of the runs of an arm, together.
    pub fn group(&self, Arm { model, arm, comparison }: &Arm<'_>) -> Option<Group<'a>> {
        let all: Vec<&Record> = self.runs(model, arm).collect();
        let lived: Vec<&Record> = self.lived(model, arm).collect();
        let summary = |of: fn(&Record) -> f64| summarize(&lived.iter().map(|run| of(run)).collect::<Vec<_>>());
        let selected: Vec<f64> = lived.iter().map(|run| run.selected()).collect();
        let base = self.table.protocol().base.as_str();
        let of_base: Vec<f64> = self.lived(model, base).map(Record::selected).filter(|_| *arm != base).collect();
        let decreases = self.pairs(model, arm).filter(|_| *arm != base);
        let decreases = decreases.map(|(base, top1)| rel_error_decrease(base, top1));
        let first = *all.first()?;
        let at_selected = summarize(&selected);
        Some(Group {
            first,
            all: all.len(),
            lived: lived.len(),
            before: summary(|run| run.before_top1),
            last: summary(Record::last),
            peak: summary(Record::peak),
            decrease: summarize(&decreases.filter(|decrease| !decrease.is_nan()).collect::<Vec<_>>()),
            comparison: comparison.as_ref().map(|(found, _)| found.clone()),
            interval: comparison.as_ref().and_then(|(_, interval)| *interval),
            improvement: verdict::improvement(&selected, &of_base),
            spread: at_selected.standard_error * (lived.len() as f64).sqrt(),
            expected_spread: verdict::expected_spread(at_selected.mean, first.config.setup.test_images),
            step_seconds: summary(|run| run.step_seconds().unwrap_or(f64::NAN)).mean,
            selected: at_selected,
            paper: published::of(&first.config),
        })
    }

    /// The base of the same model and seed, if it lived.
    pub fn base(&self, run: &Record) -> Option<&'a Record> {
        let same = |other: &&Record| {
            let (other, run) = (&other.config, &run.config);
            other.arm == self.table.protocol().base && other.model == run.model && other.seed == run.seed
        };
        self.records.iter().find(same).filter(|base| base.lived())
    }
}
