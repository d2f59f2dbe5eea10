//! Writing a report as Markdown, which links to the files of the figures.

use std::fmt::Write;

use crate::reproduce::figure::Drawing;
use crate::reproduce::report::{Report, Table, grid::Grid};

/// The Markdown text of a report.
pub fn text(report: &Report) -> String {
    let mut out = format!("# {}\n", plain(report.heading));
    if !report.summary.rows.is_empty() {
        grid(&mut out, &report.summary);
    }
    list(&mut out, report.notices.iter().map(|notice| plain(notice)));
    for paragraph in super::EXPLANATIONS {
        let _ = writeln!(out, "\n{}", plain(paragraph));
    }
    for table in &report.tables {
        section(&mut out, table);
    }
    if !report.figures.is_empty() {
        out.push_str("\n## Figures\n");
        report.figures.iter().for_each(|drawing| figure(&mut out, drawing));
    }
    if !report.values.rows.is_empty() {
        out.push_str("\n## Values of the protocol\n");
        grid(&mut out, &report.values);
    }
    out
}

fn section(out: &mut String, table: &Table) {
    let _ = writeln!(out, "\n## {}", plain(&table.heading));
    if !table.comparison.grid.rows.is_empty() {
        grid(out, &table.comparison.grid);
    }
    table.figures.iter().for_each(|drawing| figure(out, drawing));
    if let Some(details) = &table.details {
        out.push_str("\nMade with:\n");
        list(out, details.0.iter().map(|(name, value)| format!("{}: {}", plain(name), plain(value))));
    }
}

fn list(out: &mut String, items: impl Iterator<Item = String>) {
    for (index, item) in items.enumerate() {
        let before = if index == 0 { "\n" } else { "" };
        let _ = writeln!(out, "{before}- {item}");
    }
}

fn figure(out: &mut String, drawing: &Drawing) {
    let _ = writeln!(out, "\n![{}]({}.svg)", plain(&drawing.figure.title()), drawing.figure.name());
}

fn grid(out: &mut String, grid: &Grid) {
    let _ = writeln!(out, "\n{}\n", plain(&grid.caption));
    let cells = |cells: &mut dyn Iterator<Item = String>| format!("| {} |", cells.collect::<Vec<_>>().join(" | "));
    let _ = writeln!(out, "{}", cells(&mut grid.headings.iter().map(|heading| plain(heading))));
    let sides = (0..grid.headings.len()).map(|index| {
        if index < grid.names || index + grid.words >= grid.headings.len() { "---" } else { "---:" }.to_owned()
    });
    let _ = writeln!(out, "{}", cells(&mut { sides }));
    for row in &grid.rows {
        let _ = writeln!(out, "{}", cells(&mut row.iter().map(|cell| plain(cell))));
    }
}

/// A text on one line, escaped so that nothing in it is taken for HTML, a link or the end of a cell.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' => out.extend(['\\', letter]),
            control if control.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}
