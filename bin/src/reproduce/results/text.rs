//! The text of a table for stdout.

use std::fmt::Write;

use super::{Group, Report};
use crate::common::statistics::{Paired, percent};
use crate::reproduce::protocol::paper;

impl Report<'_> {
    /// The table as text for stdout.
    pub fn text(&self) -> String {
        let Some(config) = self.records.first().map(|run| &run.config) else { return String::new() };
        let mut seeds: Vec<u64> = self.records.iter().map(|run| run.config.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let epochs = match config.first_epochs {
            None => config.epochs.to_string(),
            Some(first) => format!("{first} + {}", config.epochs),
        };
        let title = paper::find(&config.table).map_or("", paper::Table::title);
        let (data, preset) = (&config.setup.data, &config.setup.preset);
        let mut text = format!(
            "{title}\ndata {data}, preset {preset}, {epochs} epochs, {} seed{}; test accuracy in %, mean and \
             standard error over runs that lived\n\n",
            seeds.len(),
            if seeds.len() == 1 { "" } else { "s" }
        );
        let _ = writeln!(
            text,
            "{:<18} {:<12} {:>4} {:>4} {:>8} {:>7} {:>14} {:>14} {:>14} {:>14} {:>14}  difference to \
             ReLU, 95 % interval",
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
            "rel. error"
        );
        for Group { first, all, lived, before, last, selected, peak, decrease, difference, paper } in
            self.groups.iter().filter_map(|(model, arm)| self.group(model, arm))
        {
            let (model, arm) = (&first.config.model, &first.config.arm);
            let _ = write!(
                text,
                "{model:<18} {arm:<12} {lived:>4} {:>4} {:>8} {:>7}",
                all - lived,
                first.trained_parameters,
                whole(before.mean)
            );
            for summary in [&last, &selected, &peak, &paper.top1, &decrease] {
                let _ = write!(text, " {:>14}", percent(summary));
            }
            let _ = writeln!(text, "  {}", interval(&difference));
        }
        text.push_str(
            "\ntrained: parameters that were trained. before: with ReLU, before the arms part. selected: at the epoch \
             that is best on held-out training\nimages. peak: the best epoch by the test images, as the paper reports. \
             rel. error, difference: against ReLU with the same seed, by the\nselected epoch.",
        );
        text
    }
}

fn whole(value: f64) -> String {
    if value.is_nan() { "-".to_owned() } else { format!("{:.2}", 100.0 * value) }
}

/// A difference in percentage points with its interval, if there is one.
fn interval(difference: &Paired) -> String {
    if difference.mean.is_nan() {
        return "-".to_owned();
    }
    let [mean, low, high] =
        [difference.mean, difference.low, difference.high].map(|value| format!("{:+.2}", 100.0 * value));
    if difference.low.is_nan() { mean } else { format!("{mean} [{low}, {high}]") }
}
