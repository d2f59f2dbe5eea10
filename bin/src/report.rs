//! The CSV files of a table, and the table on stdout.
//!
//! Everything but columns that end in `_seconds` is the same, byte for byte, whenever the same command is run: no paths,
//! thread counts or timestamps.

use std::fmt::Write;
use std::path::Path;

use pvlu_zoo::train::EpochRecord;

use crate::error::CliError;
use crate::output::TableFiles;
use crate::run::Plan;
use crate::statistics::{Summary, number, percent, rel_error_decrease, summarize};
use crate::table::LEARNING_RATE;

const EPOCH_COLUMNS: [&str; 16] = [
    "table",
    "model",
    "activation",
    "seed",
    "data",
    "preset",
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

const RUN_COLUMNS: [&str; 26] = [
    "table",
    "model",
    "activation",
    "seed",
    "data",
    "preset",
    "epochs",
    "status",
    "final_top1",
    "val_selected_top1",
    "peak_top1",
    "paper_top1",
    "rel_error_decrease",
    "paper_rel_error_decrease",
    "val_selected_epoch",
    "runs",
    "died",
    "classes",
    "train_images",
    "val_images",
    "test_images",
    "batch_size",
    "learning_rate",
    "overridden",
    "data_warnings",
    "train_seconds",
];

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All epochs, with an accuracy above a guess.
    Finished,
    /// A loss that is not finite, or a final test accuracy below twice chance.
    Died,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Finished => "finished",
            Status::Died => "died",
        }
    }
}

/// The numbers of one run.
#[derive(Clone, Debug)]
pub struct RunResult {
    /// The activation.
    pub activation: String,
    /// The seed.
    pub seed: u64,
    /// How it ended.
    pub status: Status,
    /// Test accuracy after the last epoch.
    pub final_top1: f64,
    /// The epoch that is best on the held-out images.
    pub val_selected_epoch: u64,
    /// Test accuracy after that epoch.
    pub val_selected_top1: f64,
    /// Best test accuracy after any epoch, as the paper reports.
    pub peak_top1: f64,
    /// Time of all epochs.
    pub seconds: f64,
}

impl RunResult {
    fn counts(&self) -> bool {
        self.status == Status::Finished
    }
}

/// The files of a table in the making.
#[derive(Debug)]
pub struct Report<'a> {
    plan: &'a Plan,
    files: TableFiles,
    results: Vec<RunResult>,
}

impl<'a> Report<'a> {
    /// A report without rows; files appear with their first row.
    pub fn new(plan: &'a Plan, folder: &Path) -> Result<Self, CliError> {
        let files = TableFiles::new(folder, plan.table.name, &EPOCH_COLUMNS, &RUN_COLUMNS)?;
        Ok(Self { plan, files, results: Vec::new() })
    }

    /// Adds one epoch.
    pub fn add_epoch(&mut self, activation: &str, seed: u64, record: &EpochRecord) -> Result<(), CliError> {
        let mut row = self.key(activation, &seed.to_string());
        row.extend([
            record.epoch.to_string(),
            format!("{:e}", record.learning_rate),
            number(record.train_loss),
            number(record.train_top1),
            number(record.validation.loss),
            number(record.validation.top1),
            number(record.test.loss),
            number(record.test.top1),
            number(record.test.top5),
            format!("{:.3}", record.seconds),
        ]);
        self.files.add_epoch(row)
    }

    /// Adds one finished run.
    ///
    /// The rows of the other runs are written anew with it: a ReLU run gives those with its seed something to compare to.
    pub fn add_run(&mut self, result: RunResult) -> Result<(), CliError> {
        self.results.push(result);
        let rows: Vec<_> = self.results.iter().map(|result| self.run_row(result)).collect();
        self.files.write_runs(rows)
    }

    fn run_row(&self, result: &RunResult) -> Vec<String> {
        let plan = self.plan;
        let published = plan.published(&result.activation);
        let paper_top1 = published
            .and_then(|published| published.by_seed.get(usize::try_from(result.seed).ok()?))
            .copied()
            .unwrap_or(f64::NAN);
        let decrease = match self.relu(result.seed) {
            Some(relu) if result.counts() => rel_error_decrease(relu.val_selected_top1, result.val_selected_top1),
            _ => f64::NAN,
        };
        let mut row = self.key(&result.activation, &result.seed.to_string());
        row.extend([
            plan.epochs.to_string(),
            result.status.name().to_owned(),
            number(result.final_top1),
            number(result.val_selected_top1),
            number(result.peak_top1),
            number(paper_top1),
            number(decrease),
            String::new(),
            result.val_selected_epoch.to_string(),
            String::new(),
            String::new(),
        ]);
        row.extend(self.circumstances(&format!("{:.3}", result.seconds)));
        row
    }

