//! The tests that the fuzz targets of result files make of their inputs: records of runs, as `merge` reads them, and
//! the CSV and JSON files of tables, as `report` and figures read them. `cargo test` makes the same of the files in
//! `corpus/record` and `corpus/report`.

// Each program that includes this uses a part of it.
#![allow(dead_code)]

use std::path::Path;

use pvlu_zoo_cli::common::digest;
use pvlu_zoo_cli::common::error::CliError;
use pvlu_zoo_cli::reproduce::figure::records::Records;
use pvlu_zoo_cli::reproduce::figure::{Drawing, Figure};
use pvlu_zoo_cli::reproduce::protocol::paper;
use pvlu_zoo_cli::reproduce::runs::record::Record;
use pvlu_zoo_cli::reproduce::{report, results};

use crate::readers::{MESSAGE, measured};

/// Bytes that reading a file of `len` bytes may take, and making text of it. The worst are rows of one letter: a row is
/// an object of its own with two lists.
fn justified(len: usize) -> usize {
    (256 << 10) + 512 * len
}

/// Bytes that drawing takes on top of that: the pixels of the highest figure, thrice.
const DRAWN: usize = 512 << 20;

/// A record, as it is and with a checksum that fits, so that no mutation has to guess one.
pub fn record(input: &[u8]) {
    parsed(input);
    let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(input) else { return };
    let Some(object) = value.as_object_mut() else { return };
    object.remove("sha256");
    value["sha256"] = digest::of_bytes(value.to_string()).into();
    parsed(value.to_string().as_bytes());
}

fn parsed(bytes: &[u8]) {
    let (record, memory) = measured(|| Record::parse(bytes));
    assert!(memory.peak <= justified(bytes.len()), "{} bytes for {}", memory.peak, bytes.len());
    let record = match record {
        Ok(record) => record,
        Err(message) => return assert_readable(&message),
    };
    let out = Path::new("out");
    let table = record.table().unwrap();
    // What was accepted can be written, nowhere else than in the folder, and the table is read again.
    let (made, memory) = measured(|| results::make(table, &[record.clone(), record.clone()], out).unwrap());
    assert!(memory.peak <= justified(2 * bytes.len()), "{} bytes for a table of {}", memory.peak, bytes.len());
    for name in [record.config.stem(), table.name().to_owned()] {
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
    }
    for (path, contents) in &made.files {
        assert_eq!(path.parent(), Some(out));
        if path.extension().is_some_and(|ending| ending == "csv") {
            Records::parse(path, contents).unwrap();
        }
    }
    assert!(!made.text.contains(|letter: char| letter.is_control() && letter != '\n'), "{:?}", made.text);
}

/// A file that a report is made of: its first byte says which, the rest is its contents.
pub fn report(input: &[u8]) {
    let Some((which, bytes)) = input.split_first() else { return };
    let figures = Figure::all();
    let which = usize::from(*which) % (figures.len() + 2);
    let text = |csv, json| {
        let (written, memory) = measured(|| report::of_table(paper::all()[0], csv, json));
        assert!(memory.peak <= justified(bytes.len()), "{} bytes for a page on {}", memory.peak, bytes.len());
        // Nothing of the file is HTML.
        assert!(written.as_ref().is_ok_and(|[page, _]| page.matches("<script").count() == 0) || written.is_err());
        said(&written.map(drop));
    };
    match figures.get(which) {
        Some(figure) => {
            let (records, memory) = measured(|| Records::parse(Path::new(&figure.input()), bytes));
            assert!(memory.peak <= justified(bytes.len()), "{} bytes to read {}", memory.peak, bytes.len());
            match records {
                Ok(records) => {
                    let (drawing, memory) = measured(|| Drawing::of_records(*figure, &records));
                    assert!(
                        memory.peak <= justified(bytes.len()) + DRAWN,
                        "{} bytes to draw {}",
                        memory.peak,
                        bytes.len()
                    );
                    said(&drawing.map(drop));
                }
                Err(error) => said(&Err(error)),
            }
        }
        None if which == figures.len() => text(bytes, None),
        None => {
            // Else nothing of the other file would be read.
            assert!(report::of_table(paper::all()[0], TABLE.as_bytes(), None).is_ok());
            text(TABLE.as_bytes(), Some(bytes));
        }
    }
}

/// A table with one run.
const TABLE: &str = "model,arm,data,preset,pretrained,seed,overridden,data_warnings,status,runs,died,\
                     val_selected_top1,peak_top1,paper_top1,rel_error_decrease,paper_rel_error_decrease,\
                     difference,difference_low,difference_high,p_value,p_adjusted,verdict,\
                     trained_parameters\n\
                     m,relu,cifar10,paper,,mean,,,summary,1,0,0.5,0.5,,,,,,,,,,1\n";

fn said(result: &Result<(), CliError>) {
    if let Err(error) = result {
        assert_readable(&error.to_string());
    }
}

/// A message is short. What a terminal would act on is escaped when it is printed.
fn assert_readable(message: &str) {
    assert!(message.len() <= MESSAGE, "{} bytes: {message:.1000}", message.len());
}
