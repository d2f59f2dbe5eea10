//! A report as one page that needs no other file and runs nothing.

use std::fmt::Write;

use crate::figure::Drawing;
use crate::figure::svg::escaped;
use crate::page::{Grid, Report, Table};

const STYLE: &str = "\
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 75rem; padding: 1rem; color: #222; background: #fff; font: 1rem/1.5 system-ui, sans-serif; }
h1, h2 { line-height: 1.2; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
.notices { border-left: 4px solid #d55e00; background: #fdf3ec; padding: 0.5rem 1rem 0.5rem 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.875rem; }
caption { text-align: left; font-weight: 600; padding: 0.5rem 0; }
th, td { border: 1px solid #ccc; padding: 0.25rem 0.5rem; text-align: right; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; }
thead th { background: #f3f3f3; vertical-align: bottom; }
.text td { text-align: left; }
figure { margin: 1.5rem 0; }
figure svg { max-width: 100%; height: auto; display: block; }
figcaption { color: #555; font-size: 0.875rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; font-size: 0.875rem; }
dd { margin: 0; overflow-wrap: anywhere; }
";

/// The page.
pub fn page(report: &Report<'_>) -> String {
    let heading = escaped(report.heading);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{heading}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{heading}</h1>\n"
    );
    if !report.notices.is_empty() {
        out.push_str("<ul class=\"notices\">\n");
        for notice in &report.notices {
            let _ = writeln!(out, "<li>{}</li>", escaped(notice));
        }
        out.push_str("</ul>\n");
    }
    for paragraph in super::EXPLANATIONS {
        let _ = writeln!(out, "<p>{}</p>", escaped(paragraph));
    }
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
        grid(&mut out, &report.values, " class=\"text\"");
        out.push_str("</section>\n");
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn section(out: &mut String, table: &Table) {
    let _ = writeln!(out, "<section id=\"{}-section\">\n<h2>{}</h2>", escaped(table.name), escaped(&table.heading));
    if !table.comparison.grid.rows.is_empty() {
        grid(out, &table.comparison.grid, "");
    }
    table.figures.iter().for_each(|drawing| figure(out, drawing));
    if let Some(details) = &table.details {
        out.push_str("<h3>Made with</h3>\n<dl>\n");
        for (name, value) in &details.0 {
            let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value));
        }
        out.push_str("</dl>\n");
    }
    out.push_str("</section>\n");
}

fn figure(out: &mut String, drawing: &Drawing) {
    let caption = escaped(&drawing.figure.title());
    let _ = writeln!(out, "<figure>\n{}<figcaption>{caption}</figcaption>\n</figure>", drawing.svg);
}

fn grid(out: &mut String, grid: &Grid<'_>, class: &str) {
    // A box that scrolls has to be reachable by the keyboard, and so has a name.
    let caption = escaped(&grid.caption);
    let _ = writeln!(
        out,
        "<div class=\"wide\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\">\n<table{class}>\n\
         <caption>{caption}</caption>\n<thead>\n<tr>"
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
            } else {
                write!(out, "<td>{cell}</td>")
            };
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
}
