//! The numbers in the committed files of `reproduce`, worked out anew from the rows of single runs.

use std::path::Path;

use pvlu_zoo_cli::common::statistics::bootstrap;

/// The 97.5 % quantiles of Student's t of 1 to 4 degrees of freedom.
const STUDENT: [f64; 4] = [12.706_205, 4.302_653, 3.182_446, 2.776_445];

/// The rows of a file, as pairs of a column and a value.
pub struct Rows {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Rows {
    pub fn read(path: &Path) -> Self {
        let mut reader = csv::Reader::from_path(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let columns = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        Self { columns, rows }
    }

    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    pub fn iter(&self) -> impl Iterator<Item = &[String]> {
        self.rows.iter().map(Vec::as_slice)
    }

    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|name| name == column)
    }

    fn place(&self, column: &str) -> usize {
        self.columns.iter().position(|name| name == column).unwrap_or_else(|| panic!("no column {column}"))
    }

    /// A column as text, of the rows that are chosen.
    fn texts(&self, column: &str, chosen: impl Fn(&[String]) -> bool) -> Vec<&str> {
        let place = self.place(column);
        self.iter().filter(|row| chosen(row)).map(|row| row[place].as_str()).collect()
    }

    /// All numbers of a column, in their order; those of the summaries of a table are none of them.
    pub fn numbers(&self, column: &str) -> Vec<f64> {
        let is_run = |row: &[String]| !self.has("status") || row[self.place("status")] != "summary";
        self.texts(column, is_run).into_iter().map(leading).collect()
    }

    /// The runs of a model and an arm: a column, by seed.
    fn runs(&self, column: &str, model: &str, arm: &str) -> Vec<f64> {
        let (status, at_model, at_arm) = (self.place("status"), self.place("model"), self.place("arm"));
        let chosen = |row: &[String]| row[status] == "finished" && row[at_model] == model && row[at_arm] == arm;
        self.texts(column, chosen).into_iter().map(|text| text.parse().unwrap()).collect()
    }

    /// Models and arms, in the order of the file.
    fn arms(&self) -> Vec<(&str, &str)> {
        let mut arms = Vec::new();
        for row in self.iter() {
            let arm = (row[self.place("model")].as_str(), row[self.place("arm")].as_str());
            if !arms.contains(&arm) {
                arms.push(arm);
            }
        }
        // The file goes from model to model, and in each from seed to seed.
        arms.sort_by_key(|(model, _)| self.iter().position(|row| row[self.place("model")] == *model));
        arms
    }

    /// Difference of an arm to another with the same seed, in points, of the epochs selected by held-out images: mean
    /// and, of seeds enough, the 95 % interval.
    pub fn difference(&self, model: &str, arm: &str, other: &str) -> String {
        let selected = |arm| self.runs("val_selected_top1", model, arm);
        let pairs: Vec<f64> = selected(arm).iter().zip(selected(other)).map(|(a, b)| 100.0 * (a - b)).collect();
        assert!(!pairs.is_empty(), "no runs of {model} with {arm} and {other}");
        let (mean, error) = (mean(&pairs), standard_error(&pairs));
        if pairs.len() == 1 {
            return format!("{mean:+.2}");
        }
        // Files of earlier builds have Student's interval, of few seeds; others the bootstrap's, of six or more.
        if self.has("p_value") {
            let interval = bootstrap::interval(&pairs);
            let interval = interval.map_or_else(String::new, |(low, high)| format!(" [{low:+.2}, {high:+.2}]"));
            return format!("{mean:+.2}{interval}");
        }
        let half = STUDENT[pairs.len() - 2] * error;
        format!("{mean:+.2} [{:+.2}, {:+.2}]", mean - half, mean + half)
    }

    /// A number of the summary of an arm, if it is there.
    fn summary(&self, column: &str, model: &str, arm: &str, seed: &str) -> Option<f64> {
        let is_it = |row: &[String]| {
            [("status", "summary"), ("model", model), ("arm", arm), ("seed", seed)]
                .iter()
                .all(|(c, v)| row[self.place(c)] == *v)
        };
        self.texts(column, is_it).first().and_then(|text| text.parse().ok())
    }

    /// The mean of a column of accuracies in percent, with its standard error if there are several seeds and it is
    /// wanted.
    pub fn top1(&self, column: &str, model: &str, arm: &str, with_error: bool) -> String {
        let runs: Vec<f64> = self.runs(column, model, arm).iter().map(|value| 100.0 * value).collect();
        assert!(!runs.is_empty(), "no runs of {model} with {arm}");
        match runs.len() {
            2.. if with_error => format!("{:.2} ± {:.2}", mean(&runs), standard_error(&runs)),
            _ => format!("{:.2}", mean(&runs)),
        }
    }

    /// The first model of the file.
    pub fn model(&self) -> &str {
        self.arms()[0].0
    }

    /// The setting that trials chose for an arm, without the name of what was swept; none without a sweep.
    pub fn chosen(&self, model: &str, arm: &str) -> Option<&str> {
        let (status, at_model, at_arm) = (self.place("status"), self.place("model"), self.place("arm"));
        let of_arm = |row: &[String]| row[status] == "finished" && row[at_model] == model && row[at_arm] == arm;
        let settings = if self.has("chosen") { self.texts("chosen", of_arm) } else { Vec::new() };
        assert!(settings.iter().all(|setting| *setting == settings[0]), "{model} {arm}: {settings:?}");
        settings.first().and_then(|setting| setting.split_once('=')).map(|(_, value)| value)
    }

