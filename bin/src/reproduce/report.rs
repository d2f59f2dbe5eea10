//! The report: every finished table beside the paper's numbers, and every figure, as a page and as Markdown.

mod comparison;
mod details;
mod grid;
mod html;
mod markdown;
mod style;
mod summary;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::common::error::CliError;
use crate::common::output::write_atomically;
use crate::reproduce::figure::records::{Records, slot};
use crate::reproduce::figure::{Drawing, Figure, available};
use crate::reproduce::protocol::paper;
use comparison::Comparison;
use details::Details;
use grid::Grid;
use summary::Line;

const HEADING: &str = "Reproduction of the tables on PVLU";

/// Paragraphs that explain the columns of the tables.
const EXPLANATIONS: [&str; 3] = [
    "Accuracies are on the test images. Selected: after the epoch that is best on held-out training images, so that \
     the test images choose nothing. Peak: after the epoch that is best on the test images, as the paper reports; the \
     paper's numbers are to be compared with these.",
    "Rel. error decrease: (e0 - e) / e0, where e is an error rate and e0 that of the base, ReLU in the paper's tables, \
     by the selected epoch. Differences are in percentage points; their intervals are over the differences between \
     runs with the same seed. The paper's decrease is by its peaks. A dash: no such number.",
    "p: the probability of a mean difference at least as large if the arm made none, exact, by flipping the signs of \
     the differences; in brackets that adjusted, by Holm's method, for all exploratory arms of the network. The \
     planned comparison, in the paper's tables that of PVLU to ReLU, is judged alone. The verdict is at 5 % for it and \
     at 5 % for the others of a network together, on seeds with which both runs lived. Intervals are the bootstrap's \
     (BCa), from six seeds on, and too narrow of few seeds.",
];

/// A value of the protocol: its name, the value, and "paper" or "chosen" as its source.
pub type Value<'a> = (&'a str, &'a str, &'a str);

/// The content of a report, before it is HTML or Markdown. All texts are as they are in the files, without escapes.
struct Report {
    heading: &'static str,
    /// A line for each table of the paper.
    summary: Grid,
    /// Notices that a reader should see before the numbers of the tables.
    notices: Vec<String>,
    tables: Vec<Table>,
    /// Figures that belong to no table.
    figures: Vec<Drawing>,
    values: Grid,
}

/// The section of a report on one table.
struct Table {
    name: &'static str,
    heading: String,
    comparison: Comparison,
    details: Option<Details>,
    figures: Vec<Drawing>,
}

/// Writes `report.html` and `report.md`, and the figures that they show, from the files in a folder.
///
/// The page needs no other file; the Markdown links to the SVG files of the figures. After the paper's tables come the
/// `own` ones. `values` are listed as those of the protocols.
pub fn write(from: &Path, to: &Path, own: &[paper::Table], values: &[Value<'_>]) -> Result<[PathBuf; 2], CliError> {
    let report = Report::read(from, own, values)?;
    for drawing in report.tables.iter().flat_map(|table| &table.figures).chain(&report.figures) {
        drawing.write(to)?;
    }
    let [page, text] = ["report.html", "report.md"].map(|name| to.join(name));
    write_atomically(&page, html::page(&report).as_bytes())?;
    write_atomically(&text, markdown::text(&report).as_bytes())?;
    Ok([page, text])
}

/// HTML and Markdown on one table, from the contents of its CSV file and, if there is one, its JSON file.
pub fn of_table(of: paper::Table, csv: &[u8], json: Option<&[u8]>) -> Result<[String; 2], CliError> {
    let path = |ending: &str| PathBuf::from(format!("{}.{ending}", of.name()));
    let records = Records::parse(&path("csv"), csv)?;
    let mut table = Table::of(of, &records)?;
    table.details = json.map_or(Ok(None), |json| Details::parse(&path("json"), json))?;
    let values = Grid::empty();
    let summary = Line::grid(&[Line::of(of, &records)?]);
    let (notices, figures) = (Vec::new(), Vec::new());
    let report = Report { heading: HEADING, summary, notices, tables: vec![table], figures, values };
    Ok([html::page(&report), markdown::text(&report)])
}

impl Table {
    /// The section without details and figures, from the rows of the table's CSV file.
    fn of(of: paper::Table, records: &Records) -> Result<Self, CliError> {
        let heading = of.heading();
        let comparison = Comparison::of(of, records)?;
        Ok(Self { name: of.name(), heading, comparison, details: None, figures: Vec::new() })
    }
}

impl Report {
    fn read(from: &Path, own: &[paper::Table], values: &[Value<'_>]) -> Result<Self, CliError> {
        // Notices, and the numbers of the tables that each is about.
        let mut told: Vec<(String, Vec<&str>)> = Vec::new();
        let mut tables = Vec::new();
        let mut missing = Vec::new();
        let mut lines = Vec::new();
        let mut figures = Vec::new();
        let of_own = own.iter().flat_map(|table| Figure::of_table(*table));
        for figure in available(from, Figure::all().into_iter().chain(of_own).collect()) {
            figures.push(Drawing::of(figure, from)?);
        }
        for of in paper::all().iter().chain(own) {
            let (name, number) = (of.name(), of.number());
            let path = from.join(format!("{name}.csv"));
            let records = if path.exists() { Some(Records::read(&path)?) } else { None };
            let Some(records) = records.filter(|records| records.rows().next().is_some()) else {
                if !of.is_own() {
                    missing.push(number);
                    lines.push(Line { of: *of, found: None });
                }
                continue;
            };
            lines.push(Line::of(*of, &records)?);
            let mut table = Table::of(*of, &records)?;
            table.details = Details::read(&from.join(format!("{name}.json")))?;
            (table.figures, figures) = figures.into_iter().partition(|drawing| drawing.figure.table() == Some(*of));
            for notice in &table.comparison.notices {
                slot(&mut told, notice.clone()).push(number);
            }
            tables.push(table);
        }
        let mut notices = Vec::new();
        if !missing.is_empty() {
            notices.push(format!("Missing, because not run: table {}.", missing.join(", table ")));
        }
        for (notice, numbers) in told {
            let tables = if numbers.len() == 1 { "Table" } else { "Tables" };
            notices.push(format!("{tables} {}: {notice}", numbers.join(", ")));
        }
        let rows = values.iter().map(|(what, value, source)| [*what, *value, *source].map(str::to_owned).to_vec());
        let values = Grid {
            caption: "Values of the protocol: the paper's, and those chosen where it is silent. The preset quick has \
            smaller counts; what a table used is with it"
                .to_owned(),
            headings: ["value of", "value", "source"].map(str::to_owned).to_vec(),
            names: 1,
            words: 2,
            rows: rows.collect(),
        };
        Ok(Self { heading: HEADING, summary: Line::grid(&lines), notices, tables, figures, values })
    }
}
