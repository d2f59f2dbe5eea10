//! Parts of documents that come from the committed files of benchmarks.

use std::fs;

use super::results::{Rows, leading};
use super::root;

/// The table of a document: the file as it is.
pub fn table(rows: &Rows) -> String {
    let line = |cells: &[String]| {
        // A column without a name, or a cell without a value, is a space.
        let cells: Vec<String> =
            cells.iter().map(|cell| if cell.is_empty() { " ".to_owned() } else { format!(" {cell} ") }).collect();
        format!("|{}|\n", cells.join("|"))
    };
    let body: String = rows.iter().map(line).collect();
    format!("\n{}|{}\n{body}", line(rows.columns()), "---|".repeat(rows.columns().len()))
}

/// The least and the largest number of a column.
pub fn range(rows: &Rows, column: &str, decimals: usize) -> String {
    let numbers: Vec<f64> = rows.numbers(column);
    let (least, most) = numbers.iter().fold((f64::MAX, f64::MIN), |(low, high), &x| (low.min(x), high.max(x)));
    format!("{least:.decimals$} to {most:.decimals$}")
}

/// The ratios of a file are those of the times and sizes before them, as far as these were rounded.
#[test]
fn ratios_are_those_of_what_they_compare() {
    let mut checked = 0;
    for file in fs::read_dir(root().join("benches/results")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "csv") {
            continue;
        }
        let rows = Rows::read(&path);
        let columns = rows.columns();
        let last = |column: usize, is: &dyn Fn(&str) -> bool| (0..column).rev().find(|&at| is(&columns[at]));
        for (at, _) in columns.iter().enumerate().filter(|(_, name)| *name == "ratio") {
            let below = last(at, &|name| name.ends_with(" ms") || name == "PyTorch").unwrap();
            let above =
                if columns[below] == "PyTorch" { below - 1 } else { last(at, &|name| name == "ours ms").unwrap() };
            for row in rows.iter().filter(|row| !row[at].is_empty()) {
                let half =
                    |cell: &str| 0.5 * 0.1_f64.powi(cell.split_once('.').map_or(0, |(_, digits)| digits.len() as i32));
                let ends = |cell: &str| (leading(cell) - half(cell), leading(cell) + half(cell));
                let ((low, high), (least, most)) = (ends(&row[above]), ends(&row[below]));
                let (ratio_low, ratio_high) = ends(&row[at]);
                assert!(
                    low / most <= ratio_high + 1e-9 && high / least >= ratio_low - 1e-9,
                    "{}: {row:?}",
                    path.display()
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 100, "{checked} ratios");
}
