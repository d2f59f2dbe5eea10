//! The CSV files of a table of pretrained networks, and the table on stdout.
//!
//! As in the tables from scratch, everything but columns that end in `_seconds` is the same, byte for byte, whenever the same
//! command is run.

use std::fmt::Write;
use std::path::Path;

use pvlu_zoo::train::{EpochRecord, History, Outcome};

use super::Plan;
use super::protocol::Arm;
use crate::error::CliError;
use crate::output::TableFiles;
use crate::statistics::{number, paired, percent, rel_error_decrease, summarize};

const EPOCH_COLUMNS: [&str; 16] = [
    "run_id",
    "table",
    "model",
    "arm",
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
    "epoch_seconds",
];

const RUN_COLUMNS: [&str; 36] = [
    "run_id",
    "table",
    "model",
    "arm",
    "activation",
    "seed",
    "data",
    "preset",
    "pretrained",
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
    "overridden",
    "data_warnings",
    "train_seconds",
];

/// How an arm ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// It was measured as the first phase left it.
    Unchanged,
    /// After its epochs.
    Trained(History),
}

/// One arm of a model and seed.
#[derive(Clone, Debug)]
pub struct RunResult {
    /// The model.
    pub model: String,
    /// Where its weights came from.
    pub origin: String,
    /// The arm.
    pub arm: &'static Arm,
    /// The seed.
    pub seed: u64,
    /// Elements trained in the second phase.
    pub trained: usize,
    /// Test accuracy after the first phase, with ReLU.
    pub before: f64,
    /// What became of it.
    pub ended: Ended,
}

impl RunResult {
    fn died(&self) -> bool {
        matches!(&self.ended, Ended::Trained(history) if history.outcome == Outcome::Diverged)
    }

    /// What `pick` takes of the second phase; of an arm without one what the first phase left.
    fn top1(&self, pick: impl FnOnce(&History) -> Option<f64>) -> f64 {
        match &self.ended {
            Ended::Unchanged => self.before,
            Ended::Trained(history) => pick(history).unwrap_or(f64::NAN),
        }
    }

    /// Test accuracy after the last epoch.
    fn last(&self) -> f64 {
        self.top1(History::final_top1)
    }

    /// Test accuracy after the epoch that is best on the held-out images.
    fn selected(&self) -> f64 {
        self.top1(|history| Some(history.selected()?.test.top1))
    }

    /// The best test accuracy after any epoch, as the paper reports.
    fn peak(&self) -> f64 {
        self.top1(History::peak_top1)
    }

    fn selected_epoch(&self) -> u64 {
        match &self.ended {
            Ended::Unchanged => 0,
            Ended::Trained(history) => history.selected().map_or(0, |epoch| epoch.epoch),
        }
    }

    fn seconds(&self) -> f64 {
        match &self.ended {
            Ended::Unchanged => 0.0,
            Ended::Trained(history) => history.epochs.iter().map(|epoch| epoch.seconds).sum(),
        }
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
        let files = TableFiles::new(folder, plan.protocol.name, &EPOCH_COLUMNS, &RUN_COLUMNS)?;
        Ok(Self { plan, files, results: Vec::new() })
    }

    /// Adds one epoch of an arm.
    pub fn add_epoch(&mut self, model: &str, arm: &Arm, seed: u64, record: &EpochRecord) -> Result<(), CliError> {
        let plan = self.plan;
        let mut row = vec![
            self.run_id(model, arm, &seed.to_string()),
            plan.protocol.name.to_owned(),
            model.to_owned(),
            arm.name.to_owned(),
            seed.to_string(),
            plan.data.to_owned(),
            plan.preset.name().to_owned(),
            record.epoch.to_string(),
            format!("{:e}", record.learning_rate),
        ];
        let evaluations = [(record.train_loss, record.train_top1)]
            .into_iter()
            .chain([record.validation, record.test].map(|evaluation| (evaluation.loss, evaluation.top1)));
        row.extend(evaluations.flat_map(|(loss, top1)| [number(loss), number(top1)]));
        row.push(format!("{:.3}", record.seconds));
        self.files.add_epoch(row)
    }

    /// Adds one finished run.
    pub fn add_run(&mut self, result: RunResult) -> Result<(), CliError> {
        self.results.push(result);
        let rows: Vec<_> = self.results.iter().map(|result| self.run_row(result)).collect();
        self.files.write_runs(rows)
    }

    fn run_row(&self, run: &RunResult) -> Vec<String> {
        let status = if run.died() { "died" } else { "finished" };
        let relu = self.relu(run).map_or(f64::NAN, RunResult::selected);
        let (top1, decrease) = self.paper(&run.model, run.arm);
        let mut row = self.key(run, &run.seed.to_string(), status);
        row.extend([
            run.trained.to_string(),
            number(run.before),
            number(run.last()),
            number(run.selected()),
            number(run.peak()),
            number(top1),
            number(rel_error_decrease(relu, run.selected())),
            number(decrease),
            number(run.selected() - relu),
            String::new(),
            String::new(),
            run.selected_epoch().to_string(),
            String::new(),
            String::new(),
        ]);
        row.extend(self.circumstances(&format!("{:.3}", run.seconds())));
        row
    }

