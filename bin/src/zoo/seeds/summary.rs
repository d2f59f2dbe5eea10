//! The results of the trainings of a command: a line for each, as CSV, as JSON and for people.

use std::path::Path;

use pvlu_zoo::text::path;
use serde_json::{Value, json};

use super::epochs::{Ended, Epoch, PhaseName};
use super::folder::BEST;
use crate::common::error::CliError;
use crate::common::output::write_csv;

/// A column of the summary's file: its name, true if tunings alone have it, and its field for a training.
type Column = (&'static str, bool, fn(&Ended) -> String);

/// The columns after that of the seed.
const COLUMNS: [Column; 9] = [
    ("epochs", false, |ended| ended.epochs.len().to_string()),
    ("diverged", false, |ended| ended.diverged.to_string()),
    ("best_phase", true, |ended| text(ended.chosen().and_then(|epoch| epoch.phase.text()))),
    ("best_epoch", false, |ended| text(ended.chosen().map(|epoch| epoch.record.epoch))),
    ("held_out_top1", false, |ended| number(ended.chosen().map(|epoch| epoch.record.validation.top1))),
    ("test_top1_before", true, |ended| number(ended.before)),
    ("test_top1", false, |ended| number(test(ended))),
    ("last_test_top1", false, |ended| number(ended.last().map(|epoch| epoch.record.test.top1))),
    ("seconds", false, |ended| {
        let seconds: f64 = ended.epochs.iter().map(|epoch| epoch.record.seconds).sum();
        format!("{seconds:.3}")
    }),
];

fn text(value: Option<impl ToString>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

fn number(value: Option<f64>) -> String {
    value.filter(|value| !value.is_nan()).map_or(String::new(), |value| format!("{value:.6}"))
}

/// Test accuracy of the network that counts.
fn test(ended: &Ended) -> Option<f64> {
    ended.chosen().map(|epoch| epoch.record.test.top1)
}

/// Writes the summary of trainings, one line for each.
pub fn write(path: &Path, ended: &[(u64, Ended)]) -> Result<(), CliError> {
    let is_tuning = |ended: &Ended| ended.epochs.iter().any(|epoch| epoch.phase != PhaseName::Whole);
    let has_phases = ended.iter().any(|(_, ended)| is_tuning(ended));
    let columns = || COLUMNS.iter().filter(|(_, of_tunings, _)| has_phases || !of_tunings);
    let header: Vec<&str> = std::iter::once("seed").chain(columns().map(|(name, ..)| *name)).collect();
    let rows = ended.iter().map(|(seed, ended)| {
        std::iter::once(seed.to_string()).chain(columns().map(|(.., field)| field(ended))).collect()
    });
    write_csv::<String>(path, &header, rows)
}

/// The trainings as JSON, with mean and standard deviation of those that did not diverge.
pub fn json_of(ended: &[(u64, Ended)]) -> Value {
    let runs: Vec<Value> = ended.iter().map(|(seed, ended)| run(*seed, ended)).collect();
    let tests = tests(ended);
    json!({ "runs": runs, "mean_test_top1": mean(&tests), "deviation_test_top1": deviation(&tests) })
}

fn run(seed: u64, ended: &Ended) -> Value {
    let (chosen, last) = (ended.chosen(), ended.last());
    let mut json = json!({
        "seed": seed, "epochs": ended.epochs.len(), "diverged": ended.diverged,
        "best_epoch": chosen.map(|epoch| epoch.record.epoch),
        "held_out_top1": chosen.map(|epoch| epoch.record.validation.top1).filter(|top1| !top1.is_nan()),
        "test_top1": test(ended), "last_test_top1": last.map(|epoch| epoch.record.test.top1),
    });
    if let Some(phase) = chosen.and_then(|epoch| epoch.phase.text()) {
        json["best_phase"] = phase.into();
        json["test_top1_before"] = ended.before.into();
    }
    json
}

/// A line for each training, and one for the mean of several.
pub fn lines(name: &str, out: &Path, ended: &[(u64, Ended)]) -> String {
    let line = |(seed, ended): &(u64, Ended)| {
        let before = ended.before.map_or_else(String::new, |top1| format!("test {top1:.4} before, "));
        let of_phase = |epoch: &Epoch| epoch.phase.text().map_or_else(String::new, |name| format!(" of phase {name}"));
        let result = match ended.chosen() {
            chosen if ended.diverged => {
                let kept = chosen.map_or_else(String::new, |epoch| {
                    let number = epoch.record.epoch;
                    format!("; {BEST} is the network after epoch {number}{}", of_phase(epoch))
                });
                format!("the loss is not finite any more; a smaller --learning-rate may help{kept}")
            }
            Some(epoch) => {
                let (record, phase) = (&epoch.record, of_phase(epoch));
                let why = match record.validation.images {
                    0 => "the last".to_owned(),
                    _ => format!("the best by held-out images ({:.4})", record.validation.top1),
                };
                format!("{before}test {:.4} after epoch {}{phase}, {why}", record.test.top1, record.epoch)
            }
            None => "no epoch".to_owned(),
        };
        format!("{name} seed {seed}: {result}")
    };
    let mut lines: Vec<String> = ended.iter().map(line).collect();
    let tests = tests(ended);
    if let Some((mean, deviation)) = mean(&tests).zip(deviation(&tests)) {
        let left_out = ended.iter().filter(|(_, ended)| ended.diverged).count();
        let left_out = if left_out > 0 { format!(", {left_out} left out that diverged") } else { String::new() };
        lines.push(format!(
            "{name}: mean of {} seeds {mean:.4}, standard deviation {deviation:.4}{left_out}",
            tests.len()
        ));
    }
    lines.push(format!("written: {}", path(out)));
    lines.join("\n")
}

/// Test accuracies of the trainings that did not diverge.
fn tests(ended: &[(u64, Ended)]) -> Vec<f64> {
    ended.iter().filter(|(_, ended)| !ended.diverged).filter_map(|(_, ended)| test(ended)).collect()
}

fn mean(tests: &[f64]) -> Option<f64> {
    (!tests.is_empty()).then(|| tests.iter().sum::<f64>() / tests.len() as f64)
}

/// The standard deviation of several numbers; `None` of a single one.
fn deviation(tests: &[f64]) -> Option<f64> {
    let mean = mean(tests).filter(|_| tests.len() > 1)?;
    let squares: f64 = tests.iter().map(|top1| (top1 - mean) * (top1 - mean)).sum();
    Some((squares / (tests.len() - 1) as f64).sqrt())
}
