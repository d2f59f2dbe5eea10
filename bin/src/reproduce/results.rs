//! The files of a table, and the table on stdout, from the records of its runs.
//!
//! The same command always writes the same CSV files, byte for byte except for columns that end in `_seconds`: they
//! hold no paths, thread counts or dates. Machines and total times are in `NAME.json`.

mod groups;
mod text;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use pvlu_zoo::train::EpochRecord;
use serde_json::{Value, json};

use self::groups::Report;
use crate::common::error::CliError;
use crate::common::input;
use crate::common::output::{csv_bytes, write_together};
use crate::common::statistics::verdict::Comparison;
use crate::common::statistics::{Summary, number, rel_error_decrease};
use crate::reproduce::choice::{Score, planned, scores};
use crate::reproduce::figure::Figure;
use crate::reproduce::protocol::paper::Table;
use crate::reproduce::protocol::{own, published};
use crate::reproduce::runs::config::Config;
use crate::reproduce::runs::inspect::{PARAMETER_COLUMNS, UNIT_COLUMNS};
use crate::reproduce::runs::planned::Planned;
use crate::reproduce::runs::record::Record;

/// The first columns of every file, which identify the run of a row.
const KEY: [&str; 9] = ["run_id", "table", "model", "arm", "activation", "seed", "data", "preset", "pretrained"];

/// The other columns of the table. A column for which a row gives no value is taken from the configuration of the run.
const RUN_COLUMNS: [&str; 37] = [
    "status",
    "trained_parameters",
    "before_top1",
    "final_top1",
    "val_selected_top1",
    "peak_top1",
    "paper_top1",
    "rel_error_decrease",
    "paper_rel_error_decrease",
    "difference",
    "difference_low",
    "difference_high",
    "comparison",
    "p_value",
    "p_adjusted",
    "verdict",
    "improvement",
    "spread",
    "expected_spread",
    "val_selected_epoch",
    "runs",
    "died",
    "classes",
    "train_images",
    "val_images",
    "test_images",
    "batch_size",
    "first_epochs",
    "epochs",
    "first_learning_rate",
    "learning_rate",
    "chosen",
    "swept",
    "overridden",
    "data_warnings",
    "step_seconds",
    "train_seconds",
];

const EPOCH_COLUMNS: [&str; 10] = [
    "epoch",
    "learning_rate",
    "train_loss",
    "train_top1",
    "val_loss",
    "val_top1",
    "test_loss",
    "test_top1",
    "test_top5",
    "epoch_seconds",
];

const TRIAL_COLUMNS: [&str; 6] =
    ["trial", "held_out_top1", "held_out_loss", "val_selected_epoch", "chosen", "train_seconds"];

/// The end of the name of the file of trials.
const SWEEP: &str = "_sweep";

/// The CSV files of a table: the endings of their names, and their columns after [`KEY`].
const FILES: [(&str, &[&str]); 5] = [
    ("", &RUN_COLUMNS),
    ("_epochs", &EPOCH_COLUMNS),
    ("_parameters", &PARAMETER_COLUMNS),
    ("_units", &UNIT_COLUMNS),
    (SWEEP, &TRIAL_COLUMNS),
];

/// Makes sure, before anything is trained, that no folder has the name of a file to be written.
pub fn check(out: &Path, table: Table) -> Result<(), CliError> {
    let name = table.name();
    let csv = FILES.iter().map(|(end, _)| out.join(format!("{name}{end}.csv")));
    let protocol = table.is_own().then(|| own::path(out, name));
    for path in csv.chain([out.join(format!("{name}.json"))]).chain(protocol) {
        if path.is_dir() {
            return Err(CliError::Write { path, source: ErrorKind::IsADirectory.into() });
        }
    }
    Ok(())
}

