//! The results of the trainings of a command: a line for each, as CSV, as JSON and for people.

use std::path::Path;

use pvlu_zoo::text::path;
use pvlu_zoo::train::EpochRecord;
use serde_json::{Value, json};

use super::folder::Ended;
use super::run::best;
use super::settings::Settings;

/// Columns of the summary's file.
pub const COLUMNS: [&str; 8] =
    ["seed", "epochs", "diverged", "best_epoch", "held_out_top1", "test_top1", "last_test_top1", "seconds"];

/// The epoch whose network counts: the best by held-out images, else the last.
fn chosen(ended: &Ended) -> Option<&EpochRecord> {
    best(&ended.epochs).or(ended.epochs.last().filter(|_| !ended.diverged))
}

/// The line of a training in the summary.
pub fn row(seed: u64, ended: &Ended) -> Vec<String> {
    let (chosen, last) = (chosen(ended), ended.epochs.last().filter(|_| !ended.diverged));
    let number =
        |value: Option<f64>| value.filter(|value| !value.is_nan()).map_or(String::new(), |value| format!("{value:.6}"));
    let seconds: f64 = ended.epochs.iter().map(|epoch| epoch.seconds).sum();
    vec![
        seed.to_string(),
        ended.epochs.len().to_string(),
        ended.diverged.to_string(),
        chosen.map_or(String::new(), |epoch| epoch.epoch.to_string()),
        number(chosen.map(|epoch| epoch.validation.top1)),
        number(chosen.map(|epoch| epoch.test.top1)),
        number(last.map(|epoch| epoch.test.top1)),
        format!("{seconds:.3}"),
    ]
}

/// A training as JSON.
pub fn json_of(seed: u64, ended: &Ended) -> Value {
    let (chosen, last) = (chosen(ended), ended.epochs.last().filter(|_| !ended.diverged));
    json!({
        "seed": seed, "epochs": ended.epochs.len(), "diverged": ended.diverged,
        "best_epoch": chosen.map(|epoch| epoch.epoch),
        "held_out_top1": chosen.map(|epoch| epoch.validation.top1).filter(|top1| !top1.is_nan()),
        "test_top1": chosen.map(|epoch| epoch.test.top1), "last_test_top1": last.map(|epoch| epoch.test.top1),
    })
}

/// A line for each training, and one for the mean of several.
pub fn text(settings: &Settings, out: &Path, ended: &[(u64, Ended)]) -> String {
    let name = format!("{} {}", settings.entry.name, settings.activation.name());
    let mut lines: Vec<String> = ended
        .iter()
        .map(|(seed, ended)| match chosen(ended) {
            _ if ended.diverged => {
                format!("{name} seed {seed}: the loss is not finite any more; a smaller --learning-rate may help")
            }
            Some(epoch) if epoch.validation.images > 0 => format!(
                "{name} seed {seed}: test {:.4} after epoch {}, the best by held-out images ({:.4})",
                epoch.test.top1, epoch.epoch, epoch.validation.top1
            ),
            Some(epoch) => {
                format!("{name} seed {seed}: test {:.4} after epoch {}, the last", epoch.test.top1, epoch.epoch)
            }
            None => format!("{name} seed {seed}: no epoch"),
        })
        .collect();
    let tests: Vec<f64> = ended
        .iter()
        .filter(|(_, ended)| !ended.diverged)
        .filter_map(|(_, ended)| Some(chosen(ended)?.test.top1))
        .collect();
    if tests.len() > 1 {
        let mean = tests.iter().sum::<f64>() / tests.len() as f64;
        let squares: f64 = tests.iter().map(|top1| (top1 - mean) * (top1 - mean)).sum();
        let left_out = ended.iter().filter(|(_, ended)| ended.diverged).count();
        let left_out = if left_out > 0 { format!(", {left_out} left out that diverged") } else { String::new() };
        let deviation = (squares / (tests.len() - 1) as f64).sqrt();
        lines.push(format!(
            "{name}: mean of {} seeds {mean:.4}, standard deviation {deviation:.4}{left_out}",
            tests.len()
        ));
    }
    lines.push(format!("written: {}", path(out)));
    lines.join("\n")
}
