//! The summary of the report: a line for each table with its question, its result and the conditions.

use std::collections::BTreeSet;

use crate::common::error::CliError;
use crate::common::figure::look::arm_label;
use crate::reproduce::figure::budget::{budget, counted};
use crate::reproduce::figure::dots::signed;
use crate::reproduce::figure::records::{Records, Row, slot};
use crate::reproduce::protocol::paper;
use crate::reproduce::report::grid::Grid;

/// A line of the summary.
pub struct Line {
    /// The table that the line is about.
    pub of: paper::Table,
    /// The result and the conditions; `None` if the table was not run.
    pub found: Option<[String; 2]>,
}

impl Line {
    /// The line of a table, from the rows of its file.
    pub fn of(of: paper::Table, records: &Records) -> Result<Self, CliError> {
        let mut means: Vec<(&str, Vec<Row<'_>>)> = Vec::new();
        for row in records.rows() {
            if row.text("seed")? == "mean" {
                slot(&mut means, row.text("model")?).push(row);
            }
        }
        let mut found = Vec::new();
        for (model, rows) in &means {
            let found_here = findings(of, rows)?;
            found.push(if means.len() == 1 { found_here } else { format!("{model}: {found_here}") });
        }
        let found = if found.is_empty() { "no run has a summary".to_owned() } else { found.join(". ") };
        Ok(Self { of, found: Some([found, conditions(records, &means)?]) })
    }

    /// The lines as a table of text.
    pub fn grid(lines: &[Self]) -> Grid {
        let mut bases: Vec<&str> = Vec::new();
        for line in lines {
            let base = arm_label(&line.of.protocol().base);
            if !bases.contains(&base) {
                bases.push(base);
            }
        }
        let row = |line: &Self| {
            let asked = line.of.subject().to_owned();
            let [found, on] = line.found.clone().unwrap_or_else(|| ["not run".to_owned(), "-".to_owned()]);
            vec![line.of.heading(), asked, found, on]
        };
        Grid {
            caption: format!(
                "Summary: differences are to our {}, in percentage points of test accuracy at the selected epoch, with \
                 their 95 % intervals where there are seeds enough",
                bases.join(" or ")
            ),
            headings: ["table", "what was asked", "what was found", "on what"].map(str::to_owned).to_vec(),
            names: 1,
            words: 3,
            rows: lines.iter().map(row).collect(),
        }
    }
}

/// The result of a model, from the means of its arms: the proposed arm's difference, and the arm with the highest
/// accuracy.
fn findings(of: paper::Table, rows: &[Row<'_>]) -> Result<String, CliError> {
    let base = arm_label(&of.protocol().base);
    let mut parts = Vec::new();
    let mut highest: Option<(f64, &str)> = None;
    for row in rows {
        let arm = row.text("arm")?;
        if arm == of.protocol().proposed {
            parts.push(match row.number("difference")? {
                Some(difference) => {
                    let (points, interval) = (signed(100.0 * difference), interval(row)?);
                    let verdict = Some(row.optional("verdict")).filter(|verdict| !verdict.is_empty());
                    let verdict = verdict.map_or_else(String::new, |verdict| format!(", {verdict}"));
                    format!("{} {points} points{interval}{verdict}", arm_label(arm))
                }
                None => format!("{}: no difference to {base}", arm_label(arm)),
            });
        }
        if let Some(top1) = row.number("val_selected_top1")?
            && highest.is_none_or(|(known, _)| top1 > known)
        {
            highest = Some((top1, arm));
        }
    }
    if let Some((top1, arm)) = highest {
        parts.push(format!("highest mean: {}, {:.2} %", arm_label(arm), 100.0 * top1));
    }
    Ok(if parts.is_empty() { "no run lived".to_owned() } else { parts.join("; ") })
}

fn interval(row: &Row<'_>) -> Result<String, CliError> {
    let ends = row.number("difference_low")?.zip(row.number("difference_high")?);
    Ok(ends.map_or_else(String::new, |(low, high)| format!(" ({} to {})", signed(100.0 * low), signed(100.0 * high))))
}

/// Data, budget, models, weights and number of seeds.
fn conditions(records: &Records, means: &[(&str, Vec<Row<'_>>)]) -> Result<String, CliError> {
    let (mut budgets, mut seeds) = (Vec::new(), BTreeSet::new());
    for row in records.rows() {
        let budget = budget(&row)?;
        if !budget.is_empty() && !budgets.contains(&budget) {
            budgets.push(budget);
        }
        if row.is_run()? {
            seeds.insert(row.text("seed")?);
        }
    }
    let mut parts = vec![records.distinct("data")?.join(", ")];
    if let [(model, _)] = means {
        parts.push((*model).to_owned());
    }
    parts.extend(budgets);
    let weights: Vec<&str> =
        records.distinct("pretrained")?.into_iter().filter(|weights| !["", "no"].contains(weights)).collect();
    if !weights.is_empty() {
        parts.push(format!("pretrained: {}", weights.join(", ")));
    }
    parts.push(counted(&seeds.len().to_string(), "seed"));
    Ok(parts.join("; "))
}
