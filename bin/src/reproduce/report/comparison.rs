//! The comparison of a table with the paper, by model and arm.

use std::collections::BTreeSet;

use crate::common::error::CliError;
use crate::common::figure::look::arm_label;
use crate::common::statistics::p_value_text;
use crate::reproduce::figure::budget::budget;
use crate::reproduce::figure::dots::signed;
use crate::reproduce::figure::records::{Records, Row, slot};
use crate::reproduce::protocol::paper::Table;
use crate::reproduce::report::grid::Grid;

/// Our numbers of a table beside the paper's, and the notices on them.
pub struct Comparison {
    /// The table of text, a row for each model and arm.
    pub grid: Grid,
    /// Notices that a reader should see before the rows.
    pub notices: Vec<String>,
}

/// The summaries of a model and arm on the same data, preset and weights: the row of the means and that of their
/// standard errors.
#[derive(Default)]
struct Pair<'a> {
    mean: Option<Row<'a>>,
    error: Option<Row<'a>>,
}

/// The text of a cell, from the row of the means and, if there is one, that of the standard errors.
type Cell = fn(&Row<'_>, Option<&Row<'_>>) -> Result<String, CliError>;

/// The word in headings that stands for the base of a table.
const BASE: &str = "BASE";

/// Headings of the columns, and the text of their cells.
const COLUMNS: [(&str, Cell); 21] = [
    ("model", |mean, _| text(mean, "model")),
    ("arm", |mean, _| mean.text("arm").map(|arm| arm_label(arm).to_owned())),
    ("runs", |mean, _| text(mean, "runs")),
    ("died", |mean, _| text(mean, "died")),
    ("ours, selected, %", |mean, error| percent("val_selected_top1", mean, error)),
    ("ours, peak, %", |mean, error| percent("peak_top1", mean, error)),
    ("paper, peak, %", |mean, error| percent("paper_top1", mean, error)),
    ("ours - paper, peak, points", |mean, _| {
        let both = mean.number("peak_top1")?.zip(mean.number("paper_top1")?);
        Ok(both.map_or_else(none, |(ours, paper)| signed(100.0 * (ours - paper))))
    }),
    ("rel. error decrease, ours, %", |mean, error| percent("rel_error_decrease", mean, error)),
    ("rel. error decrease, paper, %", |mean, _| percent("paper_rel_error_decrease", mean, None)),
    ("ours - our BASE, selected, points (95 % interval)", |mean, _| difference(mean)),
    ("p (adjusted)", |mean, _| p_values(mean)),
    ("better than a run of BASE, % of pairs", |mean, _| scaled(mean, "improvement", 100.0, 0)),
    ("spread of seeds / of independent images, points", |mean, _| {
        let [found, expected] = ["spread", "expected_spread"].map(|column| scaled(mean, column, 100.0, 2));
        let (found, expected) = (found?, expected?);
        Ok(if expected == none() { none() } else { format!("{found} / {expected}") })
    }),
    ("trained parameters", |mean, _| text(mean, "trained_parameters")),
    ("ms a step, with evaluations", |mean, _| scaled(mean, "step_seconds", 1e3, 1)),
    ("verdict", |mean, _| Ok(verdict(mean))),
    ("chosen, of what was tried", |mean, _| {
        let [chosen, swept] = ["chosen", "swept"].map(|column| mean.optional(column));
        Ok(if chosen.is_empty() { none() } else { format!("{chosen}, of {swept}") })
    }),
    ("data", |mean, _| text(mean, "data")),
    ("budget", |mean, _| budget(mean).map(|budget| if budget.is_empty() { none() } else { budget })),
    ("pretrained", |mean, _| text(mean, "pretrained")),
];
/// Columns that name a row.
const NAMES: [&str; 2] = ["model", "arm"];
/// Columns whose value is given once, above the table, if it is the same in all rows.
const COMMON: [&str; 7] = ["model", "runs", "died", "chosen, of what was tried", "data", "budget", "pretrained"];
/// Columns of text, which may be broken into lines.
const WORDS: [&str; 5] = ["verdict", "chosen, of what was tried", "data", "budget", "pretrained"];
/// Columns of the file whose values identify a row.
const KEY: [&str; 5] = ["model", "arm", "data", "preset", "pretrained"];