    /// Adds the summary rows, and returns the table for stdout.
    pub fn finish(self) -> Result<String, CliError> {
        let plan = self.plan;
        let mut rows = Vec::new();
        let mut text = format!(
            "{}\ndata {}, preset {}, {} + {} epochs, {} seeds; test accuracy in %, mean and standard error\n\n",
            plan.protocol.title,
            plan.data,
            plan.preset.name(),
            plan.first_epochs,
            plan.epochs,
            plan.seeds.len()
        );
        let _ = writeln!(
            text,
            "{:<18} {:<12} {:>8} {:>8} {:>15} {:>15} {:>12} {:>12}   difference to ReLU, 95 % interval",
            "model", "arm", "trained", "before", "selected", "peak", "paper", "rel. error"
        );
        for (model, _) in &plan.models {
            for arm in plan.wanted_arms() {
                let of_arm = |run: &&RunResult| run.model == *model && run.arm.name == arm.name;
                let all: Vec<&RunResult> = self.results.iter().filter(of_arm).collect();
                let Some(first) = all.first() else { continue };
                let lived: Vec<&RunResult> = all.iter().copied().filter(|run| !run.died()).collect();
                let summary =
                    |of: fn(&RunResult) -> f64| summarize(&lived.iter().map(|run| of(run)).collect::<Vec<_>>());
                let pairs: Vec<(f64, f64)> = lived
                    .iter()
                    .filter_map(|run| Some((self.relu(run)?.selected(), run.selected())))
                    .filter(|_| arm.name != "relu")
                    .collect();
                let difference = paired(&pairs.iter().map(|(relu, top1)| top1 - relu).collect::<Vec<_>>());
                let decreases: Vec<f64> = pairs.iter().map(|(relu, top1)| rel_error_decrease(*relu, *top1)).collect();
                let decrease = summarize(&decreases);
                let (paper, paper_decrease) = self.paper(model, arm);
                let columns = [
                    summary(|run| run.before),
                    summary(RunResult::last),
                    summary(RunResult::selected),
                    summary(RunResult::peak),
                ];
                for (name, is_mean) in [("mean", true), ("standard_error", false)] {
                    let pick = |s: &crate::statistics::Summary| number(if is_mean { s.mean } else { s.standard_error });
                    let of_mean = |value: f64| if is_mean { number(value) } else { String::new() };
                    let mut row = self.key(first, name, "summary");
                    row.push(first.trained.to_string());
                    row.extend(columns.iter().map(pick));
                    row.extend([of_mean(paper), pick(&decrease), of_mean(paper_decrease)]);
                    row.extend([difference.mean, difference.low, difference.high].map(of_mean));
                    row.extend([String::new(), lived.len().to_string(), (all.len() - lived.len()).to_string()]);
                    row.extend(self.circumstances(""));
                    rows.push(row);
                }
                let whole = |value: f64| if value.is_nan() { "-".to_owned() } else { format!("{:.2}", 100.0 * value) };
                let interval = if difference.low.is_nan() {
                    whole(difference.mean)
                } else {
                    let signed =
                        [difference.mean, difference.low, difference.high].map(|v| format!("{:+.2}", 100.0 * v));
                    format!("{} [{}, {}]", signed[0], signed[1], signed[2])
                };
                let _ = writeln!(
                    text,
                    "{model:<18} {:<12} {:>8} {:>8} {:>15} {:>15} {:>12} {:>12}   {interval}",
                    arm.name,
                    first.trained,
                    whole(columns[0].mean),
                    percent(&columns[2]),
                    percent(&columns[3]),
                    whole(paper),
                    percent(&decrease),
                );
            }
        }
        let written = self.files.finish(rows)?;
        let _ = write!(
            text,
            "\ntrained: parameters that the second phase trains. before: after the first phase, with ReLU. selected: at the epoch \
             that is best on\nheld-out training images. peak: the best epoch by the test images. rel. error, difference: against \
             the arm relu with the same seed,\nby the selected epoch.\n{written}"
        );
        Ok(text)
    }

    /// The arm `relu` of the same model and seed, if it lived.
    fn relu(&self, run: &RunResult) -> Option<&RunResult> {
        let same = |other: &&RunResult| other.arm.name == "relu" && other.model == run.model && other.seed == run.seed;
        self.results.iter().find(same).filter(|relu| !relu.died())
    }

    /// What the paper prints of an arm, on the paper's data: accuracy and relative error decrease.
    fn paper(&self, model: &str, arm: &Arm) -> (f64, f64) {
        let published = self.plan.protocol.published(model).filter(|_| self.plan.data == self.plan.protocol.set.name());
        match (published, arm.name) {
            (Some(published), "relu") => (published.relu, f64::NAN),
            (Some(published), "pvlu") => (published.pvlu, published.rel_error_decrease),
            _ => (f64::NAN, f64::NAN),
        }
    }

    /// What a run is addressed by.
    fn run_id(&self, model: &str, arm: &Arm, seed: &str) -> String {
        format!("{}/{model}/{}/{seed}", self.plan.protocol.name, arm.name)
    }

    /// The first columns, which say which row it is.
    fn key(&self, run: &RunResult, seed: &str, status: &str) -> Vec<String> {
        let plan = self.plan;
        let mut key = vec![self.run_id(&run.model, run.arm, seed)];
        key.extend(
            [
                plan.protocol.name,
                &run.model,
                run.arm.name,
                run.arm.activation,
                seed,
                plan.data,
                plan.preset.name(),
                &run.origin,
                status,
            ]
            .map(str::to_owned),
        );
        key
    }

    /// The last columns, which say under which circumstances.
    fn circumstances(&self, seconds: &str) -> [String; 12] {
        let plan = self.plan;
        [
            plan.classes.to_string(),
            plan.train.len().to_string(),
            plan.validation.len().to_string(),
            plan.test.len().to_string(),
            plan.batch_size.to_string(),
            plan.first_epochs.to_string(),
            plan.epochs.to_string(),
            format!("{:e}", plan.first_learning_rate),
            format!("{:e}", plan.learning_rate),
            plan.overridden.clone(),
            plan.warnings.clone(),
            seconds.to_owned(),
        ]
    }
}