/// Files of a table in a folder that has other runs than these, or the same of other settings, and their figures.
/// Trials that are written beside them would be taken for those that chose their settings.
pub fn of_other_runs(table: Table, runs: &[Planned], out: &Path) -> Result<Vec<PathBuf>, CliError> {
    let name = table.name();
    let path = out.join(format!("{name}.json"));
    let bytes = path.exists().then(|| input::bytes(&path)).transpose()?;
    let json: Value = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let is_there = |run: &&Planned| json["runs"].get(run.config.id()).is_some();
    let is_same = |run: &Planned| json["runs"][run.config.id()] == run.config.hash();
    let mut there = runs.iter().filter(is_there).peekable();
    if there.peek().is_some() && there.all(is_same) {
        return Ok(Vec::new());
    }
    let ends = FILES.iter().map(|(end, _)| *end).filter(|end| *end != SWEEP);
    let csv = ends.map(|end| format!("{name}{end}.csv")).chain([format!("{name}.json")]);
    let figures = Figure::of_table(table).into_iter().map(Figure::name);
    let drawn = figures.flat_map(|name| ["svg", "png"].map(|extension| format!("{name}.{extension}")));
    Ok(csv.chain(drawn).map(|name| out.join(name)).filter(|path| path.exists()).collect())
}

/// The files of a table before they are written.
#[derive(Debug)]
pub struct Made {
    /// Paths of the files, each with its contents.
    pub files: Vec<(PathBuf, Vec<u8>)>,
    /// Paths of CSV files for which the table has no rows.
    pub without_rows: Vec<PathBuf>,
    /// The table as text for stdout.
    pub text: String,
}

/// Makes the files that [`write()`] writes. It accepts all records that [`Record::read`] does: of trials, if there are
/// any, and of runs.
pub fn make(table: Table, records: &[Record], out: &Path) -> Result<Made, CliError> {
    let planned = planned(records);
    let (trials, records): (Vec<Record>, Vec<Record>) =
        records.iter().cloned().partition(|record| record.config.trial.is_some());
    let scores = scores(&trials, &planned);
    let report = Report::of(table, &records);
    let rows: [Vec<Vec<String>>; 5] = [
        records.iter().map(|run| report.run_row(run)).chain(report.summary_rows()).collect(),
        records.iter().flat_map(epoch_rows).collect(),
        records.iter().flat_map(|run| inspected_rows(run, &run.parameters)).collect(),
        records.iter().flat_map(|run| inspected_rows(run, &run.units)).collect(),
        trials.iter().map(|trial| trial_row(trial, &scores)).collect(),
    ];
    let only_trials = records.is_empty() && !trials.is_empty();
    let (mut files, mut without_rows) = (Vec::new(), Vec::new());
    for ((end, columns), rows) in FILES.iter().zip(rows) {
        let path = out.join(format!("{}{end}.csv", table.name()));
        // The files of runs stay as they are where only trials were done.
        if only_trials && rows.is_empty() {
            continue;
        }
        // Networks without parameters in their activations have no such rows, and tables without a sweep no trials.
        if rows.is_empty() && *end != "_epochs" {
            without_rows.push(path);
            continue;
        }
        let contents = csv_bytes(&path, &[&KEY, *columns].concat(), rows)?;
        files.push((path, contents));
    }
    if !only_trials {
        let json = format!("{:#}\n", circumstances(&records, &trials));
        files.push((out.join(format!("{}.json", table.name())), json.into_bytes()));
    }
    if table.is_own() {
        files.push((own::path(out, table.name()), table.text().as_bytes().to_vec()));
    }
    let text = [report.text(), text::of_trials(&trials, &scores)];
    let text = text.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
    Ok(Made { files, without_rows, text })
}

/// Writes the files of a table, all or none, and returns the table for stdout.
pub fn write(table: Table, records: &[Record], out: &Path) -> Result<String, CliError> {
    let Made { files, without_rows, text } = make(table, records, out)?;
    write_together(&files.iter().map(|(path, contents)| (path.as_path(), contents.as_slice())).collect::<Vec<_>>())?;
    without_rows.iter().try_for_each(|path| remove_with_plots(path))?;
    let written: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    Ok(format!("{text}\nwritten: {}", written.join(", ")))
}

