//! The text of a table for stdout.

use std::fmt::Write;

use super::groups::{Group, Report};
use crate::common::figure::look::arm_label;
use crate::common::statistics::verdict::Comparison;
use crate::common::statistics::{p_value_text, percent};
use crate::reproduce::choice::Score;
use crate::reproduce::runs::record::Record;

impl Report<'_> {
    /// The table as text for stdout.
    pub fn text(&self) -> String {
        let Some(config) = self.records.first().map(|run| &run.config) else { return String::new() };
        let mut seeds: Vec<u64> = self.records.iter().map(|run| run.config.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        // Under a sweep arms may have epochs of their own.
        let epochs = || self.records.iter().map(|run| run.config.epochs);
        let (least, most) = (epochs().min().unwrap_or_default(), epochs().max().unwrap_or_default());
        let epochs = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let epochs = config.first_epochs.map_or(epochs.clone(), |first| format!("{first} + {epochs}"));
        let (title, base) = (self.table.title(), arm_label(&self.table.protocol().base));
        let (data, preset) = (&config.setup.data, &config.setup.preset);
        let mut text = format!(
            "{title}\ndata {data}, preset {preset}, {epochs} epochs, {} seed{}; test accuracy in %, mean and \
             standard error over runs that lived\n\n",
            seeds.len(),
            if seeds.len() == 1 { "" } else { "s" }
        );
        let _ = writeln!(
            text,
            "{:<18} {:<16} {:>4} {:>4} {:>8} {:>7} {:>14} {:>14} {:>14} {:>14} {:>14} {:>6} {:>7} {:>9}",
            "model",
            "arm",
            "runs",
            "died",
            "trained",
            "before",
            "final",
            "selected",
            "peak",
            "paper (peak)",
            "rel. error",
            "spread",
            "expect.",
            "ms a step"
        );
        let mut compared = String::new();
        for group in self.groups.iter().filter_map(|arm| self.group(arm)) {
            let Group { first, all, lived, before, last, selected, peak, decrease, paper, .. } = &group;
            let (model, arm) = (&first.config.model, &first.config.arm);
            let _ = write!(
                text,
                "{model:<18} {arm:<16} {lived:>4} {:>4} {:>8} {:>7}",
                all - lived,
                first.trained_parameters,
                whole(before.mean)
            );
            for summary in [last, selected, peak, &paper.top1, decrease] {
                let _ = write!(text, " {:>14}", percent(summary));
            }
            let step =
                if group.step_seconds.is_nan() { "-".to_owned() } else { format!("{:.1}", 1e3 * group.step_seconds) };
            let _ = writeln!(text, " {:>6} {:>7} {step:>9}", whole(group.spread), whole(group.expected_spread));
            if let Some(comparison) = &group.comparison {
                let (kind, wins) = (comparison.kind.name(), whole(group.improvement));
                let _ = writeln!(
                    compared,
                    "{model:<18} {arm:<16} {kind:<11} {wins:>6} {}",
                    judged(comparison, group.interval)
                );
            }
        }
        if !compared.is_empty() {
            let _ = write!(
                text,
                "\nagainst {base}, at the selected epoch, runs with the same seed paired\n\
                 {:<18} {:<16} {:<11} {:>6} {:>8} {:>18} {:>8} {:>8}  verdict\n{compared}",
                "model", "arm", "comparison", "wins %", "points", "95 % interval", "p", "adj. p"
            );
        }
        let _ = write!(
            text,
            "\ntrained: parameters that were trained. before: with ReLU, before the arms part. selected: at the epoch \
             that is best on held-out training\nimages. peak: the best epoch by the test images, as the paper reports. \
             rel. error: against {base} with the same seed, by the selected epoch.\nspread: deviation between seeds, \
             selected; expect.: what it would be if images were right independently of each other. ms a step: with \
             evaluations.\n\
             wins: runs better than one of {base}, of all pairs. interval: bootstrap, from 6 seeds on. p: exact, by \
             flipping signs; adj. p: of the\nexploratory comparisons of a network together, by Holm's method. The \
             verdict is at 5 % for the planned and at 5 % for these, of each network by itself, on runs that lived.",
        );
        text
    }
}

/// The trials of a sweep by network and arm, with their accuracies and the settings that were chosen; empty without
/// trials.
pub fn of_trials(trials: &[Record], scores: &[Score]) -> String {
    let mut seeds: Vec<u64> = trials.iter().map(|trial| trial.config.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    if seeds.is_empty() {
        return String::new();
    }
    let plural = if seeds.len() == 1 { "" } else { "s" };
    let seeds = format!("seed{plural} {}", seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "));
    let marked = if scores.iter().any(|score| score.chosen) {
        "the runs of an arm have the setting marked *"
    } else {
        "nothing is chosen before all trials of an arm are finished"
    };
    let mut text = format!(
        "\ntried before the runs: accuracy on held-out images in %, {seeds}, which the runs do not use; {marked}\n"
    );
    for of_arm in scores.chunk_by(|a, b| (&a.model, &a.arm) == (&b.model, &b.arm)) {
        let Some(Score { model, arm, .. }) = of_arm.first() else { continue };
        let tried = |score: &Score| {
            let mark = if score.chosen { "*" } else { "" };
            format!("{}: {}{mark}", score.setting, whole(score.top1))
        };
        let tried: Vec<String> = of_arm.iter().map(tried).collect();
        let ends = at_end(of_arm);
        let end = if ends.is_empty() { String::new() } else { format!(" ({ends}: at the end of what was tried)") };
        let _ = writeln!(text, "{model:<18} {arm:<16} {}{end}", tried.join("  "));
    }
    text
}

/// The keys of which the least or the greatest of three or more numbers was chosen: a better one may lie beyond.
fn at_end(of_arm: &[Score]) -> String {
    let pairs = |score: &Score| -> Vec<(String, f64)> {
        let pair =
            |part: &str| part.split_once('=').and_then(|(key, value)| Some((key.to_owned(), value.parse().ok()?)));
        score.setting.split('+').filter_map(pair).collect()
    };
    let Some(chosen) = of_arm.iter().find(|score| score.chosen) else { return String::new() };
    let is_at_end = |(key, value): &(String, f64)| {
        let mut tried: Vec<f64> = of_arm.iter().flat_map(pairs).filter(|(of, _)| of == key).map(|of| of.1).collect();
        tried.sort_by(f64::total_cmp);
        tried.dedup();
        tried.len() > 2 && (tried.first() == Some(value) || tried.last() == Some(value))
    };
    let ends: Vec<String> = pairs(chosen).into_iter().filter(is_at_end).map(|(key, _)| key).collect();
    ends.join(", ")
}

fn whole(value: f64) -> String {
    if value.is_nan() { "-".to_owned() } else { format!("{:.2}", 100.0 * value) }
}

/// A difference in percentage points with its interval, p-values and verdict.
fn judged(comparison: &Comparison, interval: Option<(f64, f64)>) -> String {
    let points = |value: f64| if value.is_nan() { "-".to_owned() } else { format!("{:+.2}", 100.0 * value) };
    let interval =
        interval.map_or_else(|| "-".to_owned(), |(low, high)| format!("[{}, {}]", points(low), points(high)));
    let [p_value, adjusted] = [comparison.p_value, comparison.adjusted].map(p_value_text);
    format!("{:>8} {interval:>18} {p_value:>8} {adjusted:>8}  {}", points(comparison.mean()), comparison.verdict)
}