/// A test that is true for values that need a notice.
type Tells = fn(&str) -> bool;
/// Notices on values: column, test of a value, and text for the reader.
const WARNINGS: [(&str, Tells, &str); 4] = [
    ("preset", |preset| preset.contains("quick"), "rows of a quick preset: a short training, not the paper's"),
    (
        "data",
        |data| data.contains("procedural"),
        "rows on procedural images: they say nothing of CIFAR, and are not comparable to the paper's",
    ),
    ("overridden", |options| !options.is_empty(), "values other than the preset's"),
    ("data_warnings", |warning| !warning.is_empty(), "warnings on the data"),
];

impl Comparison {
    /// Compares the summaries in the rows of a table's file with the paper.
    pub fn of(table: Table, records: &Records) -> Result<Self, CliError> {
        let mut pairs: Vec<([&str; 5], Pair<'_>)> = Vec::new();
        for row in records.rows() {
            let mut key = [""; 5];
            for (value, column) in key.iter_mut().zip(KEY) {
                *value = row.text(column)?;
            }
            let pair = slot(&mut pairs, key);
            match row.text("seed")? {
                "mean" => pair.mean = Some(row),
                "standard_error" => pair.error = Some(row),
                _ => {}
            }
        }
        let mut rows = Vec::new();
        let mut unfinished = Vec::new();
        for ([model, arm, ..], pair) in &pairs {
            match &pair.mean {
                Some(mean) => rows.push(
                    COLUMNS.iter().map(|(_, cell)| cell(mean, pair.error.as_ref())).collect::<Result<Vec<_>, _>>()?,
                ),
                None => unfinished.push(format!("{model} {}", arm_label(arm))),
            }
        }
        let mut notices = warnings(records)?;
        if !unfinished.is_empty() {
            notices.push(format!("runs without a summary, which are not shown: {}.", unfinished.join(", ")));
        }
        let [base, proposed] = [&table.protocol().base, &table.protocol().proposed].map(|arm| arm_label(arm));
        let mut caption = format!("{}: test accuracy, mean \u{b1} standard error over the seeds", table.heading());
        if table.is_own() {
            caption.push_str(&format!(". The planned comparison is that of {proposed} to {base}"));
        }
        if pairs.iter().any(|([model, ..], _)| pairs.first().is_some_and(|([first, ..], _)| first != model)) {
            caption.push_str(". Each network is judged by itself");
        }
        Ok(Self { grid: condensed(&caption, base, &rows), notices })
    }
}

/// The table without columns whose value is the same in all rows, which goes into the caption, and without columns that
/// are empty.
fn condensed(caption: &str, base: &str, rows: &[Vec<String>]) -> Grid {
    let (mut kept, mut common, mut empty) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (heading, _)) in COLUMNS.iter().enumerate() {
        let mut values: Vec<&str> = rows.iter().filter_map(|row| row.get(index)).map(String::as_str).collect();
        values.dedup();
        match values[..] {
            // Such a column says nothing, as for tables without pretrained weights.
            ["-"] if COMMON.contains(heading) => {}
            [value] if COMMON.contains(heading) => common.push(format!("{heading}: {value}")),
            ["-"] => empty.push(heading.replace(BASE, base)),
            _ => kept.push(index),
        }
    }
    let mut caption = caption.to_owned();
    if !common.is_empty() {
        caption.push_str(&format!(". In all rows: {}", common.join("; ")));
    }
    if !empty.is_empty() {
        caption.push_str(&format!(". There is no number for: {}", empty.join("; ")));
    }
    let headings: Vec<&str> = kept.iter().filter_map(|index| COLUMNS.get(*index)).map(|(name, _)| *name).collect();
    let of = |names: &[&str]| headings.iter().filter(|heading| names.contains(heading)).count();
    let cells = |row: &Vec<String>| kept.iter().filter_map(|index| row.get(*index)).cloned().collect();
    let (names, words) = (of(&NAMES), of(&WORDS));
    let headings = headings.iter().map(|heading| heading.replace(BASE, base)).collect();
    Grid { caption, names, words, rows: rows.iter().map(cells).collect(), headings }
}