/// Removes a CSV file of an earlier command, and the figure that was drawn from it.
fn remove_with_plots(path: &Path) -> Result<(), CliError> {
    for path in ["csv", "svg", "png"].map(|extension| path.with_extension(extension)) {
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != ErrorKind::NotFound => return Err(CliError::Write { path, source }),
            _ => {}
        }
    }
    Ok(())
}

impl Report<'_> {
    fn run_row(&self, run: &Record) -> Vec<String> {
        let base = self.base(run).map_or(f64::NAN, Record::selected);
        let selected = if run.lived() { run.selected() } else { f64::NAN };
        row(
            &RUN_COLUMNS,
            &texts(&run.config),
            &[
                ("status", run.status.name().to_owned()),
                ("trained_parameters", run.trained_parameters.to_string()),
                ("before_top1", number(run.before_top1)),
                ("final_top1", number(run.last())),
                ("val_selected_top1", number(run.selected())),
                ("peak_top1", number(run.peak())),
                ("paper_top1", number(published::of(&run.config).of_seed(run.config.seed))),
                ("rel_error_decrease", number(rel_error_decrease(base, selected))),
                ("difference", number(selected - base)),
                ("val_selected_epoch", run.selected_epoch().to_string()),
                ("step_seconds", run.step_seconds().map_or_else(String::new, number)),
                ("train_seconds", format!("{:.3}", run.seconds())),
            ],
        )
    }

    /// Two rows for each arm: means and standard errors.
    fn summary_rows(&self) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        for group in self.groups.iter().filter_map(|arm| self.group(arm)) {
            let config = texts(&group.first.config);
            for (seed, is_mean) in [("mean", true), ("standard_error", false)] {
                let pick = |summary: &Summary| number(if is_mean { summary.mean } else { summary.standard_error });
                let of_mean = |value: f64| if is_mean { number(value) } else { String::new() };
                let compared = group.comparison.as_ref().filter(|_| is_mean);
                let of = |pick: fn(&Comparison) -> f64| compared.map_or_else(String::new, |found| number(pick(found)));
                let words = |pick: fn(&Comparison) -> String| compared.map_or_else(String::new, pick);
                rows.push(row(
                    &RUN_COLUMNS,
                    &config,
                    &[
                        ("run_id", group.first.config.id_of(&seed)),
                        ("seed", seed.to_owned()),
                        ("status", "summary".to_owned()),
                        ("trained_parameters", group.first.trained_parameters.to_string()),
                        ("before_top1", pick(&group.before)),
                        ("final_top1", pick(&group.last)),
                        ("val_selected_top1", pick(&group.selected)),
                        ("peak_top1", pick(&group.peak)),
                        ("paper_top1", pick(&group.paper.top1)),
                        ("rel_error_decrease", pick(&group.decrease)),
                        ("paper_rel_error_decrease", of_mean(group.paper.rel_error_decrease)),
                        ("difference", of(Comparison::mean)),
                        ("difference_low", of_mean(group.interval.map_or(f64::NAN, |(low, _)| low))),
                        ("difference_high", of_mean(group.interval.map_or(f64::NAN, |(_, high)| high))),
                        ("comparison", words(|found| found.kind.name().to_owned())),
                        ("p_value", of(|found| found.p_value)),
                        ("p_adjusted", of(|found| found.adjusted)),
                        ("verdict", words(|found| found.verdict.to_string())),
                        ("improvement", of_mean(group.improvement)),
                        ("spread", of_mean(group.spread)),
                        ("expected_spread", of_mean(group.expected_spread)),
                        ("step_seconds", of_mean(group.step_seconds)),
                        ("runs", group.lived.to_string()),
                        ("died", (group.all - group.lived).to_string()),
                    ],
                ));
            }
        }
        rows
    }
}

