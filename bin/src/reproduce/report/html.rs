//! Writing a report as an HTML page, which needs no other file and runs no script.

use std::fmt::Write;

use crate::common::figure::svg::escaped;
use crate::reproduce::figure::Drawing;
use crate::reproduce::report::{Report, Table, grid::Grid, style};

/// The HTML text of the page.
pub fn page(report: &Report) -> String {
    let heading = escaped(report.heading);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{heading}</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n<main>\n<h1>{heading}</h1>\n",
        style::rules()
    );
    if !report.summary.rows.is_empty() {
        grid(&mut out, &report.summary, Some("summary"));
    }
    contents(&mut out, report);
    if !report.notices.is_empty() {
        out.push_str("<ul class=\"notices\">\n");
        for notice in &report.notices {
            let _ = writeln!(out, "<li>{}</li>", escaped(notice));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("<section id=\"columns\">\n<h2>How to read the columns</h2>\n");
    for paragraph in super::EXPLANATIONS {
        let _ = writeln!(out, "<p>{}</p>", escaped(paragraph));
    }
    out.push_str("</section>\n");
    for table in &report.tables {
        section(&mut out, table);
    }
    if !report.figures.is_empty() {
        out.push_str("<section id=\"figures\">\n<h2>Figures</h2>\n");
        report.figures.iter().for_each(|drawing| figure(&mut out, drawing));
        out.push_str("</section>\n");
    }
    if !report.values.rows.is_empty() {
        out.push_str("<section id=\"values\">\n<h2>Values of the protocol</h2>\n");
        grid(&mut out, &report.values, None);
        out.push_str("</section>\n");
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// Appends links to the parts of the page.
fn contents(out: &mut String, report: &Report) {
    out.push_str("<nav aria-label=\"Contents\">\n<ul>\n<li><a href=\"#columns\">How to read the columns</a></li>\n");
    for table in &report.tables {
        let (name, heading) = (escaped(table.name), escaped(&table.heading));
        let _ = writeln!(out, "<li><a href=\"#{name}-section\">{heading}</a></li>");
    }
    let parts = [
        ("figures", "Figures", report.figures.is_empty()),
        ("values", "Values of the protocol", report.values.rows.is_empty()),
    ];
    for (name, heading, _) in parts.iter().filter(|(_, _, empty)| !empty) {
        let _ = writeln!(out, "<li><a href=\"#{name}\">{heading}</a></li>");
    }
    out.push_str("</ul>\n</nav>\n");
}

fn section(out: &mut String, table: &Table) {
    let _ = writeln!(out, "<section id=\"{}-section\">\n<h2>{}</h2>", escaped(table.name), escaped(&table.heading));
    if !table.comparison.grid.rows.is_empty() {
        grid(out, &table.comparison.grid, None);
    }
    table.figures.iter().for_each(|drawing| figure(out, drawing));
    if let Some(details) = &table.details {
        out.push_str("<details>\n<summary>Made with</summary>\n<dl>\n");
        for (name, value) in &details.0 {
            let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value));
        }
        out.push_str("</dl>\n</details>\n");
    }
    out.push_str("</section>\n");
}

fn figure(out: &mut String, drawing: &Drawing) {
    // The title and the note are in the drawing.
    let title = escaped(&drawing.figure.title());
    let _ = writeln!(out, "<figure class=\"wide\" aria-label=\"{title}\" tabindex=\"0\">\n{}</figure>", drawing.svg);
}

fn grid(out: &mut String, grid: &Grid, class: Option<&str>) {
    // A box that scrolls has to be reachable by the keyboard, and so needs a name.
    let caption = escaped(&grid.caption);
    let _ = writeln!(
        out,
        "<div class=\"{}\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\">\n<table>\n\
         <caption>{caption}</caption>\n<thead>\n<tr>",
        class.unwrap_or("wide")
    );
    for heading in &grid.headings {
        let _ = writeln!(out, "<th scope=\"col\">{}</th>", escaped(heading));
    }
    out.push_str("</tr>\n</thead>\n<tbody>\n");
    for row in &grid.rows {
        out.push_str("<tr>");
        for (index, cell) in row.iter().enumerate() {
            let cell = escaped(cell);
            let _ = if index < grid.names {
                write!(out, "<th scope=\"row\">{cell}</th>")
            } else if index + grid.words >= row.len() {
                write!(out, "<td class=\"words\">{}</td>", breakable(&cell))
            } else {
                write!(out, "<td>{cell}</td>")
            };
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
}

/// The escaped text with places where file names may be broken into lines, but numbers may not.
fn breakable(escaped: &str) -> String {
    let mut out = String::with_capacity(escaped.len());
    let mut letters = escaped.chars().peekable();
    while let Some(letter) = letters.next() {
        out.push(letter);
        if ['_', '.'].contains(&letter) && letters.peek().is_some_and(char::is_ascii_alphabetic) {
            out.push_str("<wbr/>");
        }
    }
    out
}