    /// The p value by which an arm is judged: the one that Holm's method gave of the exploratory ones.
    pub fn p(&self, model: &str, arm: &str) -> Option<String> {
        let of = |column: &str| self.summary(column, model, arm, "mean");
        of("p_adjusted").or_else(|| of("p_value")).map(|p| format!("{p:.4}"))
    }

    /// The table of a document. Columns without a value in any row are left out of it.
    pub fn table(&self) -> String {
        let is_tuned = self.iter().any(|row| !row[self.place("before_top1")].is_empty());
        let is_swept = self.arms().iter().any(|(model, arm)| self.chosen(model, arm).is_some());
        let mut head = vec!["seeds", "selected", "peak", "difference to ReLU, points"];
        if is_tuned {
            head.insert(1, "before");
        }
        if is_swept {
            head.insert(1, "rate");
            head.push("p");
        }
        head.splice(0..0, if is_tuned { vec!["model", "arm"] } else { vec!["activation"] });
        let mut table = format!("\n| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
        for (model, arm) in self.arms() {
            let (name, of_model) = (format!("`{arm}`"), format!("`{model}`"));
            let is_base = arm == "relu";
            let cell = |column: &str| match column {
                "model" => of_model.clone(),
                "arm" | "activation" => name.clone(),
                "seeds" => self.runs("seed", model, arm).len().to_string(),
                "rate" => self.chosen(model, arm).unwrap_or("-").to_owned(),
                "before" => self.top1("before_top1", model, arm, false),
                "selected" => self.top1("val_selected_top1", model, arm, true),
                "peak" => self.top1("peak_top1", model, arm, false),
                _ if is_base => "-".to_owned(),
                "p" => self.p(model, arm).unwrap_or_else(|| "-".to_owned()),
                _ => self.difference(model, arm, "relu"),
            };
            let cells: Vec<String> = head.iter().map(|column| cell(column)).collect();
            table += &format!("| {} |\n", cells.join(" | "));
        }
        table
    }

    /// The rows of a summary that `reproduce` wrote, against the same worked out here.
    pub fn check_summaries(&self, name: &str) -> usize {
        let mut checked = 0;
        for (model, arm) in self.arms() {
            let of = |column: &str, seed: &str| self.summary(column, model, arm, seed);
            let runs = self.runs("val_selected_top1", model, arm);
            let other = self.runs("val_selected_top1", model, "relu");
            let pairs: Vec<f64> = runs.iter().zip(&other).map(|(a, b)| a - b).collect();
            let mut same = |found: Option<f64>, expected: f64| {
                let Some(found) = found else { return };
                assert!((found - expected).abs() < 2e-6, "{name}: {model} {arm}: {found} is not {expected}");
                checked += 1;
            };
            same(of("val_selected_top1", "mean"), mean(&runs));
            same(of("difference", "mean"), mean(&pairs));
            if runs.len() > 1 {
                same(of("val_selected_top1", "standard_error"), standard_error(&runs));
            }
            let interval = if self.has("p_value") {
                same(of("p_value", "mean"), by_all_signs(&pairs));
                let wins = runs.iter().flat_map(|run| other.iter().map(move |relu| (run > relu, run == relu)));
                let wins: f64 =
                    wins.map(|(more, equal)| f64::from(u8::from(more)) + f64::from(u8::from(equal)) / 2.0).sum();
                same(of("improvement", "mean"), wins / (runs.len() * other.len()) as f64);
                same(of("spread", "mean"), standard_error(&runs) * (runs.len() as f64).sqrt());
                bootstrap::interval(&pairs)
            } else {
                let student = runs.len().checked_sub(2).map(|at| STUDENT[at] * standard_error(&pairs));
                student.map(|half| (mean(&pairs) - half, mean(&pairs) + half))
            };
            if self.has("p_value") {
                let is_there = |column: &str| of(column, "mean").is_some();
                assert_eq!(is_there("difference_low"), interval.is_some() && arm != "relu", "{name}: {model} {arm}");
                assert_eq!((is_there("p_value"), is_there("improvement")), (arm != "relu", arm != "relu"), "{name}");
            }
            if let Some((low, high)) = interval {
                same(of("difference_low", "mean"), low);
                same(of("difference_high", "mean"), high);
            }
        }
        checked
    }

    /// Hours of table 1 by the paper's protocol at the speed of this file, an image trained on taken as three evaluated
    /// ones: its arms, five seeds, 100 epochs of 45,000 images, and 5,000 and 10,000 to evaluate.
    pub fn hours_of_table1(&self, arms: usize) -> String {
        let total = |column: &str| self.numbers(column).iter().sum::<f64>();
        let first = |column: &str| self.numbers(column)[0];
        let images = |train: f64, evaluated: f64| 3.0 * train + evaluated;
        let done = total("epochs") * images(first("train_images"), first("val_images") + first("test_images"));
        let paper = arms as f64 * 5.0 * 100.0 * images(45_000.0, 5_000.0 + 10_000.0);
        format!("{:.0}", total("train_seconds") / done * paper / 3600.0)
    }
}

/// The number that a text begins with.
pub fn leading(text: &str) -> f64 {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(text.len());
    text[..end].parse().unwrap_or(f64::NAN)
}

/// The share of all choices of signs whose sum is as far from zero as that of the differences.
fn by_all_signs(differences: &[f64]) -> f64 {
    let sum = |signs: u32| -> f64 {
        differences.iter().enumerate().map(|(i, d)| if signs >> i & 1 == 0 { *d } else { -d }).sum()
    };
    let choices = 1_u32 << differences.len();
    let far = (0..choices).filter(|signs| sum(*signs).abs() >= sum(0).abs() - 1e-9).count();
    far as f64 / f64::from(choices)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn standard_error(values: &[f64]) -> f64 {
    let mean = mean(values);
    let n = values.len() as f64;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt()
}
