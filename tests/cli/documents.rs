//! The measured numbers of README and docs are those of the committed CSV files.
//!
//! What is between `<!-- numbers from FILE -->` and `<!-- end -->` is checked: every number with a decimal point is, in percent and
//! rounded as printed, an accuracy or a difference of accuracies of the CSV file, with its sign if it has one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Fewer numbers than this mean that the marks have gone.
const ENOUGH: usize = 20;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// README and the pages of docs.
fn documents() -> Vec<PathBuf> {
    let mut paths = vec![root().join("README.md")];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
    paths
}

/// The blocks of a text: the file that each is from, and its lines.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("<!-- numbers from ") {
        let (file, after) = after.split_once(" -->").expect("a mark without an end");
        let (block, after) = after.split_once("<!-- end -->").expect("a block without an end");
        blocks.push((file.to_owned(), block.to_owned()));
        rest = after;
    }
    blocks
}

/// Numbers with a decimal point, as printed.
fn numbers(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_digit() || ['.', '+', '-'].contains(&c);
    let words = text.split(|c: char| !is_part(c)).map(|word| word.trim_matches('.'));
    words.filter(|word| word.contains('.') && word.parse::<f64>().is_ok()).map(str::to_owned).collect()
}

/// All values of a CSV file in percent, rounded to the decimals of `like`.
fn values(path: &Path, decimals: usize) -> BTreeSet<String> {
    let mut reader = csv::Reader::from_path(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let columns = reader.headers().unwrap().clone();
    let counts = |column: &str| column.ends_with("top1") || column.starts_with("difference");
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let fields = rows.iter().flat_map(|row| columns.iter().zip(row.iter()));
    let values = fields.filter(|(column, _)| counts(column)).filter_map(|(_, field)| field.parse::<f64>().ok());
    values
        .flat_map(|value| {
            let value = 100.0 * value;
            let signed = format!("{value:+.decimals$}");
            // A number without a sign is no negative one.
            if value < 0.0 { vec![signed] } else { vec![signed.clone(), signed[1..].to_owned()] }
        })
        .collect()
}

fn unknown(file: &str, block: &str) -> Vec<String> {
    let path = root().join(file);
    let is_unknown = |number: &String| {
        let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        !values(&path, decimals).contains(number)
    };
    numbers(block).into_iter().filter(is_unknown).collect()
}

#[test]
fn numbers_are_those_of_the_committed_files() {
    let mut found = 0;
    for path in documents() {
        for (file, block) in blocks(&fs::read_to_string(&path).unwrap()) {
            found += numbers(&block).len();
            let strange = unknown(&file, &block);
            assert!(strange.is_empty(), "{}: {strange:?} are not in {file}", path.display());
            // A digit that is another one would be seen.
            if let Some(number) = numbers(&block).first() {
                let wrong = block.replacen(number.as_str(), "99.87", 1);
                assert!(!unknown(&file, &wrong).is_empty(), "{file} has any number");
            }
        }
    }
    assert!(found >= ENOUGH, "{found} numbers");
}