/// A configuration's values by column, `run_id` among them.
fn texts(config: &Config) -> BTreeMap<String, String> {
    let mut texts = config.entries();
    texts.insert("run_id".to_owned(), config.id());
    texts
}

/// A row of a CSV file: the given values, and for other columns those of the configuration.
fn row(columns: &[&str], config: &BTreeMap<String, String>, values: &[(&str, String)]) -> Vec<String> {
    let value = |column: &&str| match values.iter().find(|(name, _)| name == column) {
        Some((_, value)) => value.clone(),
        None => config.get(*column).cloned().unwrap_or_default(),
    };
    KEY.iter().chain(columns).map(value).collect()
}

fn epoch_rows(run: &Record) -> Vec<Vec<String>> {
    let config = texts(&run.config);
    let one = |record: &EpochRecord| {
        row(
            &EPOCH_COLUMNS,
            &config,
            &[
                ("epoch", record.epoch.to_string()),
                ("learning_rate", format!("{:e}", record.learning_rate)),
                ("train_loss", number(record.train_loss)),
                ("train_top1", number(record.train_top1)),
                ("val_loss", number(record.validation.loss)),
                ("val_top1", number(record.validation.top1)),
                ("test_loss", number(record.test.loss)),
                ("test_top1", number(record.test.top1)),
                ("test_top5", number(record.test.top5)),
                ("epoch_seconds", format!("{:.3}", record.seconds)),
            ],
        )
    };
    run.epochs.iter().map(one).collect()
}

fn trial_row(trial: &Record, scores: &[Score]) -> Vec<String> {
    let (top1, loss) = trial.held_out();
    let Config { model, arm, trial: setting, .. } = &trial.config;
    let of_trial =
        |score: &&Score| (&score.model, &score.arm) == (model, arm) && Some(&score.setting) == setting.as_ref();
    let chosen = scores.iter().find(of_trial).is_some_and(|score| score.chosen);
    row(
        &TRIAL_COLUMNS,
        &texts(&trial.config),
        &[
            ("held_out_top1", number(top1)),
            ("held_out_loss", number(loss)),
            ("val_selected_epoch", trial.selected_epoch().to_string()),
            ("chosen", chosen.to_string()),
            ("train_seconds", format!("{:.3}", trial.seconds())),
        ],
    )
}

/// The rows on the activations of a run's network, each after the key of the run.
fn inspected_rows(run: &Record, seen: &[Vec<String>]) -> Vec<Vec<String>> {
    let key = row(&[], &texts(&run.config), &[]);
    seen.iter().map(|values| [key.as_slice(), values].concat()).collect()
}

/// The circumstances of a table: settings that all runs share, hashes of the runs, versions, machines, and seconds; of
/// trials, too, but for the settings.
fn circumstances(records: &[Record], trials: &[Record]) -> serde_json::Value {
    let mut common = records.first().map_or_else(BTreeMap::new, |run| run.config.entries());
    for record in records {
        let entries = record.config.entries();
        common.retain(|key, value| entries.get(key) == Some(value));
    }
    let mut machines: Vec<&BTreeMap<String, String>> = Vec::new();
    let all = || trials.iter().chain(records);
    for record in all() {
        if !machines.contains(&&record.machine) {
            machines.push(&record.machine);
        }
    }
    let hashes: BTreeMap<String, String> = all().map(|run| (run.config.id(), run.config.hash())).collect();
    json!({
        "configuration": common,
        "runs": hashes,
        "versions": { "pvlu_zoo": env!("CARGO_PKG_VERSION"), "compiler": env!("PVLU_ZOO_COMPILER") },
        "machines": machines,
        "seconds": all().map(Record::seconds).sum::<f64>(),
    })
}

#[cfg(test)]
mod tests;