fn warnings(records: &Records) -> Result<Vec<String>, CliError> {
    let mut notices = Vec::new();
    for (column, tells, what) in WARNINGS {
        let mut values = BTreeSet::new();
        for row in records.rows() {
            values.extend(Some(row.text(column)?).filter(|value| tells(value)));
        }
        if !values.is_empty() {
            notices.push(format!("{what} ({}).", values.into_iter().collect::<Vec<_>>().join("; ")));
        }
    }
    if !records.has("p_value") && records.rows().any(|row| !row.optional("difference_low").is_empty()) {
        notices.push("intervals are Student's, as an earlier build wrote them.".to_owned());
    }
    let mut died = 0;
    for row in records.rows() {
        died += u32::from(row.is_run()? && row.text("status")? == "died");
    }
    if died > 0 {
        notices.push(format!("runs that died: {died}; means are over those that lived."));
    }
    Ok(notices)
}

fn none() -> String {
    "-".to_owned()
}

fn text(row: &Row<'_>, column: &str) -> Result<String, CliError> {
    Ok(Some(row.text(column)?.to_owned()).filter(|text| !text.is_empty()).unwrap_or_else(none))
}

/// A share in percent, with its standard error if there is one.
fn percent(column: &str, mean: &Row<'_>, error: Option<&Row<'_>>) -> Result<String, CliError> {
    let Some(mean) = mean.number(column)? else { return Ok(none()) };
    let error = error.map_or(Ok(None), |row| row.number(column))?;
    let error = error.map_or_else(String::new, |error| format!(" \u{b1} {:.2}", 100.0 * error));
    Ok(format!("{:.2}{error}", 100.0 * mean))
}

fn difference(row: &Row<'_>) -> Result<String, CliError> {
    let Some(mean) = row.number("difference")? else { return Ok(none()) };
    let ends = row.number("difference_low")?.zip(row.number("difference_high")?);
    let ends =
        ends.map_or_else(String::new, |(low, high)| format!(" ({} to {})", signed(100.0 * low), signed(100.0 * high)));
    Ok(signed(100.0 * mean) + &ends)
}

/// The p-value alone, and that of the family of comparisons in brackets where it is another one. A file of an earlier
/// build has neither.
fn p_values(row: &Row<'_>) -> Result<String, CliError> {
    let [alone, adjusted] = [row.optional("p_value"), row.optional("p_adjusted")];
    if alone.is_empty() {
        return Ok(none());
    }
    let rounded = |column| Ok::<_, CliError>(row.number(column)?.map_or_else(none, p_value_text));
    let alone_rounded = rounded("p_value")?;
    Ok(if alone == adjusted { alone_rounded } else { format!("{alone_rounded} ({})", rounded("p_adjusted")?) })
}

/// A number in another unit and with some decimals; `-` in a file of an earlier build.
fn scaled(row: &Row<'_>, column: &str, unit: f64, decimals: usize) -> Result<String, CliError> {
    if row.optional(column).is_empty() {
        return Ok(none());
    }
    Ok(row.number(column)?.map_or_else(none, |value| format!("{:.decimals$}", unit * value)))
}

fn verdict(row: &Row<'_>) -> String {
    match (row.optional("comparison"), row.optional("verdict")) {
        (_, "") => none(),
        ("planned", verdict) => format!("{verdict} (planned)"),
        (_, verdict) => verdict.to_owned(),
    }
}