    /// Adds the summary rows, and returns the table for stdout.
    pub fn finish(self) -> Result<String, CliError> {
        let mut rows = Vec::new();
        let mut text = String::new();
        let plan = self.plan;
        let _ = writeln!(text, "{}", plan.table.title);
        let _ = writeln!(
            text,
            "data {}, preset {}, {} epochs, {} seeds; test accuracy in %, mean and standard error over runs that lived\n",
            plan.data,
            plan.preset.name(),
            plan.epochs,
            plan.seeds.len()
        );
        let _ = writeln!(
            text,
            "{:<12} {:>5} {:>5} {:>15} {:>15} {:>15} {:>12} {:>12}",
            "activation", "runs", "died", "final", "selected", "peak", "paper (peak)", "rel. error"
        );
        for activation in &plan.activations {
            let lived: Vec<&RunResult> =
                self.results.iter().filter(|result| result.activation == *activation && result.counts()).collect();
            let died = plan.seeds.len() - lived.len();
            let summary = |of: fn(&RunResult) -> f64| summarize(&lived.iter().map(|run| of(run)).collect::<Vec<_>>());
            let columns =
                [summary(|run| run.final_top1), summary(|run| run.val_selected_top1), summary(|run| run.peak_top1)];
            let decreases: Vec<f64> = lived
                .iter()
                .filter_map(|run| {
                    Some(rel_error_decrease(self.relu(run.seed)?.val_selected_top1, run.val_selected_top1))
                })
                .filter(|decrease| !decrease.is_nan())
                .collect();
            let decrease = summarize(&decreases);
            let published = plan.published(activation);
            let paper = Summary {
                mean: published.map_or(f64::NAN, |published| published.mean),
                standard_error: published.map_or(f64::NAN, |published| published.standard_error),
            };
            let paper_decrease = published.and_then(|published| published.rel_error_decrease).unwrap_or(f64::NAN);
            type Pick = fn(&Summary) -> f64;
            let kinds: [(&str, Pick, f64); 2] =
                [("mean", |s| s.mean, paper_decrease), ("standard_error", |s| s.standard_error, f64::NAN)];
            for (name, pick, paper_decrease) in kinds {
                let mut row = self.key(activation, name);
                row.extend([plan.epochs.to_string(), "summary".to_owned()]);
                row.extend(columns.iter().map(|summary| number(pick(summary))));
                row.extend([
                    number(pick(&paper)),
                    number(pick(&decrease)),
                    number(paper_decrease),
                    String::new(),
                    lived.len().to_string(),
                    died.to_string(),
                ]);
                row.extend(self.circumstances(""));
                rows.push(row);
            }
            let _ = write!(text, "{activation:<12} {:>5} {died:>5}", lived.len());
            for summary in &columns {
                let _ = write!(text, " {:>15}", percent(summary));
            }
            let _ = writeln!(text, " {:>12} {:>12}", percent(&paper), percent(&decrease));
        }
        let written = self.files.finish(rows)?;
        let _ = write!(
            text,
            "\nselected: at the epoch that is best on held-out training images. peak: the best epoch by the test images, \
             as the paper reports.\nrel. error: decrease of the error rate against ReLU with the same seed, by the \
             selected epoch.\n{written}"
        );
        Ok(text)
    }

    /// The ReLU run with this seed, if it lived.
    fn relu(&self, seed: u64) -> Option<&RunResult> {
        self.results.iter().find(|run| run.activation == "relu" && run.seed == seed && run.counts())
    }

    /// The first columns, which say which row it is.
    fn key(&self, activation: &str, seed: &str) -> Vec<String> {
        let plan = self.plan;
        [plan.table.name, plan.table.model, activation, seed, plan.data, plan.preset.name()].map(str::to_owned).to_vec()
    }

    /// The last columns, which say under which circumstances.
    fn circumstances(&self, seconds: &str) -> [String; 9] {
        let plan = self.plan;
        [
            plan.classes.to_string(),
            plan.train.len().to_string(),
            plan.validation.len().to_string(),
            plan.test.len().to_string(),
            plan.batch_size.to_string(),
            format!("{LEARNING_RATE:e}"),
            plan.overridden.clone(),
            plan.warnings.clone(),
            seconds.to_owned(),
        ]
    }
}
